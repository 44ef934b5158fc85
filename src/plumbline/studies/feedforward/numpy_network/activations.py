"""Activation functions and their derivatives in NumPy, computed into arrays that exist already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr

Floats = npt.NDArray[np.float64]

LEAK, ALPHA = 0.01, 1.0  # of leaky ReLU and of ELU, as in the chapter and in torch
_PEAK = 1 / np.sqrt(2 * np.pi)  # of the standard normal density


@dataclass(frozen=True)
class Activation:
    """A function of each element, and the product of a gradient with its derivative.

    Attributes
    ----------
    value : callable
        ``value(z, a)`` writes f(z) to ``a``.
    back : callable
        ``back(z, a, gradient)`` multiplies ``gradient`` by f'(z), where ``a`` is f(z). Both read
        arrays of one shape and change only the last one.
    """

    value: Callable[[Floats, Floats], object]
    back: Callable[[Floats, Floats, Floats], object]


def _sigmoid_back(z: Floats, a: Floats, gradient: Floats) -> None:
    del z
    gradient *= a
    gradient *= 1 - a


def _tanh_back(z: Floats, a: Floats, gradient: Floats) -> None:
    del z
    gradient *= 1 - a * a


def _relu(z: Floats, a: Floats) -> None:
    np.maximum(z, 0.0, out=a)


def _relu_back(z: Floats, a: Floats, gradient: Floats) -> None:
    del a
    gradient *= z > 0.0  # at the kink 0, as torch and the chapter have it


def _leaky_relu(z: Floats, a: Floats) -> None:
    np.maximum(z, LEAK * z, out=a)


def _leaky_relu_back(z: Floats, a: Floats, gradient: Floats) -> None:
    del a
    gradient *= np.where(z > 0.0, 1.0, LEAK)


def _elu(z: Floats, a: Floats) -> None:
    np.expm1(np.minimum(z, 0.0), out=a)
    a *= ALPHA
    a += np.maximum(z, 0.0)


def _elu_back(z: Floats, a: Floats, gradient: Floats) -> None:
    gradient *= np.where(z > 0.0, 1.0, a + ALPHA)


def _silu(z: Floats, a: Floats) -> None:
    expit(z, out=a)
    a *= z


def _silu_back(z: Floats, a: Floats, gradient: Floats) -> None:
    share = expit(z)
    gradient *= share + a * (1 - share)


def _gelu(z: Floats, a: Floats) -> None:
    ndtr(z, out=a)
    a *= z


def _gelu_back(z: Floats, a: Floats, gradient: Floats) -> None:
    del a
    gradient *= ndtr(z) + z * _PEAK * np.exp(-0.5 * z * z)


# Named as in `plumbline.models.layers.ACTIVATIONS`.
ACTIVATIONS = {
    "identity": Activation(lambda z, a: np.copyto(a, z), lambda z, a, gradient: None),
    "sigmoid": Activation(lambda z, a: expit(z, out=a), _sigmoid_back),
    "tanh": Activation(lambda z, a: np.tanh(z, out=a), _tanh_back),
    "relu": Activation(_relu, _relu_back),
    "leaky_relu": Activation(_leaky_relu, _leaky_relu_back),
    "elu": Activation(_elu, _elu_back),
    "silu": Activation(_silu, _silu_back),
    "gelu": Activation(_gelu, _gelu_back),
}
