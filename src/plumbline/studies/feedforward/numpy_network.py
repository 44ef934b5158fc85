"""One hidden layer, ReLU, softmax; full-batch gradient descent by hand-written derivatives.

Shape letters: ``n`` samples, ``d`` inputs, ``h`` hidden units, ``k`` classes. Samples stand in
columns, and every input ends with a 1 whose weight is the bias: one product per layer then does
what would be a product, a sum and, on the way back, a sum of gradients. All of it is computed into
arrays that are made once. The numbers are those of the textbook form, row by row with biases apart,
up to the order of summation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.integer]

LEAST_PROBABILITY = 1e-10  # the loss of a surer mistake is cut off there, the gradient is not


@dataclass
class Network:
    """Weights with the bias as their last column.

    Attributes
    ----------
    hidden : ndarray of float64, (h, d + 1)
    output : ndarray of float64, (k, h + 1)
    """

    hidden: Floats
    output: Floats


def initialise(*, inputs: int, hidden: int, classes: int, seed: int) -> Network:
    """Return a network with normal weights of variance 2 / fan-in and no biases.

    "Delving deep into rectifiers", He et al. 2015, section 2.2.
    """
    rng = np.random.default_rng(seed)
    return Network(_he(rng, hidden, inputs), _he(rng, classes, hidden))


def train(network: Network, x: Floats, y: Codes, *, lr: float, epochs: int) -> Floats:
    """Change the weights by gradient descent on the mean cross-entropy.

    Parameters
    ----------
    network : Network
        Its arrays are changed in place.
    x : ndarray of float64, (n, d)
    y : ndarray of int, (n,)
        Class codes, 0 to k - 1.
    lr : float
    epochs : int
        Steps, each on all samples.

    Returns
    -------
    ndarray of float64, (epochs,)
        The loss in nats before each step.

    Raises
    ------
    ValueError
        If a class code has no output, or the inputs do not fit the weights.
    """
    _check(network, x, y)
    n, h = len(x), len(network.hidden)
    inputs = _with_ones(x.T)
    inputs_rows = np.ascontiguousarray(inputs.T)
    activations = np.ones((h + 1, n))
    z, probabilities = np.empty((h, n)), np.empty((len(network.output), n))
    row, d_hidden = np.empty(n), np.empty((h, n))
    active = np.empty((h, n), dtype=bool)
    step_hidden, step_output = np.empty_like(network.hidden), np.empty_like(network.output)
    from_output = network.output[:, :-1].T  # a view: it follows the weights
    flat, own = probabilities.reshape(-1), y * n + np.arange(n)
    chosen = np.empty((epochs, n))
    for epoch in range(epochs):
        np.matmul(network.hidden, inputs, out=z)
        np.maximum(z, 0.0, out=activations[:-1])
        np.matmul(network.output, activations, out=probabilities)
        _softmax(probabilities, row)
        flat.take(own, out=chosen[epoch], mode="clip")

        flat[own] -= 1.0  # softmax and cross-entropy together: p - y
        np.matmul(from_output, probabilities, out=d_hidden)
        np.greater(z, 0.0, out=active)
        d_hidden *= active
        np.matmul(probabilities, activations.T, out=step_output)
        np.matmul(d_hidden, inputs_rows, out=step_hidden)
        step_output *= lr / n
        step_hidden *= lr / n
        network.output -= step_output
        network.hidden -= step_hidden
    clipped = chosen.clip(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    losses: Floats = -np.log(clipped).mean(axis=1)
    return losses


def predict(network: Network, x: Floats) -> Floats:
    """Return the probability of each class, ``(n, k)``, of inputs ``(n, d)``."""
    hidden = np.maximum(network.hidden @ _with_ones(x.T), 0.0)
    probabilities = network.output @ _with_ones(hidden)
    _softmax(probabilities, np.empty(len(x)))
    return probabilities.T


def _softmax(z: Floats, row: Floats) -> None:
    """Turn columns of logits into probabilities, in place."""
    np.max(z, axis=0, out=row)
    z -= row
    np.exp(z, out=z)
    np.sum(z, axis=0, out=row)
    z /= row


def _with_ones(columns: Floats) -> Floats:
    return np.vstack([columns, np.ones(columns.shape[1])])


def _he(rng: np.random.Generator, outputs: int, inputs: int) -> Floats:
    weights = rng.standard_normal((outputs, inputs)) * np.sqrt(2 / inputs)
    return np.hstack([weights, np.zeros((outputs, 1))])


def _check(network: Network, x: Floats, y: Codes) -> None:
    width, classes = network.hidden.shape[1] - 1, len(network.output)
    if x.ndim != 2 or x.shape[1] != width or len(x) != len(y):
        raise ValueError(
            f"scratch.network: x must be (n, {width}) with a class for each row, got {x.shape} "
            f"and {len(y)} classes"
        )
    if len(y) and not 0 <= y.min() <= y.max() < classes:
        raise ValueError(
            f"scratch.network: y must be codes in 0…{classes - 1}, got {y.min()}…{y.max()}"
        )
