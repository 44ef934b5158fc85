"""The smallest gap between two groups that an interval shows with a given probability.

Of shares the power is a double sum over both groups' binomial counts, each by 40 quantiles: draws
in common for every gap that is tried, so that the power rises with the gap but for steps of whole
counts. Of other values the power is normal.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.proportions import Floats

_NODES = 40
_STEPS = 10  # to a thousandth of the gap that is tried first
_AT_ONCE = 512  # pairs, of which each takes _NODES² numbers
_SMOOTH = 10.0  # variance of a count from which its quantiles follow from mean, variance, skewness


def detectable_difference(
    first: tuple[npt.ArrayLike, npt.ArrayLike],
    second: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    confidence: float,
    power: float,
) -> tuple[Floats, Floats]:
    """Return the smallest gap of two shares that their interval shows, and the shares it is of.

    Groups are moved apart from their pooled share, the first one down and the second one up, the
    smaller one farther, so that the pooled share stays; where one reaches 0 or 1 the other one
    moves on alone.

    Parameters
    ----------
    first, second : tuple of array_like, (R,)
        ``(successes, trials)``; no whole numbers where they are effective.
    confidence : float
        Of the interval that must exclude equality.
    power : float
        With which probability it must, in (0, 1).

    Returns
    -------
    gap, lower : ndarray, (R,)
        The gap and the first group's share; NaN where even the gap from 0 to 1 is not shown.
    """
    (k1, n1), (k2, n2) = (
        tuple(np.asarray(part, dtype=np.float64) for part in side) for side in (first, second)
    )
    pooled = np.clip(proportions.proportion(k1 + k2, n1 + n2), 0, 1)
    part = n2 / (n1 + n2)
    sizes = tuple(np.maximum(np.round(n), 1) for n in (n1, n2))
    gap, lower = np.full(len(pooled), np.nan), np.full(len(pooled), np.nan)
    for start in range(0, len(pooled), _AT_ONCE):
        own = slice(start, start + _AT_ONCE)
        gap[own], lower[own] = _smallest(
            pooled[own], part[own], (sizes[0][own], sizes[1][own]), confidence, power
        )
    return gap, lower


def detectable_normal(standard_error: npt.ArrayLike, *, confidence: float, power: float) -> Floats:
    """Return the smallest difference that a normal interval shows: ``(z + z_power) · SE``.

    Parameters
    ----------
    standard_error : array_like, (R,)
        Of the difference.
    confidence, power : float
        As `detectable_difference`.
    """
    z = proportions.critical_value(confidence) + NormalDist().inv_cdf(power)
    return z * np.asarray(standard_error, dtype=np.float64)


def _smallest(
    pooled: Floats, part: Floats, sizes: tuple[Floats, Floats], confidence: float, power: float
) -> tuple[Floats, Floats]:
    def shown(gap: Floats) -> npt.NDArray[np.bool_]:
        lower = _lower(pooled, part, gap)
        return _power(sizes, (lower, lower + gap), confidence) >= power

    # Most gaps are near the normal approximation: bisection from there ends with a finer step.
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1]))
    near = 2 * detectable_normal(error, confidence=confidence, power=power)
    near = np.clip(near + 3 / np.minimum(*sizes), 0, 1)
    low = np.zeros(len(pooled))
    high = np.where(shown(near), near, 1.0)
    reached = shown(high)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = shown(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    gap = np.where(reached, high, np.nan)
    return gap, _lower(pooled, part, gap)


def _lower(pooled: Floats, part: Floats, gap: Floats) -> Floats:
    return np.clip(pooled - part * gap, 0, 1 - gap)


def _power(sizes: tuple[Floats, Floats], truth: tuple[Floats, Floats], confidence: float) -> Floats:
    """Return the probability that the interval of second minus first lies above 0, ``(R,)``."""
    ends = []
    for n, p in zip(sizes, truth, strict=True):
        trials = np.broadcast_to(n[:, None], (len(n), _NODES))
        hits = _quantiles(trials, np.clip(p, 0, 1)[:, None])
        value = hits / trials
        low, high = shares.share_interval(hits, trials, confidence=confidence)
        ends.append((value, low, high))
    (v1, _, h1), (v2, l2, _) = ends
    apart = v2[:, None, :] - v1[:, :, None]
    excludes = apart > np.hypot((v2 - l2)[:, None, :], (h1 - v1)[:, :, None])
    found: Floats = excludes.mean(axis=(1, 2))
    return found


def _quantiles(n: Floats, p: Floats) -> Floats:
    """Return `_NODES` quantiles of binomial counts, ``(R, _NODES)``.

    Of large counts by the expansion of Cornish and Fisher (1937) to the skewness.
    """
    from scipy.special import bdtrik, ndtri

    levels = ((np.arange(_NODES) + 0.5) / _NODES)[None]
    inside = np.broadcast_to(np.clip(p, 1e-12, 1 - 1e-12), n.shape)
    spread, z = n * inside * (1 - inside), ndtri(levels)
    skewed = (1 - 2 * inside) * (z**2 - 1) / 6
    found = np.round(n * inside + z * np.sqrt(spread) + skewed)
    small = spread[:, 0] < _SMOOTH
    if small.any():
        exact = bdtrik(levels, n[small], inside[small])
        found[small] = np.ceil(np.nan_to_num(exact) - 1e-9)
    edge = np.broadcast_to((p <= 0) | (p >= 1), n.shape)
    return np.clip(np.where(edge, n * p, found), 0, n)
