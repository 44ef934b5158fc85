"""Inference of a character network one character at a time, in NumPy.

One step of a small network is a few small products of a matrix and a vector; most of torch's time
goes into calling them. Folding the embedding into the first layer's gates turns their input part
into a row of a table, and the logistic gates share one tanh: σ(x) = (1 + tanh(x/2)) / 2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from plumbline.models.rnn import CharRNN

Floats = npt.NDArray[np.float32]
Step = Callable[[Floats], Floats]  # input part of a layer's gates → its hidden units


class Stepper:
    """State of the network within one document; dropout is off.

    Parameters
    ----------
    model : CharRNN
        Its weights are copied.
    """

    def __init__(self, model: CharRNN) -> None:
        layers = [_Layer(model.cell, index) for index in range(model.cell.num_layers)]
        embedding = _array(model.embedding.weight)
        self._table = embedding @ layers[0].from_below.T + layers[0].bias  # (V + 1, gates × H)
        self._first, *self._above = layers
        if model.projection is not None:
            self._project = _array(model.projection.weight)
            self._bias = _array(model.projection.bias)
        else:
            assert model.bias is not None
            self._project, self._bias = embedding[:-1], _array(model.bias)

    def read(self, code: int) -> Floats:
        """Read one more character and return the logits ``(V,)`` of the next one."""
        hidden = self._first.step(self._table[code])
        for layer in self._above:
            hidden = layer.step(layer.from_below @ hidden + layer.bias)
        logits: Floats = self._project @ hidden + self._bias
        return logits


class _Layer:
    """One layer with its state; the caller of `step` applies ``from_below`` and ``bias``."""

    def __init__(self, cell: nn.RNN | nn.LSTM | nn.GRU, index: int) -> None:
        size = cell.hidden_size
        from_below, from_state, bias_below, bias_state = (
            _array(getattr(cell, f"{name}_l{index}"))
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        self._hidden: Floats = np.zeros(size, dtype=np.float32)
        self.step: Step
        if isinstance(cell, nn.LSTM):
            # From input, forget, cell, output to input, forget, output, cell, and the logistic ones
            # halved.
            order = np.r_[: 2 * size, 3 * size : 4 * size, 2 * size : 3 * size]
            halves = np.where(np.arange(4 * size) < 3 * size, 0.5, 1.0).astype(np.float32)
            self.from_below = from_below[order] * halves[:, None]
            self.bias = (bias_below + bias_state)[order] * halves
            self._from_state = from_state[order] * halves[:, None]
            self._cell: Floats = np.zeros(size, dtype=np.float32)
            self.step = self._lstm
        elif isinstance(cell, nn.GRU):
            halves = np.where(np.arange(3 * size) < 2 * size, 0.5, 1.0).astype(np.float32)
            # The reset gate multiplies the candidate's own state bias as well.
            self._candidate_bias = bias_state[2 * size :]
            bias_state = np.r_[bias_state[: 2 * size], np.zeros(size, dtype=np.float32)]
            self.from_below = from_below * halves[:, None]
            self.bias = (bias_below + bias_state) * halves
            self._from_state, self.step = from_state * halves[:, None], self._gru
        else:
            self.from_below, self.bias = from_below, bias_below + bias_state
            self._from_state, self.step = from_state, self._rnn

    def _lstm(self, gates: Floats) -> Floats:
        size = len(self._hidden)
        open_ = np.tanh(gates + self._from_state @ self._hidden)
        logistic = open_[: 3 * size]
        logistic *= 0.5
        logistic += 0.5
        self._cell *= logistic[size : 2 * size]
        self._cell += logistic[:size] * open_[3 * size :]
        self._hidden = np.multiply(logistic[2 * size :], np.tanh(self._cell))
        return self._hidden

    def _gru(self, gates: Floats) -> Floats:
        size = len(self._hidden)
        from_state = self._from_state @ self._hidden
        logistic = np.tanh(gates[: 2 * size] + from_state[: 2 * size]) * 0.5 + 0.5
        reset, update = logistic[:size], logistic[size:]
        candidate = np.tanh(
            gates[2 * size :] + reset * (from_state[2 * size :] + self._candidate_bias)
        )
        self._hidden = np.add(candidate, update * (self._hidden - candidate))
        return self._hidden

    def _rnn(self, gates: Floats) -> Floats:
        self._hidden = np.tanh(np.add(gates, self._from_state @ self._hidden))
        return self._hidden


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().cpu().float().numpy().copy()
