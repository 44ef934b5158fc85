"""Theory of gradients in deep random networks, by which the study of depth is checked. No torch.

In a wide network with random weights the pre-activations of a layer are normal with variance q_l,
and the squared gradient by them shrinks or grows by one factor per layer ("Deep information
propagation", Schoenholz et al. 2017, equations 3 and 8; for linear units "Understanding the
difficulty of training deep feedforward neural networks", Glorot and Bengio 2010, equation 6).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Function = Callable[[Floats], Floats]

_GRID = np.linspace(-8, 8, 4001)  # a point at 0, where the derivative of ReLU jumps
_DENSITY = np.exp(-(_GRID**2) / 2) / np.exp(-(_GRID**2) / 2).sum()


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-z)))


# Function and derivative.
ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (np.sign(z) + 1) / 2),
}


def mean_square(function: Function, variance: float) -> float:
    """Return E[f(z)²] for a normal z with mean 0."""
    return float((_DENSITY * function(np.sqrt(variance) * _GRID) ** 2).sum())


def gradient_factors(
    activation: str, *, gain: float, bias: float, start: float, layers: int
) -> Floats:
    """Return the factor of the gradient's norm at each layer, on its way to the input.

    Parameters
    ----------
    activation : str
        A key of `ACTIVATIONS`.
    gain : float
        Variance of a weight times the number of inputs of the layer.
    bias : float
        Variance of a bias.
    start : float
        q_1: mean square of the pre-activations of the first layer.
    layers : int
        Number of hidden layers, at least 1.

    Returns
    -------
    float array of shape (layers - 1,)
        √(gain · E[φ'(z_l)²]) for l = 1, …: the norm of the gradient by the pre-activations of layer
        l over that of layer l + 1.
    """
    function, derivative = ACTIVATIONS[activation]
    q, factors = start, []
    for _ in range(layers - 1):
        factors.append(np.sqrt(gain * mean_square(derivative, q)))
        q = gain * mean_square(function, q) + bias
    return np.array(factors)
