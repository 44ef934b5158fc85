"""Differences of balanced accuracy and macro F1 by the paired bootstrap.

Both models are measured with the same resampled weights of rows, or entities, and their difference
is taken in each replicate. The percentiles stand as far out as Student's t asks for
(Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69 (2015)
371-386, section 5.3: expanded percentile intervals).
"""

from __future__ import annotations

import math

import numpy as np

from plumbline.metrics.comparison.estimates import Floats, Paired
from plumbline.metrics.intervals import proportions

METHOD = "paired bootstrap"


def bootstrap_difference(
    value: float, replicates: Floats, *, units: int, confidence: float
) -> Paired:
    """Return a difference with its expanded percentile interval.

    Parameters
    ----------
    value : float
    replicates : ndarray, (B,)
        Differences of the resampled metrics.
    units : int
        Rows or entities that were drawn.
    confidence : float

    Notes
    -----
    Undefined where the replicates do not vary (no unit tells the models apart), or fewer than half
    of them are defined. p is the level at which the interval touches 0.
    """
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    defined = replicates[np.isfinite(replicates)]
    if 2 * len(defined) < len(replicates) or units < 2 or not np.ptp(defined) > 0:
        return Paired(value, math.nan, math.nan, math.nan, METHOD)
    wider = math.sqrt(units / (units - 1))
    z = wider * float(stdtrit(units - 1, (1 + confidence) / 2))
    low, high = proportions.percentile(defined, confidence=2 * float(ndtr(z)) - 1)
    side = int(min((defined <= 0).sum(), (defined >= 0).sum()))
    tail = min((side + 1) / (len(defined) + 1), 0.5)
    p = 2 * float(stdtr(units - 1, float(ndtri(tail)) / wider))
    return Paired(value, low, high, p, METHOD)
