"""Differences whose variance follows from the influence of each row or document.

The interval is that of means in reports and audits (`plumbline.metrics.intervals.means`): it takes
skewness and documents of unequal length into account, which resampling does less well. Differences
of ratios and of roots are linearised (Cochran, "Sampling Techniques", 3rd ed. 1977, section 6.3).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.metrics.comparison.estimates import Floats, Paired
from plumbline.metrics.intervals import means
from plumbline.metrics.scores.classification import row_losses

METHOD = "Student and Hall, linearised"

_BISECTIONS = 50
_LEAST_P = 1e-12


def linearised_difference(
    value: float,
    influence: Floats,
    *,
    unit: npt.NDArray[np.int64],
    weight: Floats,
    confidence: float,
) -> Paired:
    """Return a difference with the interval of a sum of independent influences.

    Undefined where the value is, where no unit tells the models apart, or there is only one.

    Parameters
    ----------
    value : float
    influence : ndarray, (N,)
        Of each row or document on the difference; they sum to 0.
    unit : ndarray of int, (N,)
        Independent unit that each of them belongs to, 0…U-1.
    weight : ndarray, (N,)
        Weight of each row, length of each document.
    confidence : float
    """
    u, worth = np.bincount(unit, weights=influence), np.bincount(unit, weights=weight)
    squares = float(u @ u)
    if math.isnan(value) or len(u) < 2 or not squares > 0:
        return Paired(value, math.nan, math.nan, math.nan, METHOD)
    parts = (value, squares, float(u**2 @ u), worth.sum() ** 2 / (worth @ worth), float(len(u)))
    centre, second, third, size, units = (np.array([part]) for part in parts)
    mean = means.influences_to_mean(centre, (second, third), size, units)
    low, high = (float(end[0]) for end in means.mean_interval(mean, confidence=confidence))
    return Paired(value, low, high, _p(mean), METHOD)


def text_influences(first: Floats, second: Floats, characters: Floats) -> dict[str, Floats]:
    """Return the influence of each document on the differences of a text's metrics, ``(D,)`` each.

    Parameters
    ----------
    first, second : ndarray, (D,)
        Summed negative log-likelihood of each document under both models in nats.
    characters : ndarray, (D,)
    """
    total = characters.sum()
    one, other = first.sum() / total, second.sum() / total
    of_one, of_other = ((first - one * characters) / total, (second - other * characters) / total)
    return {
        names.BITS_PER_CHARACTER: (of_one - of_other) / math.log(2),
        names.PERPLEXITY: math.exp(one) * of_one - math.exp(other) * of_other,
    }


def regression_influences(
    y_true: Floats, first: Floats, second: Floats, weight: Floats
) -> dict[str, Floats]:
    """Return the influence of each row on the differences of errors and R², ``(N,)`` each.

    Parameters
    ----------
    y_true, first, second : ndarray, (N,)
        Truth, and the predictions of both models.
    weight : ndarray, (N,)
    """
    share = weight / weight.sum()
    centred = (y_true - share @ y_true) ** 2
    one, other = first - y_true, second - y_true
    absolute, squares = np.abs(one) - np.abs(other), other**2 - one**2
    total = share @ centred
    r2 = (
        (squares - centred * (share @ squares) / total) / total if total > 0 else squares * math.nan
    )
    return {
        names.RMSE: share * (_root(one, share) - _root(other, share)),
        names.MAE: share * (absolute - share @ absolute),
        names.R2: share * r2,
    }


def loss_influences(
    y_true: npt.NDArray[np.int64], first: Floats, second: Floats, weight: Floats
) -> dict[str, Floats]:
    """Return the influence of each row on the differences of losses, ``(N,)`` each.

    Parameters
    ----------
    y_true : ndarray of int, (N,)
    first, second : ndarray, (N, K)
        Class probabilities of both models.
    weight : ndarray, (N,)
    """
    share = weight / weight.sum()
    squares, logarithms = (
        one - other
        for one, other in zip(row_losses(y_true, first), row_losses(y_true, second), strict=True)
    )
    return {
        names.BRIER: share * (squares - share @ squares),
        names.LOG_LOSS: share * (logarithms - share @ logarithms),
    }


def _root(error: Floats, share: Floats) -> Floats:
    square = float(share @ error**2)
    root: Floats = (error**2 - square) / (2 * math.sqrt(square)) if square > 0 else np.zeros(1)
    return root


def _p(mean: means.Mean) -> float:
    """Return the level at which the interval touches 0, by bisection of its logarithm."""
    if not mean.value[0]:
        return 1.0
    low, high = math.log(_LEAST_P), 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        ends = means.mean_interval(mean, confidence=1 - math.exp(middle))
        excludes = ends[0][0] > 0 or ends[1][0] < 0
        low, high = (low, middle) if excludes else (middle, high)
    return math.exp(high)
