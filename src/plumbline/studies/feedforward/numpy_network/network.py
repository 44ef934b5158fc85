"""A feed-forward network in NumPy: full-batch gradient descent by hand-written derivatives.

Shape letters: ``n`` samples, ``d`` inputs, ``k`` outputs; a layer has ``h`` units and ``m`` inputs.
Samples stand in columns, and every input of a layer ends with a 1 whose weight is the bias: one
product per layer then does what would be a product, a sum and, on the way back, a sum of gradients.
All of it is computed into arrays that are made once. The numbers are those of the textbook form,
row by row with biases apart, up to the order of summation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from plumbline.studies.feedforward.numpy_network.activations import ACTIVATIONS, Floats
from plumbline.studies.feedforward.numpy_network.heads import HEADS, Targets


@dataclass
class Network:
    """Weights, layer by layer, with the bias as the last column.

    Attributes
    ----------
    layers : list of ndarray of float64, each (h, m + 1)
        From the first hidden layer to the output layer; any number.
    activation : str
        A key of `ACTIVATIONS`, for all hidden layers.
    head : {'binary', 'multi_class', 'regression'}
        One output, sigmoid and cross-entropy; ``k`` outputs, softmax and cross-entropy; ``k``
        outputs and squared error.
    """

    layers: list[Floats]
    activation: str
    head: str


def initialise(sizes: Sequence[int], *, activation: str, head: str, seed: int) -> Network:
    """Return a network with normal weights of variance 2 / fan-in and no biases.

    "Delving deep into rectifiers", He et al. 2015, section 2.2.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, units of each hidden layer, outputs.
    activation, head : str
        See `Network`.
    seed : int
    """
    rng = np.random.default_rng(seed)
    layers = []
    for inputs, units in pairwise(sizes):
        weights = rng.standard_normal((units, inputs)) * np.sqrt(2 / inputs)
        layers.append(np.hstack([weights, np.zeros((units, 1))]))
    return Network(layers, activation, head)


def train(network: Network, x: Floats, y: Targets, *, lr: float, epochs: int) -> Floats:
    """Change the weights by gradient descent on the mean loss.

    Parameters
    ----------
    network : Network
        Its arrays are changed in place.
    x : ndarray of float64, (n, d)
    y : ndarray
        Class codes ``(n,)``, from 0; for regression values ``(n, k)``.
    lr : float
    epochs : int
        Steps, each on all samples.

    Returns
    -------
    ndarray of float64, (epochs,)
        The loss before each step: nats, or squared error summed over the outputs.

    Raises
    ------
    ValueError
        If the targets do not fit the outputs, or the inputs do not fit the weights.
    """
    work = _Passes(network, x, y)
    kept = np.empty((epochs, len(x)))
    steps = list(zip(network.layers, work.gradients, strict=True))
    rate = lr * work.scale
    for epoch in range(epochs):
        work.forward()
        work.backward(kept[epoch])
        for weights, gradient in steps:
            gradient *= rate
            weights -= gradient
    return work.head.losses(kept)


def gradients(network: Network, x: Floats, y: Targets) -> tuple[float, list[Floats]]:
    """Return the mean loss and its gradient for each array of ``network.layers``.

    Parameters and errors are those of `train`.
    """
    work = _Passes(network, x, y)
    kept = np.empty((1, len(x)))
    work.forward()
    work.backward(kept[0])
    return float(work.head.losses(kept)[0]), [work.scale * part for part in work.gradients]


def predict(network: Network, x: Floats) -> Floats:
    """Return probabilities or values of inputs ``(n, d)``.

    ``(n, 1)``: of the class 1, for a binary head; ``(n, k)``: of each class; ``(n, k)`` values.
    """
    function, columns = ACTIVATIONS[network.activation], x.T
    for weights in network.layers[:-1]:
        z = weights @ _with_ones(columns)
        columns = np.empty_like(z)
        function.value(z, columns)
    outputs = network.layers[-1] @ _with_ones(columns)
    HEADS[network.head].activate(outputs)
    return outputs.T


class _Passes:
    """The forward and the backward pass over one set of samples.

    Attributes
    ----------
    gradients : list of ndarray
        Of the sum of the losses, up to ``scale``; written by `backward`.
    """

    def __init__(self, network: Network, x: Floats, y: Targets) -> None:
        layers, n = network.layers, len(x)
        _check(network, x)
        self.function = ACTIVATIONS[network.activation]
        self.inputs = [_with_ones(x.T), *(np.ones((len(w) + 1, n)) for w in layers[:-1])]
        # Views, and they follow what is written to the arrays.
        self.activations = [inputs[:-1] for inputs in self.inputs[1:]]
        self.rows = [np.ascontiguousarray(self.inputs[0].T), *(a.T for a in self.inputs[1:])]
        self.sums = [np.empty((len(weights), n)) for weights in layers]
        self.errors = [*(np.empty_like(z) for z in self.sums[:-1]), self.sums[-1]]
        self.layers, self.back = layers, [weights[:, :-1].T for weights in layers]
        self.gradients = [np.empty_like(weights) for weights in layers]
        self.head = HEADS[network.head](self.sums[-1], y)
        self.scale = self.head.FACTOR / n

    def forward(self) -> None:
        """Compute the weighted sums of every layer and the values of the hidden ones."""
        value, last = self.function.value, len(self.layers) - 1
        for index, weights in enumerate(self.layers):
            np.matmul(weights, self.inputs[index], out=self.sums[index])
            if index < last:
                value(self.sums[index], self.activations[index])

    def backward(self, kept: Floats) -> None:
        """Compute the gradients, from the output back; see `Head.to_errors` for ``kept``."""
        self.head.to_errors(kept)
        for index in range(len(self.layers) - 1, -1, -1):
            error = self.errors[index]
            np.matmul(error, self.rows[index], out=self.gradients[index])
            if index:
                before = self.errors[index - 1]
                np.matmul(self.back[index], error, out=before)
                self.function.back(self.sums[index - 1], self.activations[index - 1], before)


def _with_ones(columns: Floats) -> Floats:
    return np.vstack([columns, np.ones(columns.shape[1])])


def _check(network: Network, x: Floats) -> None:
    width = network.layers[0].shape[1] - 1
    if x.ndim != 2 or x.shape[1] != width:
        raise ValueError(f"scratch.network: x must be (n, {width}), got {x.shape}")
