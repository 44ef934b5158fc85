"""From the values of groups to the gaps between them, with intervals that hold together.

For an attribute with G groups that have enough data, all G(G-1)/2 pairs are compared. Each pair's
interval is made at the Bonferroni level, so that all pairs of the attribute and metric hold
together with the stated confidence (Dunn, JASA 56 (1961) 52-64): a maximum over groups is biased,
its pairs are not. Intervals are MOVER combinations of the groups' own, which for shares is
Newcombe's. The family is one attribute and one metric; metrics and attributes are not corrected for
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.metrics import intervals

Floats = npt.NDArray[np.float64]
Estimator = Callable[[float], pd.DataFrame]

COMPARISONS = ("difference", "ratio")

# Shares of counted trials, whose largest gap by chance can be drawn.
SHARES = frozenset({*names.GROUP_RATES, names.CLASS_AGREEMENT})
# Values that may be negative have no ratio.
SIGNED = frozenset({names.MEAN_RESIDUAL, names.REPRESENTATION_GAP})
# Described by group, not compared between groups: their differences are differences of the data.
DESCRIBED = frozenset(
    {
        names.SHARE,
        names.REFERENCE_SHARE,
        names.generative(names.FID),
        names.generative(names.FID_FLOOR),
    }
)


@dataclass(frozen=True)
class Gap:
    """The widest gap of a metric between the groups of an attribute.

    Attributes
    ----------
    value, low, high : float
        Highest minus lowest, or lowest over highest, with its simultaneous interval; NaN where
        undefined. Of a representation gap: the value of the group where it is largest.
    lowest, highest : str
        The groups that it lies between; empty where there are not two.
    telling : str
        A pair whose interval shows a difference, ``a and b``; empty where none does.
    compared : int
        Number of intervals that hold together.
    by_chance : float
        Upper quantile, at the stated confidence, of the difference that groups of these sizes would
        show if all had one rate; NaN where it is not drawn.
    """

    attribute: str
    metric: str
    comparison: str
    value: float
    low: float
    high: float
    lowest: str
    highest: str
    telling: str
    compared: int
    by_chance: float


@dataclass(frozen=True)
class Rows:
    """A metric's values in groups: arrays ``(G,)``; ``n`` is the denominator."""

    groups: npt.NDArray[np.object_]
    value: Floats
    low: Floats
    high: Floats
    n: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Pairs of groups, arrays ``(G(G-1)/2,)``: the lower and the higher group, gap and interval."""

    lowest: npt.NDArray[np.object_]
    highest: npt.NDArray[np.object_]
    value: Floats
    low: Floats
    high: Floats

    def shown(self, comparison: str) -> npt.NDArray[np.bool_]:
        """Return which pairs' intervals exclude equality."""
        return self.low > 0 if comparison == "difference" else self.high < 1


class _Values:
    """A long table that is looked up by attribute, metric and group."""

    def __init__(self, table: pd.DataFrame) -> None:
        keys = zip(table["attribute"], table["metric"], table["group"], strict=True)
        self._place = {key: row for row, key in enumerate(keys)}
        self._columns = [table[c].to_numpy(np.float64) for c in ("value", "low", "high")]
        self._n = table["n"].to_numpy(np.int64)

    def of(self, attribute: str, metric: str, groups: Iterable[str]) -> Rows:
        labels = np.array(list(groups), dtype=object)
        rows = [self._place[attribute, metric, group] for group in labels]
        value, low, high = (column[rows] for column in self._columns)
        return Rows(labels, value, low, high, self._n[rows])


def rates_to_gaps(
    estimate: Estimator,
    enough: pd.DataFrame,
    *,
    confidence: float,
    replicates: int,
    seed: int,
) -> list[Gap]:
    """Return the gaps of every attribute and metric.

    Parameters
    ----------
    estimate : callable
        Gives the long table of groups (`rates.statistics_to_rates`) at a confidence.
    enough : DataFrame
        ``attribute, metric, group`` of the values that have enough data, in the order wanted.
    confidence : float
        Of all pairs of an attribute and metric together.
    replicates, seed : int
        Of the draws for ``by_chance``.
    """
    at_level: dict[float, _Values] = {}
    gaps = []
    for keys, chosen in enough.groupby(["attribute", "metric"], sort=False)["group"]:
        attribute, metric = map(str, keys)
        compared = _family(metric, len(chosen))
        level = intervals.bonferroni(confidence, compared)
        if level not in at_level:
            at_level[level] = _Values(estimate(level))
        rows = at_level[level].of(attribute, metric, chosen)
        if metric == names.REPRESENTATION_GAP:
            gaps.append(_representation(attribute, rows, compared))
        elif len(rows.groups) > 1:
            chance = _by_chance(metric, rows, confidence, replicates, seed)
            gaps.append(_widest(attribute, metric, "difference", rows, compared, chance))
            if metric not in SIGNED:
                gaps.append(_widest(attribute, metric, "ratio", rows, compared, np.nan))
    return gaps


def pairwise(rows: Rows, comparison: str) -> Pairs:
    """Return every pair of groups.

    Parameters
    ----------
    rows : Rows
        In any order.
    comparison : {'difference', 'ratio'}
        Highest minus lowest, or lowest over highest.
    """
    order = np.argsort(rows.value, kind="stable")
    first, second = np.triu_indices(len(order), k=1)
    small, large = order[first], order[second]
    lower = (rows.value[small], rows.low[small], rows.high[small])
    upper = (rows.value[large], rows.low[large], rows.high[large])
    if comparison == "difference":
        value, ends = upper[0] - lower[0], intervals.mover_difference(upper, lower)
    else:
        value = np.divide(lower[0], upper[0], out=np.full(len(small), np.nan), where=upper[0] != 0)
        ends = intervals.mover_ratio(lower, upper)
    return Pairs(rows.groups[small], rows.groups[large], value, *ends)


def worst(gaps: list[dict[str, object]], kind: str, *, binary: bool) -> dict[str, object] | None:
    """Return the gap a model is summarised by, None if no gap can be estimated.

    The widest difference of the model's main metrics over single attributes; gaps that show a
    difference go before gaps that do not. Main are: selection rate, true and false positive rate
    and accuracy (binary), accuracy (more classes), root mean squared error, bits per character,
    representation gap.
    """
    main = {
        names.CLASSIFICATION: (names.SELECTION_RATE, names.TPR, names.FPR, names.ACCURACY)
        if binary
        else (names.ACCURACY,),
        names.REGRESSION: (names.RMSE,),
        names.LANGUAGE: (names.BITS_PER_CHARACTER,),
        names.GENERATOR: (names.REPRESENTATION_GAP,),
    }[kind]
    candidates = [
        gap
        for gap in gaps
        if gap["metric"] in main
        and gap["comparison"] == "difference"
        and gap["verdict"] != names.INSUFFICIENT
        and names.INTERSECTION not in str(gap["attribute"])
    ]

    def weight(gap: dict[str, object]) -> tuple[bool, float]:
        return gap["verdict"] == names.DIFFERENCE, abs(float(str(gap["value"])))

    return max(candidates, key=weight, default=None)


def _family(metric: str, groups: int) -> int:
    """Return how many intervals must hold together: pairs, or groups held against real images."""
    return groups if metric == names.REPRESENTATION_GAP else groups * (groups - 1) // 2


def _widest(
    attribute: str, metric: str, comparison: str, rows: Rows, compared: int, by_chance: float
) -> Gap:
    pairs = pairwise(rows, comparison)
    shown = pairs.shown(comparison)
    widest = len(rows.groups) - 2  # the lowest group is first, the highest its last partner
    telling = widest if shown[widest] else int(shown.argmax())
    return Gap(
        attribute=attribute,
        metric=metric,
        comparison=comparison,
        value=float(pairs.value[widest]),
        low=float(pairs.low[widest]),
        high=float(pairs.high[widest]),
        lowest=str(pairs.lowest[widest]),
        highest=str(pairs.highest[widest]),
        telling=f"{pairs.lowest[telling]} and {pairs.highest[telling]}" if shown.any() else "",
        compared=compared,
        by_chance=by_chance,
    )


def _representation(attribute: str, rows: Rows, compared: int) -> Gap:
    """Return the gap of the group whose share differs most from its share of the real images."""
    widest = int(np.abs(rows.value).argmax())
    shown = (rows.low > 0) | (rows.high < 0)
    telling = widest if shown[widest] else int(shown.argmax())
    return Gap(
        attribute=attribute,
        metric=names.REPRESENTATION_GAP,
        comparison="difference",
        value=float(rows.value[widest]),
        low=float(rows.low[widest]),
        high=float(rows.high[widest]),
        lowest=str(rows.groups[rows.value.argmin()]),
        highest=str(rows.groups[rows.value.argmax()]),
        telling=str(rows.groups[telling]) if shown.any() else "",
        compared=compared,
        by_chance=float("nan"),
    )


def _by_chance(metric: str, rows: Rows, confidence: float, replicates: int, seed: int) -> float:
    if metric not in SHARES:
        return float("nan")
    pooled = float(np.clip(rows.value @ rows.n / rows.n.sum(), 0, 1))
    rng = np.random.default_rng(seed)
    drawn = rng.binomial(rows.n, pooled, size=(replicates, len(rows.n))) / rows.n
    return float(np.quantile(drawn.max(axis=1) - drawn.min(axis=1), confidence))
