"""Distances between two distributions that are known by counts, with intervals of any sample size.

Both distances are shares of rows, 0 to 1: the largest difference of the cumulative shares of a
number (Kolmogorov and Smirnov), and the share of rows that must change its category to make one
distribution of the other (total variation). An estimate from samples is above the true distance by
chance; its interval takes this into account and needs no approximation.

Sources
-------
Massart, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of Probability 18
(1990) 1269-1283: ``P(sup |F_n - F| > x) <= 2 exp(-2 n x²)`` for every F.
McDiarmid, "On the method of bounded differences", Surveys in Combinatorics (1989) 148-188.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


class Distance(NamedTuple):
    """An estimate and the ends of its interval, which may be outside of 0 to 1."""

    value: float
    low: float
    high: float


UNDEFINED = Distance(math.nan, math.nan, math.nan)


def cumulative_distance(
    first: tuple[Counts, Counts, int], second: tuple[Counts, Counts, int], *, confidence: float
) -> Distance:
    """Return the largest difference of two cumulative shares.

    Parameters
    ----------
    first, second : tuple
        How many values are below, and at or below, each edge, ``(E,)``, and how many there are.
        Where the edges are all distinct values of one sample, the value is the two-sample statistic
        of Kolmogorov and Smirnov; where they are some of them it is no larger.
    confidence : float
        In (0, 1).
    """
    n, m = first[2], second[2]
    if not n or not m:
        return UNDEFINED
    gaps = [np.abs(one / n - other / m) for one, other in zip(first[:2], second[:2], strict=True)]
    value = float(max(gap.max() for gap in gaps))
    half = half_width(n, m, 1 - confidence)
    return Distance(value, value - half, value + half)


def half_width(n: int, m: int, error: float) -> float:
    """Return t with ``P(A + B > t) <= error`` for A, B the largest errors of two empirical CDFs.

    By the triangle inequality the estimated distance is nowhere further from the true one. The
    probability is that of independent A and B whose tails are Massart's bounds, in closed form:
    no two variables within these bounds have a larger one.
    """
    from scipy.optimize import brentq

    low = math.sqrt(math.log(2) / 2) * (n**-0.5 + m**-0.5)
    each = math.sqrt(math.log(4 / error) / 2)  # half of the error for each of the two
    high = each * (n**-0.5 + m**-0.5)
    return float(brentq(lambda t: math.log(_tail(t, n, m) / error), low, high, xtol=1e-10))


def _tail(t: float, n: int, m: int) -> float:
    """Return ``P(A + B > t)`` for tails ``min(1, 2 exp(-2 n x²))`` and the same with m.

    The integral over b of ``P(A > t - b)`` times the density ``8 m b exp(-2 m b²)`` of B, which
    begins where its tail is 1; from ``t - a`` on, where the tail of A is 1, the tail of B.
    """
    start, last = (math.sqrt(math.log(2) / (2 * size)) for size in (m, n))
    stop = max(t - last, start)
    total, centre = n + m, n * t / (n + m)
    root = math.sqrt(2 * total)

    def primitive(b: float) -> float:  # of b exp(-2 total (b - centre)²)
        away = root * (b - centre)
        return centre * math.sqrt(math.pi) / (2 * root) * math.erf(away) - math.exp(-(away**2)) / (
            4 * total
        )

    factor = 16 * m * math.exp(-2 * n * m / total * t * t)
    return factor * (primitive(stop) - primitive(start)) + min(1.0, 2 * math.exp(-2 * m * stop**2))


def share_distance(first: Counts, second: Counts, *, confidence: float) -> Distance:
    """Return the total variation of two samples of categories, ``Σ |p - q| / 2``.

    Parameters
    ----------
    first, second : ndarray, (K,)
        Rows of each category.
    confidence : float
        In (0, 1).

    Notes
    -----
    One row moves the estimate by at most 1 / n or 1 / m, so it is further than
    ``sqrt(s log(2 / error) / 2)``, s = 1 / n + 1 / m, from its mean with half the error on each
    side (McDiarmid). Its mean is above the distance, by Jensen's inequality by at most
    ``sqrt((K - 1) s) / 2``.
    """
    n, m = int(first.sum()), int(second.sum())
    if not n or not m:
        return UNDEFINED
    value = float(np.abs(first / n - second / m).sum() / 2)
    spread = 1 / n + 1 / m
    noise = math.sqrt(spread * math.log(2 / (1 - confidence)) / 2)
    bias = math.sqrt((len(first) - 1) * spread) / 2
    return Distance(value, value - bias - noise, value + noise)
