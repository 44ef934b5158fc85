"""Which training rows a classical model is fitted to, how much each counts, and its progress."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import ParamsError
from plumbline.metrics.scores import imbalance

if TYPE_CHECKING:
    from plumbline.classical.tabular import FittedModel

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

BLOCK = "baseline"  # of the parameters of classical models
log = logging.getLogger(__name__)
FOLDS = 5  # of the rows of a support vector machine, whose margins are calibrated
_QUIET_SECONDS = 10.0  # between two lines of progress within one model


def drawn_rows(y: npt.NDArray[Any], limit: int, *, regression: bool, seed: int) -> Rows:
    """Return the numbers of the rows that a model is fitted to, ascending; all if they are few.

    Of more than ``limit`` rows so many are drawn without replacement, of each class its share,
    rounded, and at least `FOLDS` if it has so many.
    """
    if len(y) <= limit:
        return np.arange(len(y))
    order = np.random.default_rng(seed).permutation(len(y))
    if regression:
        return np.sort(order[:limit])
    parts = [order[y[order] == code] for code in np.unique(y)]
    sizes = [max(FOLDS, round(limit * len(part) / len(y))) for part in parts]
    return np.sort(np.concatenate([p[:n] for p, n in zip(parts, sizes, strict=True)]))


def calibration_folds(y: Rows) -> int:
    """Return the folds in which every class has a row: at most `FOLDS`.

    Raises
    ------
    ParamsError
        If a class has a single row: margins of rows that a machine has not seen need two.
    """
    fewest = int(np.unique(y, return_counts=True)[1].min())
    if fewest < 2:
        raise ParamsError(
            f"{BLOCK}: svm must have two training rows of every class or more, got one of a class; "
            "leave svm out of baseline.tabular, or merge the class with another one"
        )
    return min(FOLDS, fewest)


class Progress:
    """Lines about the fit of one model: its rows at the start, its value and time at the end."""

    def __init__(self, name: str, *, fitted: int, of: int) -> None:
        self._name, self._start = name, time.monotonic()
        self._last = self._start
        rows = f"{fitted:,}" if fitted == of else f"{fitted:,} of {of:,}"
        log.info("%s: fitting to %s training rows", name, rows)

    def point(self, done: int, points: int) -> None:
        """Say how many settings are done, unless a line was written a moment ago."""
        now = time.monotonic()
        if done < points and now - self._last >= _QUIET_SECONDS:
            log.info("%s: %d of %d settings, %.0f s", self._name, done, points, now - self._start)
            self._last = now

    def end(self, best: FittedModel, value: str) -> None:
        """Say what the best setting has reached."""
        took = time.monotonic() - self._start
        log.info("%s: validation %s %.4g, %.0f s", self._name, value, best.value, took)


def training_weights(
    rule: str | Mapping[str, float],
    y: npt.NDArray[Any],
    *,
    classes: Sequence[str],
    weights: Floats | None,
) -> tuple[Floats | None, dict[str, Any]]:
    """Return how much each training row counts, and the facts about it.

    A row counts by its weight times that of its class; None for ones.

    Raises
    ------
    ParamsError
        See `plumbline.metrics.scores.imbalance.class_weights`.
    """
    by_class = imbalance.class_weights(rule, y, classes=classes, weights=weights, where=BLOCK)
    if by_class is None:
        return weights, {}
    own: Floats = by_class[y]
    facts = imbalance.weight_facts(by_class.tolist(), classes)
    return (own if weights is None else own * weights), facts
