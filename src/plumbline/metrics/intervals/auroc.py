"""The interval of the area under a ROC curve, for many groups at once. ``G`` groups.

Two intervals are united, because each alone covers too little somewhere (measured in
`benchmarks/coverage/scores.py`):

- that of the logit of the area, with DeLong's variance and Student's t. It makes no assumption
  about the scores, but a few rows of a label, all ranked right, have almost no variance.
- Newcombe's method 5, which inverts Hanley and McNeil's variance. It holds with few rows, but
  assumes that the scores of both labels spread alike.

Sources
-------
DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; logit scale: Qin and Hotilovac,
Statistical Methods in Medical Research 17 (2008) 207-221; degrees of freedom: Satterthwaite,
Biometrics Bulletin 2 (1946) 110-114; R. G. Newcombe, "Confidence intervals for an effect size
measure based on the Mann-Whitney statistic, part 2", Statistics in Medicine 25 (2006) 559-573.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.proportions import Floats, Interval

_BISECTIONS = 50
_ROUNDING = 1e-24  # of a variance: it is that of placements which are all equal


def auroc_interval(
    value: npt.ArrayLike,
    variance: npt.ArrayLike,
    freedom: npt.ArrayLike,
    positives: npt.ArrayLike,
    negatives: npt.ArrayLike,
    *,
    confidence: float,
) -> Interval:
    """Return the interval of areas under ROC curves, ``(G,)``; NaN where the area is.

    Where no variance can be estimated, as with labels that are separated perfectly, the first of
    the two intervals is that of a share whose trials are the rows of the rarer label: no area has
    a larger variance (Birnbaum and Klose, Ann. Math. Statist. 28 (1957) 933-945).

    Parameters
    ----------
    value, variance : array_like, (G,)
        The area, and its variance by DeLong.
    freedom : array_like, (G,)
        Degrees of freedom of the variance.
    positives, negatives : array_like, (G,)
        Rows of either label; effective numbers of weighted or clustered rows.
    confidence : float
        In (0, 1).

    Examples
    --------
    >>> low, high = auroc_interval([0.9], [0.0016], [30], [20], [200], confidence=0.95)
    >>> [round(float(end[0]), 3) for end in (low, high)]
    [0.784, 0.957]
    """
    from scipy.special import expit, logit, stdtrit

    area, spread, df, above, below = np.broadcast_arrays(
        *(np.asarray(part, np.float64) for part in (value, variance, freedom, positives, negatives))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        defined = ~np.isnan(area) & (above > 0) & (below > 0)
        estimated = defined & (spread > _ROUNDING) & (area > 0) & (area < 1) & (df > 0)
        t = stdtrit(np.where(estimated, df, 1.0), (1 + confidence) / 2)
        half = t * np.sqrt(spread) / (area * (1 - area))
        low, high = expit(logit(area) - half), expit(logit(area) + half)
    few = defined & ~estimated
    trials = np.minimum(above, below)[few]
    low[few], high[few] = shares.share_interval(area[few] * trials, trials, confidence=confidence)
    other = _by_model(area, above, below, confidence)
    ends = np.minimum(low, other[0]), np.maximum(high, other[1])
    return np.where(defined, ends[0], np.nan), np.where(defined, ends[1], np.nan)


def _by_model(area: Floats, above: Floats, below: Floats, confidence: float) -> Interval:
    """Return Newcombe's interval: the areas that are not rejected at their own variance."""
    z = proportions.critical_value(confidence)
    pairs, half = above * below, (above + below) / 2 - 1

    def far(truth: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            more = 1 + half * ((1 - truth) / (2 - truth) + truth / (1 + truth))
            return z * np.sqrt(truth * (1 - truth) * np.maximum(more, 0) / pairs)

    ends = []
    for extreme in (0.0, 1.0):
        inside, outside = area.copy(), np.full(area.shape, extreme)
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            held = np.abs(middle - area) <= far(middle)
            inside, outside = np.where(held, middle, inside), np.where(held, outside, middle)
        ends.append(inside)
    return ends[0], ends[1]
