"""Pairs of groups: their gaps, the intervals of these, and the test of each pair.

Nothing here depends on the order in which groups come: of groups with one value the one with fewer
cases stands first, and groups that are alike in all numbers can be exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions, shares

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_LEAST = 1e-6  # of a level: the far end of an interval that may fail half of the time is the value
_BLOCK = 2**18  # pairs at a time
_DIGITS = 10  # values that agree in so many digits are tied


@dataclass(frozen=True)
class Rows:
    """A metric's values in groups: arrays ``(G,)``; ``n`` is the denominator.

    ``effective`` is the effective size of a share, NaN of other values. ``reference`` is the place
    of the group that the others are compared with; None compares all pairs.
    """

    groups: npt.NDArray[np.object_]
    value: Floats
    low: Floats
    high: Floats
    n: npt.NDArray[np.int64]
    effective: Floats
    reference: int | None = None

    @property
    def share(self) -> bool:
        """Are the values shares of counted rows."""
        return not np.isnan(self.effective).any()


@dataclass(frozen=True)
class Pairs:
    """Pairs of groups, ``(P,)``: places of the lower and the higher one, gap, interval.

    The interval is that of the gap of these two groups, whichever of them is the higher one in
    truth: of a difference it may go below 0, of a ratio above 1.
    """

    lowest: Places
    highest: Places
    value: Floats
    low: Floats
    high: Floats


def pairwise(rows: Rows, comparison: str) -> Pairs:
    """Return every pair of groups that is compared, with the intervals that ``rows`` has.

    Parameters
    ----------
    rows : Rows
        In any order.
    comparison : {'difference', 'ratio'}
        Highest minus lowest, or lowest over highest.
    """
    small, large = places(rows)
    lower = (rows.value[small], rows.low[small], rows.high[small])
    upper = (rows.value[large], rows.low[large], rows.high[large])
    if comparison == "difference":
        value, ends = upper[0] - lower[0], proportions.mover_difference(upper, lower)
    else:
        value = np.divide(lower[0], upper[0], out=np.full(len(small), np.nan), where=upper[0] != 0)
        ends = proportions.mover_ratio(lower, upper)
    return Pairs(small, large, value, *ends)


def widest(pairs: Pairs, comparison: str) -> int:
    """Return the place of the widest gap; the first where none is defined."""
    if np.isnan(pairs.value).all():
        return 0
    value = np.round(pairs.value, _DIGITS)
    return int(np.nanargmax(value) if comparison == "difference" else np.nanargmin(value))


def pair_p(rows: Rows, level: float) -> Floats:
    """Return p of each pair, in the order of `pairwise`: where the pair's interval touches 0.

    Of values that are no shares the ends are taken to go with the normal quantile, from their place
    at ``level``.
    """
    small, large = places(rows)
    if rows.share:
        hits = np.where(np.isnan(rows.value), 0.0, rows.value) * rows.effective
        return _share_p(hits, rows.effective, small, large)
    half = np.hypot(
        rows.value[large] - rows.low[large], rows.high[small] - rows.value[small]
    ) / proportions.critical_value(level)
    return two_sided_p(rows.value[large] - rows.value[small], half)


def _share_p(hits: Floats, size: Floats, small: Places, large: Places) -> Floats:
    """Return p of each pair of shares; of equal pairs once, where groups have few different counts.

    In blocks: thousands of groups have millions of pairs.
    """
    alike, place = np.unique(np.stack([hits, size]), axis=1, return_inverse=True)
    k, n = alike
    if len(k) ** 2 <= len(small):
        table = shares.difference_p((k[:, None], n[:, None]), (k, n))
        return table[place[large], place[small]]
    parts = range(0, len(small), _BLOCK)
    blocks = [(small[i : i + _BLOCK], large[i : i + _BLOCK]) for i in parts]
    found = [
        shares.difference_p((hits[above], size[above]), (hits[below], size[below]))
        for below, above in blocks
    ]
    return np.concatenate(found) if found else np.empty(0)


def two_sided_p(difference: Floats, standard_error: Floats) -> Floats:
    """Return the normal p of a difference; 1 where it is 0."""
    from scipy.special import ndtr

    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * ndtr(-np.abs(difference) / standard_error)
    return np.where(difference == 0, 1.0, p)


def places(rows: Rows) -> tuple[Places, Places]:
    """Return the places of the lower and of the higher group of every pair.

    Pairs stand in the order of their groups by value: the lowest's last partner is the highest.
    """
    high, low, size, value = (
        np.round(part, _DIGITS) for part in (rows.high, rows.low, rows.effective, rows.value)
    )
    order = np.lexsort((high, low, size, rows.n, value))
    if rows.reference is None:
        first, second = np.triu_indices(len(order), k=1)
        return order[first], order[second]
    own = int(np.flatnonzero(order == rows.reference)[0])
    one = np.full(len(order) - 1, rows.reference)
    below, above = order[:own], order[own + 1 :]
    return np.concatenate([below, one[own:]]), np.concatenate([one[:own], above])


def far_level(confidence: float, compared: int) -> float:
    """Return the confidence of the pairs' intervals from which the far end of a range comes.

    Of the error ``1 - confidence`` the near end spends its part of one pair, half of Bonferroni's;
    the rest is the far end's. With one pair that is ``confidence`` itself.
    """
    return max(1 - (1 - confidence) * (2 - 1 / compared), _LEAST)


def range_interval(simultaneous: Pairs, alone: Pairs, comparison: str) -> tuple[float, float]:
    """Return the interval of the widest gap, from those of all pairs.

    The widest gap in truth is the largest of the pairs' differences, each taken without its sign:
    which of two groups is the higher one is not known. The largest lower end is below it if no
    pair's lower end is too high: these have to be simultaneous. They exclude 0 where some pair
    differs; where none does, 0 is the near end. The largest of all ends in size is above it if that
    of the widest pair in truth is, whichever pair that is: it covers as often as a single end (a
    union of hypotheses; R. L. Berger, "Multiparameter hypothesis testing and acceptance sampling",
    Technometrics 24 (1982) 295-300). Of a ratio the smaller over the larger value is between 0
    and 1, and the ends change their parts.

    Parameters
    ----------
    simultaneous, alone : Pairs
        With simultaneous intervals, and with those of `far_level`.
    comparison : {'difference', 'ratio'}
    """
    if np.isnan(simultaneous.low).all():
        return float("nan"), float("nan")
    if comparison == "difference":
        far = np.fmax(alone.high, -alone.low)
        return max(float(np.nanmax(simultaneous.low)), 0.0), float(np.nanmax(far))
    with np.errstate(divide="ignore"):
        far = np.fmin(alone.low, 1 / alone.high)
    return float(np.nanmin(far)), min(float(np.nanmin(simultaneous.high)), 1.0)
