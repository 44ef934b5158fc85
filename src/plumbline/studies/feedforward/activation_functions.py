"""Activation functions in closed form: values, derivatives and what follows from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from plumbline.studies.feedforward.numpy_network.activations import ACTIVATIONS, Floats

Function = Callable[[Floats], tuple[Floats, Floats]]  # inputs → values and derivatives

# Inputs of which a unit passes less gradient are flat: half the slope of leaky ReLU.
FLAT = 0.005
PRELU_START, RRELU_MEAN = 0.25, (1 / 8 + 1 / 3) / 2
_FAR = 40.0  # beyond it every function is its asymptote in double precision
_CUBE, _ROOT = 0.044715, np.sqrt(2 / np.pi)


def _trained(name: str) -> Function:
    activation = ACTIVATIONS[name]

    def both(z: Floats) -> tuple[Floats, Floats]:
        value, derivative = np.empty_like(z), np.ones_like(z)
        activation.value(z, value)
        activation.back(z, value, derivative)
        return value, derivative

    return both


def _rectifier(slope: float) -> Function:
    return lambda z: (np.where(z > 0, z, slope * z), np.where(z > 0, 1.0, slope))


def _gelu_tanh(z: Floats) -> tuple[Floats, Floats]:
    bent = np.tanh(_ROOT * (z + _CUBE * z**3))
    inner = _ROOT * (1 + 3 * _CUBE * z**2)
    return z * (1 + bent) / 2, (1 + bent + z * (1 - bent**2) * inner) / 2


def _softmax(z: Floats) -> tuple[Floats, Floats]:
    value = expit(z - np.log(2))  # e^z / (e^z + 2)
    return value, value * (1 - value)


# PReLU is shown with the slope it starts from, RReLU with its slope in evaluation, softmax as the
# first of three outputs while the other inputs are 0.
FUNCTIONS: dict[str, Function] = {
    **{name: _trained(name) for name in ("sigmoid", "tanh", "relu", "leaky_relu")},
    "prelu": _rectifier(PRELU_START),
    "rrelu": _rectifier(RRELU_MEAN),
    **{name: _trained(name) for name in ("elu", "silu", "gelu")},
    "gelu_tanh": _gelu_tanh,
    "identity": _trained("identity"),
    "softmax": _softmax,
}


def properties(name: str) -> dict[str, float]:
    """Return what the textbook chapter tabulates of a function, from its values on a fine grid.

    Parameters
    ----------
    name : str
        A key of `FUNCTIONS`.

    Returns
    -------
    dict of str to float
        ``lowest`` and ``highest`` value (bounds, infinite where the function goes on rising),
        ``largest_derivative``, its ``derivative_far_left`` and ``derivative_far_right`` (0 where
        the function saturates), and for standard normal inputs the ``mean_output`` (0 if it is
        centred) and ``flat_share``, the share of inputs whose derivative is below `FLAT`.
    """
    z = np.linspace(-_FAR, _FAR, 160_001)
    value, derivative = FUNCTIONS[name](z)
    weights = _density(z) * (z[1] - z[0])
    left, right = derivative[[0, -1]].round(12)
    found = {
        "lowest": -np.inf if left > 0 else value.min(),
        "highest": np.inf if right > 0 else value.max(),
        "largest_derivative": derivative.max(),
        "derivative_far_left": left,
        "derivative_far_right": right,
        "mean_output": (value * weights).sum(),
        "flat_share": weights[np.abs(derivative) < FLAT].sum(),
    }
    return {name: round(float(of), 12) + 0.0 for name, of in found.items()}  # no -0


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))
