"""Theory of gradients in deep random networks, by which the study of depth is checked. No torch.

In a wide network with random weights the pre-activations of a layer are normal with variance q_l,
and the squared gradient by them shrinks or grows by one factor per layer ("Deep information
propagation", Schoenholz et al. 2017, equations 3 and 8; for linear units "Understanding the
difficulty of training deep feedforward neural networks", Glorot and Bengio 2010, equation 6).
"""

from __future__ import annotations

import numpy as np

from plumbline.studies.feedforward.activation_functions import FUNCTIONS
from plumbline.studies.feedforward.numpy_network.activations import Floats

ACTIVATIONS = ("sigmoid", "tanh", "relu")
_GRID = np.linspace(-8, 8, 4000)  # no point at 0, where the derivative of ReLU jumps
_DENSITY = np.exp(-(_GRID**2) / 2) / np.exp(-(_GRID**2) / 2).sum()


def mean_squares(activation: str, variance: float) -> Floats:
    """Return E[f(z)²] and E[f'(z)²] for a normal z with mean 0."""
    both = np.stack(FUNCTIONS[activation](np.sqrt(variance) * _GRID))
    return np.asarray(both**2 @ _DENSITY)


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
    q, factors = start, []
    for _ in range(layers - 1):
        value, derivative = mean_squares(activation, q)
        factors.append(np.sqrt(gain * derivative))
        q = gain * value + bias
    return np.array(factors)
