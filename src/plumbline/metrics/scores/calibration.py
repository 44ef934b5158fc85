"""Expected calibration error: how far scores are from observed frequencies, over fifteen bins.

With two classes the score is the probability of the positive class and the frequency the share of
positives; with more classes it is the largest probability and the share of right decisions (Guo et
al., "On calibration of modern neural networks", ICML 2017, equations 2 and 3). Bins have equal
width and are closed below, as the decision "score >= threshold" is. The error is the sum over bins
of the distance between both, weighted by the bins' share of rows.

It is too high by chance: a perfect score has an error above 0 in every sample. The interval is for
the error that infinitely many rows would show in the same bins. ``B`` bins, ``G`` groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError
from plumbline.metrics.intervals import proportions

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BINS = 15
_BISECTIONS = 40


@dataclass(frozen=True)
class BinSums:
    """Sums over the rows of each bin, divided by those of all rows.

    Attributes
    ----------
    excess : ndarray, (B,)
        Of score minus outcome.
    covariance : ndarray, (B, B)
        Of the excess, over independent rows or entities; variances are no smaller than if outcomes
        were drawn by the scores.
    size : float
        Rows; of weighted or clustered rows their effective number, ``(Σ w)² / Σ_e w_e²``.
    """

    excess: Floats
    covariance: Floats
    size: float


def score_bins(scores: npt.ArrayLike) -> Integers:
    """Return the bin of every score, ``(N,)``, in 0…B-1; 1 belongs to the last bin.

    Raises
    ------
    MetricError
        If a score is outside [0, 1].
    """
    values = np.asarray(scores, dtype=np.float64)
    if not ((values >= 0) & (values <= 1 + 1e-6)).all():
        raise MetricError("calibration: scores must be in [0, 1], got values outside of it")
    return np.searchsorted(np.arange(1, BINS) / BINS, values, side="right")


def scored_event(
    y_true: npt.ArrayLike, scores: Floats, *, positive: int | None = None
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the score whose calibration is measured, and whether its event came true, ``(N,)``.

    Parameters
    ----------
    y_true : array_like of int, (N,)
    scores : ndarray, (N, K)
        Class probabilities.
    positive : int, optional
        Code of the positive class of two; by default 1.
    """
    true = np.asarray(y_true)
    if scores.shape[1] == 2:
        chosen = 1 if positive is None else positive
        return scores[:, chosen], true == chosen
    return scores.max(axis=1), true == scores.argmax(axis=1)


def bin_sums(
    place: Integers,
    score: Floats,
    outcome: npt.NDArray[np.bool_],
    *,
    weight: Floats,
    weight2: Floats,
    unit: Integers | None = None,
) -> BinSums:
    """Return the sums of rows, or of cells of rows of one outcome and nearly one score.

    Parameters
    ----------
    place : ndarray of int, (N,)
        From `score_bins`.
    score, outcome : ndarray, (N,)
    weight, weight2 : ndarray, (N,)
        Sums of the weight and of its square.
    unit : ndarray of int, (N,), optional
        Entity of each row.
    """

    def by_bin(values: Floats) -> Floats:
        return np.bincount(place, weights=values, minlength=BINS).astype(np.float64)

    whole, excess = weight.sum(), score - outcome
    predicted = by_bin(weight2 * score * (1 - score))
    covariance, squares = np.diag(by_bin(weight2 * excess**2)), weight2.sum()
    if unit is not None:
        independent = np.trace(covariance)
        _, own = np.unique(unit, return_inverse=True)
        covariance = _between_units(own, place, weight * excess)
        squares = (np.bincount(own, weights=weight) ** 2).sum()
        if independent > 0:  # entities vary more than their rows would by themselves
            predicted *= max(np.trace(covariance) / independent, 1.0)
    np.fill_diagonal(covariance, np.maximum(np.diag(covariance), predicted))
    size = float(whole**2 / squares) if squares > 0 else 0.0
    return BinSums(by_bin(weight * excess) / whole, covariance / whole**2, size)


def calibration_error(sums: BinSums, *, confidence: float) -> tuple[float, float, float]:
    """Return the expected calibration error and its interval.

    The upper end adds to the error what the sum of the bins, each with the sign that it has, may be
    off by: no error is larger whatever the bins' signs are. The lower end is the smallest error,
    with the bins in proportion as found, that gives one as large as the one found in more than half
    of ``1 - confidence`` of samples; the sum of the bins' folded normals is taken as normal. How
    often both hold is in ``benchmarks/COVERAGE.md``.
    """
    value = float(np.abs(sums.excess).sum())
    z = proportions.critical_value(confidence)
    sign = np.where(sums.excess < 0, -1.0, 1.0)
    # Wilson's addition, for outcomes of which there are few.
    variance = float(sign @ sums.covariance @ sign) + z**2 / 2 / sums.size**2
    high = value + z * float(np.sqrt(variance))
    if _distance(sums, value, 0.0) <= z:
        return value, 0.0, high
    below, above = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (below + above) / 2
        rejected = _distance(sums, value, middle) > z
        below, above = (middle, above) if rejected else (below, middle)
    return value, below * value, high


def _distance(sums: BinSums, value: float, part: float) -> float:
    """Return how far the value is from its mean, in standard deviations, if bins are ``part``."""
    from scipy.special import ndtr

    spread = np.sqrt(np.diag(sums.covariance))
    used = spread > 0
    true, sd = np.abs(sums.excess[used]) * part, spread[used]
    if not used.any():
        return float("inf") if value > 0 else 0.0
    ratio = true / sd
    density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    linear, square = sd * (1 - 2 * ndtr(-ratio)), 2 * sd * density
    mean = square + true * (1 - 2 * ndtr(-ratio))
    own = true**2 + sd**2 - mean**2
    # Hermite coefficients of |X| give the covariance of two bins to the second order.
    sign = np.sign(sums.excess[used])
    rho = sums.covariance[np.ix_(used, used)] / np.outer(sd, sd) * np.outer(sign, sign)
    np.fill_diagonal(rho, 0.0)
    shared = linear @ rho @ linear + square @ rho**2 @ square / 2
    # Bins without a spread are what they are found to be.
    fixed = float(np.abs(sums.excess[~used]).sum())
    return float((value - fixed - mean.sum()) / np.sqrt(max(own.sum() + shared, 1e-300)))


def _between_units(own: Integers, place: Integers, values: Floats) -> Floats:
    """Return ``Σ_u s_u s_uᵀ`` with s_u the sums of unit u by bin, ``(B, B)``."""
    from scipy.sparse import csr_array

    sums = csr_array((values, (own, place)), shape=(int(own.max()) + 1, BINS))
    found: Floats = (sums.T @ sums).toarray()
    return found
