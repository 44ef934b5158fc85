"""Scores in bins: one for each score while there are few of them, else bins of one width."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError
from plumbline.metrics.groups.counting import Codes, Floats

# Thousandths of the score are thresholds, and fifteenths (the bins of calibration) are whole bins.
BINS = 3000
# Up to so many different scores each is a bin of its own, and nothing is rounded.
EXACT = 50_000


def score_bins(
    score: npt.ArrayLike | None, n: int
) -> tuple[Floats, Codes, npt.NDArray[Any] | None]:
    """Return the lowest score of each bin, the bin of each row, and the scores.

    Up to `EXACT` different scores are a bin each; more go to `BINS` bins of one width, closed
    below.
    """
    if score is None:
        return np.empty(0), np.broadcast_to(np.int64(0), n), None
    scores = np.asarray(score)
    if scores.dtype not in (np.float64, np.float32):
        scores = scores.astype(np.float64)
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1 + 1e-6):
        raise MetricError("counts: scores must be in [0, 1], got values outside of it")
    # A part that has too many different scores already spares sorting the whole.
    if len(np.unique(scores[: 2 * EXACT])) <= EXACT:
        found, bins = np.unique(scores, return_inverse=True)
        if len(found) <= EXACT:
            return found.astype(np.float64), bins, scores
    # The small addition keeps a multiple of the width out of the bin below.
    bins = (scores.astype(np.float64) * BINS + 1e-9).astype(np.int64)
    return grid(), bins, scores


def grid() -> Floats:
    """Return the lower edges of bins of one width; a score of 1 has the last one to itself."""
    return np.arange(BINS + 1) / BINS
