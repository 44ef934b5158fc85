"""Confidence intervals of means and of root mean squares, skewed ones too.

Student's interval of a mean misses a long tail: it holds the mean of 50 lognormal values in 90 % of
samples, their mean square in 60 %. Hall's transformation of t takes the skewness into account. It
is computed from sums alone, so that it serves groups that are counted and not resampled.

No interval from a sample can hold the mean of values whose tail the sample does not show:
``benchmarks/COVERAGE.md`` tabulates where coverage falls below 93 %.

Sources
-------
Student: "The probable error of a mean", Biometrika 6 (1908) 1-25.
Hall: "On the removal of skewness by transformation", JRSS B 54 (1992) 221-228.
Degrees of freedom of a variance: Satterthwaite, Biometrics Bulletin 2 (1946) 110-114.
Effective number of units: Kish, "Survey Sampling" (1965), section 8.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.proportions import Floats, Interval

# Sample skewness of squares is below the true one in most samples: at 50 normal values by a third.
_SQUARES = 1.5
_NORMAL = 30  # rows that the prior assumption of normal values counts as
_EQUAL = 1e-24  # relative variance of squares that differ by rounding alone
_STRAIGHT = 1e-9  # below this asymmetry Hall's transformation is the identity


@dataclass(frozen=True)
class Mean:
    """Means of G groups, ``(G,)`` each, as sums of the influences ``u`` of independent units.

    Attributes
    ----------
    value : ndarray
    variance : ndarray
        Of the mean: ``Σ u² · k / (k - 1)``, k being ``worth``; NaN of one unit.
    asymmetry : ndarray
        ``Σ u³ / (Σ u²)^(3/2)``: skewness over the root of the number of units.
    units : ndarray
        Rows, documents or entities.
    worth : ndarray
        How many units of equal weight are worth as much (Kish): ``(Σ w)² / Σ w²``.
    """

    value: Floats
    variance: Floats
    asymmetry: Floats
    units: Floats
    worth: Floats


def influences_to_mean(
    value: Floats, powers: tuple[Floats, Floats], worth: Floats, units: Floats
) -> Mean:
    """Return means from ``Σ u²`` and ``Σ u³`` of their influences."""
    squares, cubes = powers
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where(units > 1, squares * worth / (worth - 1), np.nan)
        asymmetry = np.where(squares > 0, cubes / squares**1.5, 0.0)
    return Mean(value, variance, asymmetry, units, worth)


def values_to_mean(values: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Mean:
    """Return the mean ``Σ w x / Σ w`` of independent values, ``(N,)``, as one group.

    Of values ``y / w`` with weights ``w`` this is the ratio ``Σ y / Σ w``.
    """
    x = np.asarray(values, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (w @ x) / w.sum()
        u = w * (x - value) / w.sum()
        worth = w.sum() ** 2 / (w @ w)
    parts = (np.array([part]) for part in (value, u @ u, (u**2) @ u, worth, float(len(x))))
    value, squares, cubes, worth, units = parts
    return influences_to_mean(value, (squares, cubes), worth, units)


def mean_interval(mean: Mean, *, confidence: float) -> Interval:
    """Return the hull of Student's and of Hall's interval of each mean; NaN of one unit."""
    return _hull(mean, 1.0, confidence)


def root_mean_square_interval(square: Mean, rows: npt.ArrayLike, *, confidence: float) -> Interval:
    """Return the interval of the root of each mean square, 0 <= low <= high; NaN of one unit.

    The hull of Hall's interval of the mean square and of that of a variance with Satterthwaite's
    degrees of freedom ``2 m² / variance``. Few rows show tails as lighter than they are: the
    variance is at least its mean with that of normal values, which counts as 30 rows.

    Parameters
    ----------
    square : Mean
        Of the squares.
    rows : array_like, (G,)
    confidence : float
    """
    from scipy.special import chdtri

    n = np.asarray(rows, dtype=np.float64)
    low, high = _hull(square, _SQUARES, confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        twice = 2 * square.value**2
        least = (n * square.variance + _NORMAL * twice / n) / (n + _NORMAL)
        free = twice / np.maximum(square.variance, least)
        varies = square.variance > _EQUAL * square.value**2
        free, tail = np.where(varies, free, np.nan), (1 - confidence) / 2
        low = np.fmin(low, square.value * free / chdtri(free, tail))
        high = np.fmax(high, square.value * free / chdtri(free, 1 - tail))
    return np.sqrt(np.maximum(low, 0)), np.sqrt(high)


def _hull(mean: Mean, correction: float, confidence: float) -> Interval:
    from scipy.special import stdtrit

    proportions.critical_value(confidence)  # refuses what is none
    t = stdtrit(np.maximum(mean.worth - 1, 1), (1 + confidence) / 2)
    n = np.maximum(mean.units, 3)
    skew = correction * mean.asymmetry * np.sqrt(n * (n - 1)) / (n - 2)
    error = np.sqrt(mean.variance)
    below, above = (error * np.maximum(t, end) for end in (_hall(t, skew), -_hall(-t, skew)))
    return mean.value - below, mean.value + above


def _hall(x: Floats, a: Floats) -> Floats:
    """Return the inverse of Hall's transformation ``t + a t² / 3 + a² t³ / 27 + a / 6``."""
    skewed = np.abs(a) > _STRAIGHT
    b = np.where(skewed, a, 1.0)
    return np.where(skewed, (np.cbrt(1 + b * (x - b / 6)) - 1) * 3 / b, x)
