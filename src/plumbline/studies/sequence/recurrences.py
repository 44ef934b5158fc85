"""Networks for sequences, many at once: recurrent cells, attention over states, a transformer.

Each weight has a leading axis for the networks. Shape letters: ``S`` networks, ``T`` steps, ``B``
sequences, ``F`` inputs, ``H`` units, ``K`` last steps, which have outputs, ``O`` outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Setting:
    """One kind of network.

    Attributes
    ----------
    cell : str
        Of `CELLS`, or ``transformer``.
    recurrent : {'default', 'orthogonal', 'identity'}
        Initial recurrent weights; *default* is torch's uniform distribution.
    gate_bias : float, optional
        Initial bias of the forget gate of an LSTM, or of the gate with which a GRU keeps its state.
    clipped : bool
        Whether the norm of the gradient is clipped.
    attention : bool
        Whether outputs see all states so far by additive attention.
    other_seeds : bool
        Whether the network starts from other weights than the rest does with its seed.
    """

    cell: str
    recurrent: str = "default"
    gate_bias: float | None = None
    clipped: bool = True
    attention: bool = False
    other_seeds: bool = False


def initialise(
    setting: Setting, *, inputs: int, outputs: int, width: int, steps: int, seed: int
) -> dict[str, Tensor]:
    """Return the initial weights of one network: uniform as torch draws them, except as set."""
    draws = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, fan_in: int = width) -> Tensor:
        return (torch.rand(shape, generator=draws) * 2 - 1) / math.sqrt(fan_in)

    if setting.cell == "transformer":
        return {
            "input": uniform(inputs, width, fan_in=inputs),
            "positions": uniform(steps, width),
            "query": uniform(width, width),
            "key_value": uniform(width, 2 * width),
            "up": uniform(width, 2 * width),
            "up_bias": uniform(1, 2 * width),
            "down": uniform(2 * width, width, fan_in=2 * width),
            "head": uniform(width, outputs),
            "head_bias": uniform(1, outputs),
        }
    gates = CELLS[setting.cell][1]
    shapes = {"input": (inputs, gates * width), "bias": (1, gates * width),
              "recurrent": (width, gates * width), "head": (width, outputs),
              "head_bias": (1, outputs)}  # fmt: skip
    found = {name: uniform(*shape) for name, shape in shapes.items()}
    if setting.recurrent == "identity":
        found["recurrent"] = torch.eye(width)
        found["bias"] = torch.zeros_like(found["bias"])
    if setting.recurrent == "orthogonal":
        q, r = torch.linalg.qr(torch.randn(width, width, generator=draws))
        found["recurrent"] = q * r.diagonal().sign()
    if setting.gate_bias is not None:
        found["bias"][:, :width] = setting.gate_bias  # the first gate keeps the state
    if setting.attention:
        found |= {"query": uniform(width, width), "key": uniform(width, width),
                  "score": uniform(width, 1), "context": uniform(width, outputs)}  # fmt: skip
    return found


def outputs_of(setting: Setting, weights: Weights, x: Tensor, last: int) -> Tensor:
    """Return the outputs of the last steps: ``(S, T, B, F)`` → ``(S, K, B, O)``."""
    if setting.cell == "transformer":
        return _transformer(weights, x, last)
    step = CELLS[setting.cell][0]
    pre = _linear(x, weights["input"], weights["bias"]).unbind(1)
    state = memory = x.new_zeros(len(x), x.shape[2], weights["recurrent"].shape[1])
    states = []
    for each in pre:
        state, memory = step(each, state, memory, weights["recurrent"])
        states.append(state)
    final = torch.stack(states[-last:], dim=1)
    found = _linear(final, weights["head"], weights["head_bias"])
    if setting.attention:
        context = _attend(weights, final, torch.stack(states, dim=1))
        found = found + _linear(context, weights["context"])
    return found


def gradient_norms(
    setting: Setting, weights: Weights, x: Tensor, losses: Callable[[Tensor], Tensor], last: int
) -> Tensor:
    """Return the norm of the gradient at the inputs of each step, over all sequences: ``(S, T)``.

    In float64, since gradients that vanish leave the range of float32.
    """
    doubles = {name: value.detach().double() for name, value in weights.items()}
    x = x.double().requires_grad_()
    (found,) = torch.autograd.grad(losses(outputs_of(setting, doubles, x, last)).sum(), x)
    return found.pow(2).sum((2, 3)).sqrt()


def stacked(networks: Sequence[Weights]) -> dict[str, Tensor]:
    """Return the weights of networks of one cell with a leading axis, ready to be trained."""
    return {k: torch.stack([each[k] for each in networks]).requires_grad_() for k in networks[0]}


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rows = x.flatten(1, -2)
    found = torch.bmm(rows, weight) if bias is None else torch.baddbmm(bias, rows, weight)
    return found.view(*x.shape[:-1], -1)


def _tanh(pre: Tensor, state: Tensor, memory: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    return torch.baddbmm(pre, state, recurrent).tanh(), memory


def _relu(pre: Tensor, state: Tensor, memory: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    return torch.baddbmm(pre, state, recurrent).relu(), memory


def _lstm(pre: Tensor, state: Tensor, memory: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    width = state.shape[2]
    both = torch.baddbmm(pre, state, recurrent)
    gates, candidate = torch.split(both, [3 * width, width], dim=2)
    forget, enter, leave = gates.sigmoid().chunk(3, dim=2)
    memory = torch.addcmul(forget * memory, enter, candidate.tanh())
    return leave * memory.tanh(), memory


def _gru(pre: Tensor, state: Tensor, memory: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    sizes = [2 * state.shape[2], state.shape[2]]
    gate_inputs, candidate_input = torch.split(pre, sizes, dim=2)
    gate_states, candidate_state = torch.split(torch.bmm(state, recurrent), sizes, dim=2)
    keep, reset = (gate_inputs + gate_states).sigmoid().chunk(2, dim=2)
    candidate = torch.addcmul(candidate_input, reset, candidate_state).tanh()
    return torch.lerp(candidate, state, keep), memory


# Step of a cell, and how many gates and candidates it has.
CELLS = {"tanh": (_tanh, 1), "relu": (_relu, 1), "lstm": (_lstm, 4), "gru": (_gru, 3)}


def _attend(weights: Weights, final: Tensor, states: Tensor) -> Tensor:
    """Return the mean of the states that each last step attends to (Bahdanau et al., 2015)."""
    queries, keys = _linear(final, weights["query"]), _linear(states, weights["key"])
    mixed = (queries[:, :, None] + keys[:, None]).tanh()  # (S, K, T, B, H)
    scores = _linear(mixed, weights["score"]).squeeze(-1)
    shares = (scores + _causal(final, states)[..., None]).softmax(2)
    return torch.einsum("sktb,stbh->skbh", shares, states)


def _causal(final: Tensor, states: Tensor) -> Tensor:
    """Return minus infinity where a step would see a later one, else 0: ``(K, T)``."""
    last, steps = final.shape[1], states.shape[1]
    return states.new_full((last, steps), -math.inf).triu(steps - last + 1)


def _transformer(weights: Weights, x: Tensor, last: int) -> Tensor:
    """Return outputs of one pre-norm block with learned positions and four heads.

    Of a single block only the last steps need queries, which saves most of the work.
    """
    hidden = _linear(x, weights["input"]) + weights["positions"][:, -x.shape[1] :, None]
    final, norm = hidden[:, -last:], hidden.shape[-1:]
    queries = _linear(functional.layer_norm(final, norm), weights["query"])
    both = _linear(functional.layer_norm(hidden, norm), weights["key_value"])
    q, k, v = (_heads(each) for each in (queries, *both.chunk(2, dim=3)))
    seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=_causal(final, hidden))
    final = final + seen.permute(0, 3, 1, 2, 4).flatten(3)
    inner = _linear(functional.layer_norm(final, norm), weights["up"], weights["up_bias"])
    final = final + _linear(functional.gelu(inner), weights["down"])
    return _linear(functional.layer_norm(final, norm), weights["head"], weights["head_bias"])


def _heads(x: Tensor) -> Tensor:
    """``(S, T, B, H)`` → ``(S, B, 4, T, H / 4)``."""
    return x.view(*x.shape[:3], 4, -1).permute(0, 2, 3, 1, 4)
