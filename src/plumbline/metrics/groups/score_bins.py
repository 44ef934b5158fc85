"""Scores in bins: one for each score while there are few of them, else bins of equal counts.

With bins of equal counts an area under a ROC curve takes the scores of one bin as tied. The edges
are every `RANKS`-th part of the sorted scores, and each edge's own score is a bin by itself, so
that any other bin holds less than 1 / `RANKS` of the rows: the area over all rows is then off by
at most 2 / (3 `RANKS`), which is 7e-5. (Half of Σ p q over the bins, with p and q the bin's shares
of positives and negatives and π p + (1 - π) q < 1 / `RANKS`.) A group's own bound is half of its
own Σ p q; `discrimination` widens the interval by it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError
from plumbline.metrics.groups.counting import Codes, Floats, Integers

# Up to so many different scores each is a bin of its own, and nothing is rounded.
EXACT = 50_000
RANKS = 10_000
# Multiples of 1 / GRID are edges, too: thresholds, and fifteenths (the bins of calibration).
GRID = 3000


def score_bins(
    score: npt.ArrayLike | None, n: int
) -> tuple[Floats, Codes, npt.NDArray[Any] | None, bool]:
    """Return the lowest score of each bin, the bin of each row, the scores, and "are bins ranges".

    Up to `EXACT` different scores are a bin each.
    """
    if score is None:
        return np.empty(0), np.broadcast_to(np.int64(0), n), None, False
    scores = np.asarray(score)
    if scores.dtype not in (np.float64, np.float32):
        scores = scores.astype(np.float64)
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1 + 1e-6):
        raise MetricError("counts: scores must be in [0, 1], got values outside of it")
    # A part that has too many different scores already spares sorting the whole.
    if len(np.unique(scores[: 2 * EXACT])) <= EXACT:
        found, bins = np.unique(scores, return_inverse=True)
        if len(found) <= EXACT:
            return found.astype(np.float64), bins, scores, False
    ordered = np.sort(scores.astype(np.float64))
    edges = range_edges(ordered[ranks(len(ordered))])
    return edges, bins_of(scores, edges), scores, True


def ranks(n: int) -> Integers:
    """Return the places, from 0, of the sorted scores that are edges: the first of each part."""
    first = np.unique(-(-np.arange(RANKS, dtype=np.int64) * n // RANKS))
    return first[first < n]


class Bins(NamedTuple):
    """How many scores are bins of their own, and which ranks and parts of 1 are edges else."""

    exact: int
    ranks: int
    grid: int


# For tables with thousands of groups, which have these bins each: AUROC of all rows is off by at
# most 7e-4.
COARSE = Bins(RANKS // 10, RANKS // 10, GRID // 10)


def fine() -> Bins:
    """Return the bins of a table that is kept whole."""
    return Bins(EXACT, RANKS, GRID)


def range_edges(picked: npt.ArrayLike, *, probabilities: bool = True, grid: int = GRID) -> Floats:
    """Return the lowest score of each bin, from the scores at the `ranks`.

    The next number above each of them is an edge, too: many equal scores are a bin by themselves.
    Of probabilities the multiples of 1 / ``grid`` are edges, too.
    """
    found = np.asarray(picked, dtype=np.float64)
    parts = np.arange(grid + 1) / grid if probabilities else np.empty(0)
    return np.unique(np.concatenate([found, np.nextafter(found, np.inf), parts]))


def bins_of(scores: npt.ArrayLike, edges: Floats) -> Integers:
    """Return the bin of each score, ``(N,)``."""
    return np.searchsorted(edges, np.asarray(scores, dtype=np.float64), side="right") - 1


def on_grid(score: Floats) -> npt.NDArray[np.bool_]:
    """Return which scores are edges of any bins of ranges: multiples of 1 / `GRID`."""
    return np.abs(score * GRID - np.round(score * GRID)) <= 1e-6
