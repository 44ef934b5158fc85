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

from plumbline.metrics.intervals import binomial, proportions
from plumbline.metrics.intervals.proportions import Floats, Interval

FEW = 5  # with fewer successes or failures, normal approximations do not hold
CELLS = ("tp", "fp", "tn", "fn")
_STEPS = 12
_CLOSE = 1e-12  # of an angle


def share_interval(
    successes: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float
) -> Interval:
    """Return the interval of `plumbline.metrics.intervals.binomial`: error at most 4/3 of stated.

    Counts may be effective, that is, no whole numbers. NaN without trials.

    Parameters
    ----------
    successes, trials : array_like
        Counts, 0 <= successes <= trials, of one shape.
    confidence : float
        In (0, 1).

    Raises
    ------
    MetricError
        If a count is negative, successes exceed trials, or ``confidence`` is not in (0, 1).

    Examples
    --------
    >>> low, high = share_interval([0, 50], [10, 100], confidence=0.95)
    >>> [round(float(end), 3) for end in low], [round(float(end), 3) for end in high]
    ([0.0, 0.401], [0.288, 0.599])
    """
    k, n = proportions.counts(successes, trials)
    z = proportions.critical_value(confidence)
    some = n > 0
    sides, whole = np.stack([k[some], n[some] - k[some]]), n[some]
    ends = binomial.lower_end(sides, np.stack([whole, whole]), np.full(sides.shape, z))
    low, high = np.full(n.shape, np.nan), np.full(n.shape, np.nan)
    low[some], high[some] = ends[0], 1 - ends[1]
    return low, high


def difference_interval(
    first: tuple[npt.ArrayLike, npt.ArrayLike],
    second: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    confidence: float,
) -> Interval:
    """Return the MOVER interval of ``first - second``, each ``(successes, trials)``.

    Newcombe's method 10 with the intervals of `share_interval` in the place of Wilson's.
    """
    one, other = (_estimate(*counts, confidence) for counts in (first, second))
    return proportions.mover_difference(one, other)


def difference_p(
    first: tuple[npt.ArrayLike, npt.ArrayLike], second: tuple[npt.ArrayLike, npt.ArrayLike]
) -> Floats:
    """Return p of "both shares are one": the level at which the difference's interval touches 0.

    So the test and the interval never disagree. 1 where the shares are equal, NaN without trials.

    Notes
    -----
    The MOVER interval of U - L touches 0 where the lower end x of U and the upper end y of L have
    ``(U - x)² + (y - L)² = (U - L)²``: on a quarter of a circle. The scores of its points are known
    without a search for ends; one angle makes both the same.
    """
    from scipy.special import ndtr

    (ka, na), (kb, nb) = (proportions.counts(*side) for side in (first, second))
    ka, na, kb, nb = np.broadcast_arrays(ka, na, kb, nb)
    p = np.where((na > 0) & (nb > 0), 1.0, np.nan)
    one, other = proportions.proportion(ka, na), proportions.proportion(kb, nb)
    differ = np.abs(one - other) > 0
    swap = (one < other)[differ]
    ka, na, kb, nb = (part[differ] for part in (ka, na, kb, nb))
    large = np.where(swap, kb, ka), np.where(swap, nb, na)
    small = np.where(swap, ka, kb), np.where(swap, na, nb)
    p[differ] = np.minimum(2 * ndtr(-_touching(large, small)), 1)
    return p


def _touching(large: tuple[Floats, Floats], small: tuple[Floats, Floats]) -> Floats:
    """Return the z at which the interval of the larger minus the smaller share touches 0."""
    (ka, na), (kb, nb) = large, small
    upper, lower = ka / na, kb / nb
    gap = upper - lower
    below, above = np.zeros(gap.shape), np.full(gap.shape, np.pi / 2)
    angle = np.arctan2(_deviation(kb, nb), _deviation(ka, na))
    z = np.zeros(gap.shape)
    open_ = np.arange(len(gap))
    for _ in range(_STEPS):
        at, d = angle[open_], gap[open_]
        x, y = upper[open_] - d * np.cos(at), lower[open_] + d * np.sin(at)
        z_a, slope_a = binomial.score(ka[open_], na[open_], x)
        z_b, slope_b = binomial.score((nb - kb)[open_], nb[open_], 1 - y)
        over = z_a > z_b  # the angle is too small
        below[open_] = np.where(over, at, below[open_])
        above[open_] = np.where(over, above[open_], at)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = at + (z_a - z_b) / (d * (slope_a * np.sin(at) + slope_b * np.cos(at)))
        middle = (below[open_] + above[open_]) / 2
        # A step of Newton that has converged may be an end of the bracket.
        inside = (below[open_] <= step) & (step <= above[open_])
        angle[open_] = np.where(inside, step, middle)
        z[open_] = np.minimum(z_a, z_b)
        open_ = open_[np.abs(angle[open_] - at) > _CLOSE]
        if not len(open_):
            break
    return z


def _deviation(k: Floats, n: Floats) -> Floats:
    """Return about the standard error of a share, never 0."""
    share = (k + 1) / (n + 2)
    deviation: Floats = np.sqrt(share * (1 - share) / n)
    return deviation


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
    sums: Floats,
    moments: Floats,
    squares: Floats,
    *,
    above: tuple[str, ...],
    below: tuple[str, ...],
) -> Floats:
    """Return the effective size of the shares ``above / below`` of G groups, ``(G,)``.

    Parameters
    ----------
    sums : ndarray, (G, 4)
        Summed weights of `CELLS`.
    moments : ndarray, (G, 4, 4)
        ``Σ_e c_e c_eᵀ``, where ``c_e`` are the summed weights of the cells within cluster e (within
        a row, if rows are independent).
    squares : ndarray, (G, 4)
        Sums of the squared weights of the rows of each cell.
    above, below : tuple of str
        Cells of the numerator and of the denominator.

    Returns
    -------
    ndarray, (G,)
        0 where nothing is counted, NaN where there is one cluster only.

    Notes
    -----
    Three bounds, each needed for coverage (``benchmarks/COVERAGE.md``):

    - ``p (1 - p) / variance`` of the linearised variance, reduced as Student's t is wider than the
      normal quantile at ``u - 1`` degrees of freedom (Korn and Graubard). ``u = D² / Σ_e d_e²`` is
      Kish's number of clusters of one size that are worth as much as these.
    - At most ``D² / Σ_i w_i²``, what independent rows of these weights are worth: where a few rows
      of small weight succeed, the estimated variance is far too small.
    - Few clusters with the rarer outcome cannot show how their rows correlate. The variance is
      mixed with that of clusters which are all of one outcome, ``u`` rows, in parts ``1 - q`` and
      ``q = 1 / (1 + m²)``; m is u times the share of the rarer outcome.
    """
    from scipy.special import stdtrit

    inside = np.array([cell in above for cell in CELLS])
    counted = np.array([cell in below for cell in CELLS])
    whole = sums @ counted
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (sums @ inside) / whole
        deviation = np.where(inside, 1.0, 0.0)[None] - np.where(counted, share[:, None], 0.0)
        variance = np.einsum("gi,gij,gj->g", deviation, moments, deviation) / whole**2
        clusters = whole**2 / np.einsum("i,gij,j->g", counted, moments, counted)
        rows = whole**2 / (squares @ counted)
        t = stdtrit(np.maximum(clusters - 1, 1), 0.975)
        few = (1 - 1 / clusters) * (proportions.critical_value(0.95) / t) ** 2
        size = few * np.where(variance > 0, share * (1 - share) / variance, clusters)
        size = np.minimum(size, rows)
        mixed = 1 / (1 + (clusters * np.minimum(share, 1 - share)) ** 2)
        size = 1 / ((1 - mixed) / size + mixed / np.minimum(clusters, size))
    return np.where(whole > 0, np.where(clusters > 1 + 1e-9, size, np.nan), 0.0)


def _estimate(
    k: npt.ArrayLike, n: npt.ArrayLike, confidence: float
) -> tuple[Floats, Floats, Floats]:
    return (proportions.proportion(k, n), *share_interval(k, n, confidence=confidence))
