"""A fitted model of either kind, and the data that it is fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Rows of a data set: training rows are drawn from ``rest`` for each seed.

    Targets are class codes, or numbers in standard deviations from their mean. ``standardise``
    features: columns of a table, and not pixels, which have one unit.
    """

    rest: tuple[Floats, npt.NDArray[Any]]
    val: tuple[Floats, npt.NDArray[Any]]
    test: tuple[Floats, npt.NDArray[Any]]
    names: tuple[str, ...]
    classes: int
    standardise: bool
    mean: float  # of numbers, in their own units
    scale: float

    def draw(self, examples: int, seed: int) -> Ints:
        """Return the numbers of training rows; of one seed, fewer rows are among more of them.

        Classes have their shares of the whole, up to rounding.
        """
        targets = self.rest[1]
        order = np.random.default_rng(seed).permutation(len(targets))
        if self.classes:
            places = np.empty(len(order))
            for code in range(self.classes):
                own = np.flatnonzero(targets[order] == code)
                places[own] = (np.arange(len(own)) + 0.5) / max(len(own), 1)
            order = order[np.argsort(places, kind="stable")]
        return order[:examples]


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes
    ----------
    outputs : callable
        ``(N, F)`` → ``(N,)``: the predicted number, or a value that grows with the odds of the
        second of two classes.
    predict : callable
        ``(N, F)`` → ``(N,)``: the predicted class code or number.
    size : int
        Bytes of its file.
    fit_operations, predict_operations : float
        Operations of the fit, and of a prediction for one row.
    fit_seconds : float
        For the log alone: no two runs take the same time.
    model : object
        scikit-learn's estimator, or the network.
    """

    outputs: Callable[[Floats], Floats]
    predict: Callable[[Floats], npt.NDArray[Any]]
    size: int
    fit_operations: float
    predict_operations: float
    fit_seconds: float
    model: Any


def score(targets: npt.NDArray[Any], predicted: npt.NDArray[Any], *, classes: int) -> float:
    """Return the accuracy, or R² of numbers."""
    if classes:
        return float(np.mean(targets == predicted))
    return float(r_squared(targets, predicted))


def r_squared(targets: Floats, values: Floats) -> Floats:
    """Return R² of values ``(…, N)``."""
    errors = np.square(targets - values).mean(axis=-1)
    found: Floats = 1 - errors / targets.var()
    return found
