"""Pairs of groups: their gaps, the intervals of these, and the test of each pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.metrics import intervals, shares

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """A metric's values in groups: arrays ``(G,)``; ``n`` is the denominator.

    ``effective`` is what a share's rows are worth, NaN of other values.
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
        value, ends = upper[0] - lower[0], intervals.mover_difference(upper, lower)
    else:
        value = np.divide(lower[0], upper[0], out=np.full(len(small), np.nan), where=upper[0] != 0)
        ends = intervals.mover_ratio(lower, upper)
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
    ) / intervals.critical_value(level)
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


def range_interval(pairs: Pairs, comparison: str) -> tuple[float, float]:
    """Return the interval of the widest gap, from those of all pairs.

    Highest minus lowest value is no less than any pair's difference and no more than the largest:
    where the intervals of all pairs hold together, so does the one from the largest lower end to
    the largest upper end. Of the lowest over the highest it is that of the smallest ends.
    """
    if np.isnan(pairs.low).all():
        return float("nan"), float("nan")
    end = np.nanmax if comparison == "difference" else np.nanmin
    return float(end(pairs.low)), float(end(pairs.high))
