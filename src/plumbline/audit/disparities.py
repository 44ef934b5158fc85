"""From the values of groups to the gaps between them, with intervals and tests.

For an attribute with G groups that have enough data, all G(G-1)/2 pairs are compared at the
Bonferroni level, so that the intervals of the attribute and metric are simultaneous (Dunn, JASA 56
(1961) 52-64); `multiplicity` chooses the level so that those of all attributes and metrics are.
Intervals of pairs are MOVER combinations of the groups' own (`shares.difference_interval`); that
of the widest gap follows from them (`pairs.range_interval`) and excludes equality where that of
some pair does; its far end comes from intervals of single pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.pairs import (
    Pairs,
    Rows,
    far_level,
    pair_p,
    pairwise,
    range_interval,
    two_sided_p,
)
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.resampling import Resampling

Floats = npt.NDArray[np.float64]
Estimator = Callable[[float], pd.DataFrame]

# Shares of counted trials, whose largest gap by chance can be drawn.
SHARES = frozenset({*names.GROUP_RATES, names.CLASS_AGREEMENT})
# Values that may be negative have no ratio.
SIGNED = frozenset({names.MEAN_RESIDUAL, names.REPRESENTATION_GAP, names.CALIBRATION_IN_THE_LARGE})
# Described by group, not compared between groups: their differences are differences of the data.
DESCRIBED = frozenset(
    {
        names.SHARE,
        names.REFERENCE_SHARE,
        names.ECE,
        names.generative(names.KID),
    }
)


@dataclass(frozen=True)
class Gap:
    """The widest gap of a metric between the groups of an attribute.

    Attributes
    ----------
    value, low, high : float
        Highest minus lowest, or lowest over highest, with its simultaneous interval; NaN where
        undefined. Of a representation gap: the value of the group where it is largest, among those
        that differ if there are any.
    lowest, highest : str
        The groups that it lies between; empty where there are not two.
    telling : str
        A pair whose interval shows a difference, ``a and b``; empty where none does, and then the
        interval of the gap holds equality.
    compared : int
        Number of simultaneous comparisons.
    p : float
        Of "all groups have one value", Bonferroni's over the pairs.
    differing : tuple of str
        Groups of the pairs that differ.
    n : int
        Rows that both groups are counted from.
    p_adjusted, p_holm : float
        From `multiplicity.adjust`.
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
    p: float
    differing: tuple[str, ...]
    n: int
    p_adjusted: float = float("nan")
    p_holm: float = float("nan")


class _Values:
    """A long table that is looked up by attribute, metric and group."""

    def __init__(self, table: pd.DataFrame) -> None:
        keys = zip(table["attribute"], table["metric"], table["group"], strict=True)
        self._place = {key: row for row, key in enumerate(keys)}
        self._columns = [table[c].to_numpy(np.float64) for c in ("value", "low", "high")]
        self._n = table["n"].to_numpy(np.int64)
        self._effective = table["effective"].to_numpy(np.float64)

    def of(self, attribute: str, metric: str, groups: Iterable[str]) -> Rows:
        labels = np.array(list(groups), dtype=object)
        rows = [self._place[attribute, metric, group] for group in labels]
        value, low, high = (column[rows] for column in self._columns)
        return Rows(labels, value, low, high, self._n[rows], self._effective[rows])


def rates_to_gaps(
    estimate: Estimator, enough: pd.DataFrame, options: Resampling, *, each: float
) -> list[Gap]:
    """Return the gaps of every attribute and metric.

    Parameters
    ----------
    estimate : callable
        Gives the long table of groups (`rates.statistics_to_rates`) at a confidence.
    enough : DataFrame
        ``attribute, metric, group`` of the values that have enough data, in the order wanted.
    options : Resampling
        Of ``by_chance``.
    each : float
        Simultaneous confidence of all pairs of an attribute and metric: the error of the audit is
        divided among its hypotheses.
    """
    at_level: dict[float, _Values] = {}

    def values(level: float) -> _Values:
        if level not in at_level:
            at_level[level] = _Values(estimate(level))
        return at_level[level]

    gaps = []
    for keys, chosen in enough.groupby(["attribute", "metric"], sort=False)["group"]:
        attribute, metric = map(str, keys)
        compared = _family(metric, len(chosen))
        level = proportions.bonferroni(each, compared)
        rows = values(level).of(attribute, metric, chosen)
        if metric == names.REPRESENTATION_GAP:
            gaps.append(_representation(attribute, rows, compared, level))
        elif len(rows.groups) > 1:
            p = pair_p(rows, level)
            alone = values(far_level(each, compared)).of(attribute, metric, chosen)
            chance = _by_chance(metric, rows, options)
            gaps.append(_widest(attribute, metric, "difference", rows, alone, p, chance))
            if metric not in SIGNED:
                gaps.append(_widest(attribute, metric, "ratio", rows, alone, p, np.nan))
    return gaps


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
    """Return the number of simultaneous comparisons: pairs, or groups with real images."""
    return groups if metric == names.REPRESENTATION_GAP else groups * (groups - 1) // 2


def _widest(
    attribute: str,
    metric: str,
    comparison: str,
    rows: Rows,
    alone: Rows,
    p: Floats,
    by_chance: float,
) -> Gap:
    pairs = pairwise(rows, comparison)
    compared, widest = len(p), len(rows.groups) - 2  # the lowest's last partner is the highest
    shown = pairwise(rows, "difference").low > 0
    telling = widest if shown[widest] else int(np.nanargmin(p)) if not np.isnan(p).all() else widest
    low, high = range_interval(pairs, pairwise(alone, comparison), comparison)
    lowest, highest = pairs.lowest[widest], pairs.highest[widest]
    return Gap(
        attribute=attribute,
        metric=metric,
        comparison=comparison,
        value=float(pairs.value[widest]),
        low=low,
        high=high,
        lowest=str(rows.groups[lowest]),
        highest=str(rows.groups[highest]),
        telling=_both(rows, pairs, telling) if shown.any() else "",
        compared=compared,
        by_chance=by_chance,
        p=min(float(np.nanmin(p)) * compared, 1.0) if not np.isnan(p).all() else float("nan"),
        differing=tuple(
            sorted(
                {str(rows.groups[i]) for side in (pairs.lowest, pairs.highest) for i in side[shown]}
            )
        ),
        n=int(rows.n[lowest] + rows.n[highest]),
    )


def _both(rows: Rows, pairs: Pairs, pair: int) -> str:
    return f"{rows.groups[pairs.lowest[pair]]} and {rows.groups[pairs.highest[pair]]}"


def _representation(attribute: str, rows: Rows, compared: int, level: float) -> Gap:
    """Return the gap of the group whose share differs most from its share of the real images."""
    shown = (rows.low > 0) | (rows.high < 0)
    widest = int(np.where(shown | ~shown.any(), np.abs(rows.value), -1.0).argmax())
    toward = np.where(rows.value > 0, rows.value - rows.low, rows.high - rows.value)
    p = two_sided_p(rows.value, toward / proportions.critical_value(level))
    return Gap(
        attribute=attribute,
        metric=names.REPRESENTATION_GAP,
        comparison="difference",
        value=float(rows.value[widest]),
        low=float(rows.low[widest]),
        high=float(rows.high[widest]),
        lowest=str(rows.groups[rows.value.argmin()]),
        highest=str(rows.groups[rows.value.argmax()]),
        telling=str(rows.groups[widest]) if shown.any() else "",
        compared=compared,
        by_chance=float("nan"),
        p=min(float(p.min()) * compared, 1.0),
        differing=tuple(str(group) for group in rows.groups[shown]),
        n=int(rows.n[widest]),
    )


def _by_chance(metric: str, rows: Rows, options: Resampling) -> float:
    if metric not in SHARES:
        return float("nan")
    n = np.maximum(np.round(rows.effective), 1).astype(np.int64)
    pooled = float(np.clip(rows.value @ n / n.sum(), 0, 1))
    rng = np.random.default_rng(options.seed)
    drawn = rng.binomial(n, pooled, size=(options.replicates, len(n))) / n
    return float(np.quantile(drawn.max(axis=1) - drawn.min(axis=1), options.confidence))
