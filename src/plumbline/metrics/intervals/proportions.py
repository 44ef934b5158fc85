"""Confidence intervals of differences and ratios by MOVER, of means, and by the bootstrap.

What has no rows has no interval: a zero denominator gives NaN, never 0.

Sources
-------
Newcombe: "Interval estimation for the difference between independent proportions",
Statistics in Medicine 17 (1998) 873-890, method 10.
MOVER: Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702 (differences and sums); Donner
and Zou, Statistical Methods in Medical Research 21 (2012) 347-359 (ratios).
Student: "The probable error of a mean", Biometrika 6 (1908) 1-25.
Bootstrap: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError

Floats = npt.NDArray[np.float64]
Interval = tuple[Floats, Floats]


def critical_value(confidence: float) -> float:
    """Return z with P(|Z| <= z) = ``confidence`` for a standard normal Z.

    Raises
    ------
    MetricError
        If ``confidence`` is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise MetricError(f"intervals: confidence must be in (0, 1), got {confidence!r}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def bonferroni(confidence: float, comparisons: int) -> float:
    """Return the confidence of each of ``comparisons`` simultaneous intervals."""
    return 1 - (1 - confidence) / max(comparisons, 1)


def counts(successes: npt.ArrayLike, trials: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return successes and trials as numbers of one shape.

    Raises
    ------
    MetricError
        If a count is negative, or successes exceed trials.
    """
    k, n = np.broadcast_arrays(
        np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    if (k < 0).any() or (k > n).any():
        raise MetricError("intervals: successes must be in 0…trials, got counts outside of it")
    return k, n


def proportion(successes: npt.ArrayLike, trials: npt.ArrayLike) -> Floats:
    """Return ``successes / trials``, NaN where there is no trial."""
    k, n = counts(successes, trials)
    share: Floats = np.divide(k, n, out=np.full(n.shape, np.nan), where=n > 0)
    return share


def mover_difference(
    first: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    second: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
) -> Interval:
    """Return the interval of ``first - second`` from the intervals of independent estimates.

    Each estimate is ``(value, low, high)``. Newcombe's method 10 is this of Wilson intervals.
    """
    (v1, l1, u1), (v2, l2, u2) = _floats(first), _floats(second)
    difference = v1 - v2
    return (
        difference - np.hypot(v1 - l1, u2 - v2),
        difference + np.hypot(u1 - v1, v2 - l2),
    )


def mover_ratio(
    first: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    second: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
) -> Interval:
    """Return the interval of ``first / second`` of two estimates that are never negative.

    Donner and Zou (2012), equation 9, in the form that does not divide by zero where twice the
    second value meets its upper limit. The upper end is infinite where the second estimate's lower
    limit is 0; both are NaN where the second value is 0.
    """
    (v1, l1, u1), (v2, l2, u2) = _floats(first), _floats(second)
    product = v1 * v2
    with np.errstate(invalid="ignore", divide="ignore"):
        near, far = l1 * (2 * v1 - l1), u2 * (2 * v2 - u2)
        low = near / (product + np.sqrt(np.maximum(product**2 - near * far, 0)))
        low = np.where(l1 == 0, 0.0, low)
        far, near = u1 * (2 * v1 - u1), l2 * (2 * v2 - l2)
        high = (product + np.sqrt(np.maximum(product**2 - near * far, 0))) / near
        high = np.where(l2 == 0, np.inf, high)
    defined = (v2 != 0) & ~np.isnan(v1 + v2 + l1 + u1 + l2 + u2)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def resample_counts(counts: npt.ArrayLike, *, replicates: int, seed: int) -> npt.NDArray[np.int64]:
    """Return bootstrap replicates of a table of counts, ``(replicates, *counts.shape)``.

    Drawing rows with replacement and counting them is Multinomial(n, counts / n) on the cells, so
    the cost does not depend on the number of rows.
    """
    cells = np.asarray(counts, dtype=np.int64)
    total = int(cells.sum())
    if total < 1:
        raise MetricError("intervals.resample_counts: counts must have a row, got none")
    drawn = np.random.default_rng(seed).multinomial(total, cells.ravel() / total, size=replicates)
    return drawn.reshape(replicates, *cells.shape)


def resample_weights(units: int, *, replicates: int, seed: int) -> npt.NDArray[np.float64]:
    """Return how often each unit is drawn in each replicate, ``(units, replicates)``.

    Column sums are ``units``. Weights stand along the first axis so that sorting units moves whole
    rows of memory.
    """
    if units < 1:
        raise MetricError("intervals.resample_weights: units must be >= 1, got 0")
    rng = np.random.default_rng(seed)
    weights = np.empty((units, replicates))
    for start in range(0, replicates, 256):  # bounds the memory of the draws
        width = min(256, replicates - start)
        cells = rng.integers(units, size=(units, width)) * width + np.arange(width)
        drawn = np.bincount(cells.ravel(), minlength=units * width)
        weights[:, start : start + width] = drawn.reshape(units, width)
    return weights


def student(values: npt.ArrayLike, *, confidence: float) -> tuple[float, float]:
    """Return the interval of the mean of independent values, ``mean ± t · s / sqrt(n)``.

    Student, "The probable error of a mean", Biometrika 6 (1908) 1-25; n - 1 degrees of freedom.

    Parameters
    ----------
    values : array_like, (n,)
        At least 2.
    confidence : float

    Raises
    ------
    MetricError
        If there are fewer than 2 values, or ``confidence`` is not in (0, 1).
    """
    from scipy.special import stdtrit

    critical_value(confidence)  # refuses what is none
    found = np.asarray(values, dtype=np.float64)
    if len(found) < 2:
        raise MetricError(f"intervals: values must be at least 2, got {len(found)}")
    half = float(stdtrit(len(found) - 1, (1 + confidence) / 2) * found.std(ddof=1))
    half /= len(found) ** 0.5
    return float(found.mean()) - half, float(found.mean()) + half


def expanded(confidence: float, units: int) -> float:
    """Return the confidence whose percentiles have ``confidence`` in samples of so few units.

    Bootstrap replicates vary by ``sqrt(1 - 1 / n)`` of what they should, and percentiles know
    nothing of Student's t: ``2 Φ(t sqrt(n / (n - 1))) - 1`` makes up for both (Hesterberg, "What
    teachers should know about the bootstrap", The American Statistician 69 (2015) 371-386, section
    3.3). ``confidence`` itself for one unit.
    """
    from scipy.special import ndtr, stdtrit

    if units < 2:
        return confidence
    t = stdtrit(units - 1, (1 + confidence) / 2)
    return float(2 * ndtr(t * (units / (units - 1)) ** 0.5) - 1)


def percentile(replicates: npt.ArrayLike, *, confidence: float) -> tuple[float, float]:
    """Return the percentile bootstrap interval; replicates that are undefined are left out.

    NaN where fewer than half of the replicates are defined: the rest would be a conditional law.
    Between an infinite replicate and its neighbour nothing is interpolated: an end is then the
    outer one of the two, and may be infinite itself.
    """
    critical_value(confidence)
    values = np.asarray(replicates, dtype=np.float64)
    defined = values[~np.isnan(values)]
    if 2 * len(defined) < len(values) or not len(defined):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    if np.isfinite(defined).all():
        low, high = np.quantile(defined, [tail, 1 - tail])
    else:
        low = np.quantile(defined, tail, method="lower")
        high = np.quantile(defined, 1 - tail, method="higher")
    return float(low), float(high)


def _floats(
    estimate: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
) -> tuple[Floats, Floats, Floats]:
    value, low, high = (np.asarray(part, dtype=np.float64) for part in estimate)
    return value, low, high
