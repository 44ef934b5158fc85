"""Shares of counted, weighted or clustered rows: their intervals, and tests of their differences.

A share is ``A / D``, A a part of D. With weights ``w``, or rows that come in clusters, its variance
is estimated by linearisation, ``Σ_e (Σ_i∈e w_i (x_i - p))² / D²``, and turned into the number of
independent rows that would give it: the *effective size*, which enters the intervals of counts.

Sources
-------
Effective size: Korn and Graubard, "Confidence intervals for proportions with small expected number
of positive counts estimated from survey data", Survey Methodology 24 (1998) 193-201.
Fisher's exact test: two-sided, by summing the tables that are no likelier than the one seen.
Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979) 65-70.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.proportions import Floats, Interval

# With fewer successes or failures the score interval covers too little (benchmarks/COVERAGE.md).
FEW = 5
CELLS = ("tp", "fp", "tn", "fn")
_BISECTIONS = 45
_LARGEST_Z = 37.0  # beyond it, p is below the smallest double


def share_interval(
    successes: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float
) -> Interval:
    """Return Wilson's interval, or Clopper and Pearson's under `FEW` successes or failures.

    Counts may be effective, that is, no whole numbers. NaN without trials; errors as
    `intervals.wilson`.

    Examples
    --------
    >>> low, high = share_interval([0, 50], [10, 100], confidence=0.95)
    >>> [round(float(end), 3) for end in low], [round(float(end), 3) for end in high]
    ([0.0, 0.404], [0.308, 0.596])
    """
    k, n = np.broadcast_arrays(
        np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    low, high = (np.array(end) for end in proportions.wilson(k, n, confidence=confidence))
    few = (n > 0) & (np.minimum(k, n - k) < FEW)
    if few.any():
        low[few], high[few] = proportions.clopper_pearson(k[few], n[few], confidence=confidence)
    return low, high


def difference_interval(
    first: tuple[npt.ArrayLike, npt.ArrayLike],
    second: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    confidence: float,
) -> Interval:
    """Return the MOVER interval of ``first - second``, each ``(successes, trials)``.

    Newcombe's, but for shares of few successes or failures.
    """
    one, other = (_estimate(*counts, confidence) for counts in (first, second))
    return proportions.mover_difference(one, other)


def difference_p(
    first: tuple[npt.ArrayLike, npt.ArrayLike], second: tuple[npt.ArrayLike, npt.ArrayLike]
) -> Floats:
    """Return p of "both shares are one": the level at which the difference's interval touches 0.

    So the test and the interval never disagree. 1 where the shares are equal, NaN without trials.
    """
    from scipy.special import ndtr

    (k1, n1), (k2, n2) = (np.asarray(c, dtype=np.float64) for c in (first, second))
    k1, n1, k2, n2 = np.broadcast_arrays(k1, n1, k2, n2)
    first_share, second_share = proportions.proportion(k1, n1), proportions.proportion(k2, n2)
    value = np.abs(first_share - second_share)
    swap = first_share < second_share
    ka, na, kb, nb = (np.where(swap, *pair) for pair in ((k2, k1), (n2, n1), (k1, k2), (n1, n2)))
    upper, lower = np.maximum(first_share, second_share), np.minimum(first_share, second_share)
    below, above = np.zeros(value.shape), np.full(value.shape, _LARGEST_Z)
    for _ in range(_BISECTIONS):
        z = (below + above) / 2
        distance = np.hypot(upper - _low_end(ka, na, z), 1 - _low_end(nb - kb, nb, z) - lower)
        excludes = value > distance
        below, above = np.where(excludes, z, below), np.where(excludes, above, z)
    p = 2 * ndtr(-below)
    return np.where(np.isnan(value), np.nan, np.where(value == 0, 1.0, p))


def fisher_exact(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the two-sided p of Fisher's exact test; 1 where one side has no trials.

    Each side is ``(successes, trials)``.
    """
    from scipy.stats import fisher_exact as exact

    return float(exact([[k, n - k] for k, n in (first, second)]).pvalue)


def holm(p: npt.ArrayLike) -> Floats:
    """Return Holm's adjusted p of a family; NaN (never tested) counts for nothing.

    Examples
    --------
    >>> [float(round(value, 3)) for value in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p, dtype=np.float64)
    adjusted = np.full(raw.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def effective_size(
    sums: Floats, moments: Floats, *, above: tuple[str, ...], below: tuple[str, ...], units: Floats
) -> Floats:
    """Return the effective size of the shares ``above / below`` of G groups, ``(G,)``.

    Parameters
    ----------
    sums : ndarray, (G, 4)
        Summed weights of `CELLS`.
    moments : ndarray, (G, 4, 4)
        ``Σ_e c_e c_eᵀ``, where ``c_e`` are the summed weights of the cells within cluster e (within
        a row, if rows are independent).
    above, below : tuple of str
        Cells of the numerator and of the denominator.
    units : ndarray, (G,)
        Independent clusters (or rows) of each group; few of them widen the interval as Student's t
        does.

    Notes
    -----
    Where all or none succeed the linearised variance is 0; then the size is ``D² / Σ_e d_e²``.
    """
    from scipy.special import stdtrit

    inside = np.array([cell in above for cell in CELLS])
    counted = np.array([cell in below for cell in CELLS])
    whole = sums @ counted
    share = np.divide(sums @ inside, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    deviation = np.where(inside, 1.0, 0.0)[None] - np.where(counted, share[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.einsum("gi,gij,gj->g", deviation, moments, deviation) / whole**2
        kish = whole**2 / np.einsum("i,gij,j->g", counted, moments, counted)
        size = np.where(variance > 0, share * (1 - share) / variance, kish)
        t = stdtrit(np.maximum(units - 1, 1), 0.975)
        few = (1 - 1 / units) * (proportions.critical_value(0.95) / t) ** 2
    return np.where(whole > 0, size * np.where(units > 1, few, np.nan), 0.0)


def _estimate(
    k: npt.ArrayLike, n: npt.ArrayLike, confidence: float
) -> tuple[Floats, Floats, Floats]:
    return (proportions.proportion(k, n), *share_interval(k, n, confidence=confidence))


def _low_end(k: Floats, n: Floats, z: Floats) -> Floats:
    """Return the lower end of a share's interval, each at its own z; the upper is its mirror."""
    from scipy.special import betaincinv, ndtr

    with np.errstate(invalid="ignore", divide="ignore"):
        score = (k + z * z / 2 - z * np.sqrt(k * (n - k) / n + z * z / 4)) / (n + z * z)
    low = np.array(np.clip(score, 0, 1))
    few = (np.minimum(k, n - k) < FEW) & (n > 0)
    if few.any():
        tail = np.maximum(ndtr(-z[few]), np.finfo(float).tiny)
        k, n = k[few], n[few]
        low[few] = np.where(k > 0, betaincinv(np.maximum(k, 1e-9), n - k + 1, tail), 0.0)
    return low
