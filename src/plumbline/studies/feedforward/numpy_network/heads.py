"""Output layers and their losses in NumPy: what the last weighted sums mean.

Shape letters: ``n`` samples, ``k`` outputs. Samples stand in columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from plumbline.studies.feedforward.numpy_network.activations import Floats

Targets = npt.NDArray[Any]

LEAST_PROBABILITY = 1e-10  # the loss of a surer mistake is cut off there, the gradient is not


class Head(ABC):
    """The loss of one set of samples, bound to the array of their last weighted sums.

    Parameters
    ----------
    z : ndarray of float64, (k, n)
        Changed in place.
    y : ndarray
        Targets; see `plumbline.studies.feedforward.numpy_network.network.train`.

    Attributes
    ----------
    FACTOR : float
        The derivative of a sample's loss by z is ``FACTOR`` × (prediction - target).
    """

    FACTOR: ClassVar[float] = 1.0

    def __init__(self, z: Floats, y: Targets) -> None:
        self.z, self.y = z, y

    @staticmethod
    @abstractmethod
    def activate(z: Floats) -> None:
        """Turn weighted sums into predictions, in place."""

    @abstractmethod
    def to_errors(self, kept: Floats) -> None:
        """Turn the weighted sums into prediction - target.

        ``kept`` ``(n,)`` gets what `losses` needs of each sample.
        """

    @staticmethod
    def losses(kept: Floats) -> Floats:
        """Return the mean cross-entropy of each epoch from ``(epochs, n)`` probabilities."""
        clipped = kept.clip(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        found: Floats = -np.log(clipped).mean(axis=1)
        return found


class MultiClass(Head):
    """Softmax and cross-entropy; ``kept`` is the probability of the own class."""

    def __init__(self, z: Floats, y: Targets) -> None:
        super().__init__(z, y)
        _check_codes(y, classes=len(z), n=z.shape[1])
        self._flat, self._own = z.reshape(-1), y * len(y) + np.arange(len(y))

    @staticmethod
    def activate(z: Floats) -> None:
        """Turn columns of logits into probabilities, in place."""
        z -= z.max(axis=0)
        np.exp(z, out=z)
        z /= z.sum(axis=0)

    def to_errors(self, kept: Floats) -> None:
        """Subtract 1 from the probability of the own class."""
        self.activate(self.z)
        self._flat.take(self._own, out=kept, mode="clip")
        self._flat[self._own] -= 1.0


class Binary(Head):
    """Sigmoid and cross-entropy; ``kept`` is the probability of the own class."""

    def __init__(self, z: Floats, y: Targets) -> None:
        super().__init__(z, y)
        _check_codes(y, classes=2, n=z.shape[1])
        if len(z) != 1:
            raise ValueError(f"scratch.network: a binary head must have 1 output, got {len(z)}")

    @staticmethod
    def activate(z: Floats) -> None:
        """Turn logits of class 1 into its probabilities, in place."""
        expit(z, out=z)

    def to_errors(self, kept: Floats) -> None:
        """Subtract the code from the probability of class 1."""
        self.activate(self.z)
        np.subtract(self.z[0], self.y, out=self.z[0])
        np.subtract(1.0, np.abs(self.z[0]), out=kept)


class Regression(Head):
    """Values and squared error; ``kept`` is the squared error, summed over the outputs."""

    FACTOR: ClassVar[float] = 2.0

    def __init__(self, z: Floats, y: Targets) -> None:
        super().__init__(z, y.T)
        if y.shape != z.T.shape:
            raise ValueError(f"scratch.network: y must be {z.T.shape}, got {y.shape}")

    @staticmethod
    def activate(z: Floats) -> None:
        """Leave the values as they are."""

    def to_errors(self, kept: Floats) -> None:
        """Subtract the target from the value."""
        self.z -= self.y
        np.einsum("kn,kn->n", self.z, self.z, out=kept)

    @staticmethod
    def losses(kept: Floats) -> Floats:
        """Return the mean squared error of each epoch."""
        found: Floats = kept.mean(axis=1)
        return found


HEADS: dict[str, type[Head]] = {
    "binary": Binary,
    "multi_class": MultiClass,
    "regression": Regression,
}


def _check_codes(y: Targets, *, classes: int, n: int) -> None:
    if y.shape != (n,):
        raise ValueError(f"scratch.network: y must have a code for each of {n} rows, got {y.shape}")
    if len(y) and not 0 <= y.min() <= y.max() < classes:
        raise ValueError(
            f"scratch.network: y must be codes in 0…{classes - 1}, got {y.min()}…{y.max()}"
        )
