"""Pairs of groups: their gaps, the intervals of these, and the test of each pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions, shares

Floats = npt.NDArray[np.float64]

_LEAST = 1e-6  # of a level: the far end of an interval that may fail half of the time is the value


@dataclass(frozen=True)
class Rows:
    """A metric's values in groups: arrays ``(G,)``; ``n`` is the denominator.

    ``effective`` is the effective size of a share, NaN of other values.
    """

    groups: npt.NDArray[np.object_]
    value: Floats
    low: Floats
    high: Floats
    n: npt.NDArray[np.int64]
    effective: Floats

    @property
    def share(self) -> bool:
        """Are the values shares of counted rows."""
        return not np.isnan(self.effective).any()


@dataclass(frozen=True)
class Pairs:
    """Pairs of groups, ``(G(G-1)/2,)``: places of the lower and the higher one, gap, interval."""

    lowest: npt.NDArray[np.int64]
    highest: npt.NDArray[np.int64]
    value: Floats
    low: Floats
    high: Floats


def pairwise(rows: Rows, comparison: str) -> Pairs:
    """Return every pair of groups, with the intervals that ``rows`` has.

    Parameters
    ----------
    rows : Rows
        In any order.
    comparison : {'difference', 'ratio'}
        Highest minus lowest, or lowest over highest.
    """
    small, large = _places(rows)
    lower = (rows.value[small], rows.low[small], rows.high[small])
    upper = (rows.value[large], rows.low[large], rows.high[large])
    if comparison == "difference":
        value, ends = upper[0] - lower[0], proportions.mover_difference(upper, lower)
    else:
        value = np.divide(lower[0], upper[0], out=np.full(len(small), np.nan), where=upper[0] != 0)
        ends = proportions.mover_ratio(lower, upper)
    return Pairs(small, large, value, *ends)


def pair_p(rows: Rows, level: float) -> Floats:
    """Return p of each pair, in the order of `pairwise`: where the pair's interval touches 0.

    Of values that are no shares the ends are taken to go with the normal quantile, from their place
    at ``level``.
    """
    small, large = _places(rows)
    if rows.share:
        hits = np.where(np.isnan(rows.value), 0.0, rows.value) * rows.effective
        return shares.difference_p(
            (hits[large], rows.effective[large]), (hits[small], rows.effective[small])
        )
    half = np.hypot(
        rows.value[large] - rows.low[large], rows.high[small] - rows.value[small]
    ) / proportions.critical_value(level)
    return two_sided_p(rows.value[large] - rows.value[small], half)


def two_sided_p(difference: Floats, standard_error: Floats) -> Floats:
    """Return the normal p of a difference; 1 where it is 0."""
    from scipy.special import ndtr

    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * ndtr(-np.abs(difference) / standard_error)
    return np.where(difference == 0, 1.0, p)


def _places(rows: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    order = np.argsort(rows.value, kind="stable")
    first, second = np.triu_indices(len(order), k=1)
    return order[first], order[second]


def far_level(confidence: float, compared: int) -> float:
    """Return the confidence of the pairs' intervals from which the far end of a range comes.

    Of the error ``1 - confidence`` the near end spends its part of one pair, half of Bonferroni's;
    the rest is the far end's. With one pair that is ``confidence`` itself.
    """
    return max(1 - (1 - confidence) * (2 - 1 / compared), _LEAST)


def range_interval(simultaneous: Pairs, alone: Pairs, comparison: str) -> tuple[float, float]:
    """Return the interval of the widest gap, from those of all pairs.

    The range, highest minus lowest value, is the largest of the pairs' differences. The largest
    lower end is below it if no pair's lower end is too high: these have to be simultaneous, and
    exclude 0 where some pair differs. The largest upper end is above it if that of the widest pair
    is, whichever this is: it covers as often as a single one (a union of hypotheses; R. L.
    Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982)
    295-300). Of the lowest over the highest value the ends change their parts.

    Parameters
    ----------
    simultaneous, alone : Pairs
        With simultaneous intervals, and with those of `far_level`.
    comparison : {'difference', 'ratio'}
    """
    if np.isnan(simultaneous.low).all():
        return float("nan"), float("nan")
    if comparison == "difference":
        return float(np.nanmax(simultaneous.low)), float(np.nanmax(alone.high))
    return float(np.nanmin(alone.low)), float(np.nanmin(simultaneous.high))
