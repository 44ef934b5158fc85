"""The interval of mean score minus share of positives (calibration in the large). ``G`` groups.

The excess of a row is its score minus its label, 1 or 0; its mean has a variance of three sources:

- the labels: at most that of a share of as many rows, ``p (1 - p) / n``. The interval is that of
  such a share (`shares.share_interval`), and so holds with few or no positives;
- scores that tell the labels apart leave less variance. The share then counts as one of more rows,
  but only as far as the data show it: to the squared deviations is added what the critical value
  allows for deviations that chance has left out, and they are not taken below what the scores
  themselves predict, ``Σ s (1 - s)``;
- scores that vary without regard to the labels leave more variance. What is above that of a share
  is added, in squares, with Student's t.

Nothing is assumed of the scores: overconfident ones are not taken at their word. (The Poisson
binomial law of the labels given calibrated scores would give too narrow an interval to those.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.proportions import Interval


def excess_interval(
    value: npt.ArrayLike,
    share: npt.ArrayLike,
    size: npt.ArrayLike,
    *,
    variance: npt.ArrayLike,
    predicted: npt.ArrayLike,
    designed: bool,
    confidence: float,
) -> Interval:
    """Return the interval of the mean excess of groups, ``(G,)``; NaN of one row or entity.

    Parameters
    ----------
    value, share : array_like, (G,)
        Mean excess, and share of positives.
    size : array_like, (G,)
        Rows; of weighted or clustered rows ``(Σ w)² / Σ_e w_e²`` over the units e.
    variance : array_like, (G,)
        ``size`` times the variance of the mean excess.
    predicted : array_like, (G,)
        The same if the labels were drawn by the scores, independently.
    designed : bool
        Are rows weighted or clustered: a small size then widens the interval as Student's t does.
    confidence : float
        In (0, 1).

    Examples
    --------
    No positive among 25 rows with scores of 0.04:

    >>> low, high = excess_interval([0.04], [0.0], [25.0], variance=[0.0], predicted=[0.0384],
    ...                             designed=False, confidence=0.95)
    >>> [round(float(end[0]), 3) for end in (low, high)]
    [-0.087, 0.04]
    """
    from scipy.special import stdtrit

    excess, p, n, found, expected = np.broadcast_arrays(
        *(np.asarray(a, np.float64) for a in (value, share, size, variance, predicted))
    )
    z2 = proportions.critical_value(confidence) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        t = stdtrit(np.maximum(n - 1, 1), (1 + confidence) / 2)
        middle = (p * n + z2 / 2) / (n + z2)
        binomial = middle * (1 - middle)
        left = np.minimum(binomial, np.maximum(found, expected) + z2 / n)
        trials = n * np.where(left > 0, binomial / left, 1.0)
        if designed:
            trials = trials * (1 - 1 / n) * z2 / t**2
        extra = np.maximum(found - p * (1 - p) * n / (n - 1), 0) / n
        defined = (n > 1 + 1e-9) & ~np.isnan(excess)
        trials = np.where(defined, trials, 0.0)
        hits = np.clip(np.where(defined, p, 0.0) * trials, 0, trials)
        low, high = shares.share_interval(hits, trials, confidence=confidence)
        more = t * np.sqrt(extra)
        ends = excess - np.hypot(high - p, more), excess + np.hypot(p - low, more)
    return np.where(defined, ends[0], np.nan), np.where(defined, ends[1], np.nan)
