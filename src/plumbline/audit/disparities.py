"""From the values of groups to the gaps between them, with intervals and tests.

For an attribute with G groups that have enough data, all G(G-1)/2 pairs are compared, or the G-1
pairs with a reference group, at the Bonferroni level, so that the intervals of the attribute and
metric are simultaneous (Dunn, JASA 56 (1961) 52-64); `multiplicity` chooses the level so that those
of all attributes and metrics are. Intervals of pairs are MOVER combinations of the groups' own
(`shares.difference_interval`); that of the widest gap follows from them (`pairs.range_interval`)
and excludes equality where that of some pair does. It goes from the largest gap that some pair
shows to the largest that some pair leaves open, in either direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.gaps import Gap, Sides, listed_pairs
from plumbline.audit.options import AuditOptions
from plumbline.audit.pairs import (
    Pairs,
    Rows,
    far_level,
    pair_p,
    pairwise,
    range_interval,
    two_sided_p,
    widest,
)
from plumbline.metrics.intervals import proportions

Floats = npt.NDArray[np.float64]
Estimator = Callable[[float], pd.DataFrame]

# Values that may be negative have no ratio.
SIGNED = frozenset(
    {
        names.MEAN_PREDICTION,
        names.MEAN_RESIDUAL,
        names.REPRESENTATION_GAP,
        names.CALIBRATION_IN_THE_LARGE,
    }
)
# Described by group, not compared between groups: their differences are differences of the data.
DESCRIBED = frozenset(
    {
        names.SHARE,
        names.REFERENCE_SHARE,
        names.ECE,
        names.generative(names.KID),
    }
)


class _Values:
    """A long table that is looked up by attribute, metric and group."""

    def __init__(self, table: pd.DataFrame) -> None:
        keys = zip(table["attribute"], table["metric"], table["group"], strict=True)
        self._place = {key: row for row, key in enumerate(keys)}
        self._columns = [table[c].to_numpy(np.float64) for c in ("value", "low", "high")]
        self._n = table["n"].to_numpy(np.int64)
        self._effective = table["effective"].to_numpy(np.float64)

    def of(
        self, attribute: str, metric: str, groups: Iterable[str], reference: str | None = None
    ) -> Rows:
        labels = np.array(list(groups), dtype=object)
        rows = [self._place[attribute, metric, group] for group in labels]
        value, low, high = (column[rows] for column in self._columns)
        own = None if reference is None else int(np.flatnonzero(labels == reference)[0])
        return Rows(labels, value, low, high, self._n[rows], self._effective[rows], own)


def rates_to_gaps(
    estimate: Estimator, enough: pd.DataFrame, options: AuditOptions, *, each: float
) -> list[Gap]:
    """Return the gaps of every attribute and metric.

    Parameters
    ----------
    estimate : callable
        Gives the long table of groups (`rates.statistics_to_rates`) at a confidence.
    enough : DataFrame
        ``attribute, metric, group`` of the values that have enough data, in the order wanted.
    options : AuditOptions
        The reference groups, and whether pairs are listed.
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
        reference = options.reference_of(attribute)
        if metric != names.REPRESENTATION_GAP and not comparable(chosen, reference):
            continue
        if metric == names.REPRESENTATION_GAP:
            level = proportions.bonferroni(each, len(chosen))
            gaps.append(
                _representation(attribute, values(level).of(attribute, metric, chosen), level)
            )
            continue
        compared = len(chosen) - 1
        if reference is None:
            compared = compared * len(chosen) // 2
        level = proportions.bonferroni(each, compared)
        rows = values(level).of(attribute, metric, chosen, reference)
        alone = values(far_level(each, compared)).of(attribute, metric, chosen, reference)
        p = pair_p(rows, level)
        for comparison in ("difference",) if metric in SIGNED else ("difference", "ratio"):
            gap = _widest(attribute, metric, comparison, (rows, alone), p, level)
            if options.pairs:
                gap = replace(gap, each=tuple(listed_pairs(rows, comparison, p)))
            gaps.append(gap)
    return gaps


def comparable(groups: Iterable[str], reference: str | None) -> bool:
    """Return whether groups with enough data can be compared: two, the reference among them."""
    found = list(groups)
    return len(found) > 1 and (reference is None or reference in found)


def worst(gaps: list[dict[str, object]], kind: str, *, binary: bool) -> dict[str, object] | None:
    """Return the gap a model is summarised by, None if no gap can be estimated.

    The widest difference of the model's `main_metrics` over single attributes; gaps that show a
    difference go before gaps that do not.
    """
    main = main_metrics(kind, binary=binary)
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


def main_metrics(kind: str, *, binary: bool) -> tuple[str, ...]:
    """Return the metrics whose gaps come first, by the kind of predictions."""
    if kind == names.CLASSIFICATION and binary:
        return names.SELECTION_RATE, names.TPR, names.FPR, names.ACCURACY
    return {
        names.CLASSIFICATION: (names.ACCURACY,),
        names.REGRESSION: (names.RMSE,),
        names.LANGUAGE: (names.BITS_PER_CHARACTER,),
        names.GENERATOR: (names.REPRESENTATION_GAP,),
    }[kind]


def _widest(
    attribute: str,
    metric: str,
    comparison: str,
    at_levels: tuple[Rows, Rows],
    p: Floats,
    level: float,
) -> Gap:
    rows, alone = at_levels
    pairs, compared = pairwise(rows, comparison), len(p)
    chosen = widest(pairs, comparison)
    shown = pairwise(rows, "difference").low > 0
    defined = not np.isnan(p).all()
    telling = chosen if shown[chosen] or not defined else int(np.nanargmin(p))
    low, high = range_interval(pairs, pairwise(alone, comparison), comparison)
    lowest, highest = int(pairs.lowest[chosen]), int(pairs.highest[chosen])
    return Gap(
        attribute=attribute,
        metric=metric,
        comparison=comparison,
        value=float(pairs.value[chosen]),
        low=low,
        high=high,
        far=high if comparison == "difference" else low,
        lowest=str(rows.groups[lowest]),
        highest=str(rows.groups[highest]),
        telling=_both(rows, pairs, telling),
        compared=compared,
        p=min(float(np.nanmin(p)) * compared, 1.0) if defined else float("nan"),
        differing=tuple(
            sorted(
                {str(rows.groups[i]) for side in (pairs.lowest, pairs.highest) for i in side[shown]}
            )
        ),
        n=int(rows.n[lowest] + rows.n[highest]),
        sides=_sides(rows, lowest, highest, level),
    )


def _sides(rows: Rows, lowest: int, highest: int, level: float) -> Sides:
    value, effective = rows.value, rows.effective
    return Sides(
        value=(float(value[lowest]), float(value[highest])),
        effective=(float(effective[lowest]), float(effective[highest])),
        toward=(
            float(rows.high[lowest] - value[lowest]),
            float(value[highest] - rows.low[highest]),
        ),
        level=level,
    )


def _both(rows: Rows, pairs: Pairs, pair: int) -> str:
    return f"{rows.groups[pairs.lowest[pair]]} and {rows.groups[pairs.highest[pair]]}"


def _representation(attribute: str, rows: Rows, level: float) -> Gap:
    """Return the gap of the group whose share differs most from its share of the real images."""
    shown = (rows.low > 0) | (rows.high < 0)
    compared = len(rows.groups)
    # Two groups always have equal gaps: the one with the smaller share of generated images.
    size = np.round(np.abs(rows.value), 12) - 1e-12 * (rows.value > 0)
    chosen = int(np.where(shown | ~shown.any(), size, -1.0).argmax())
    toward = np.where(rows.value > 0, rows.value - rows.low, rows.high - rows.value)
    p = two_sided_p(rows.value, toward / proportions.critical_value(level))
    return Gap(
        attribute=attribute,
        metric=names.REPRESENTATION_GAP,
        comparison="difference",
        value=float(rows.value[chosen]),
        low=float(rows.low[chosen]),
        high=float(rows.high[chosen]),
        far=float(np.maximum(rows.high, -rows.low).max()),
        lowest=str(rows.groups[rows.value.argmin()]),
        highest=str(rows.groups[rows.value.argmax()]),
        telling=str(rows.groups[chosen]),
        compared=compared,
        p=min(float(p.min()) * compared, 1.0),
        differing=tuple(str(group) for group in rows.groups[shown]),
        n=int(rows.n[chosen]),
        sides=Sides((0.0, 0.0), (np.nan, np.nan), (0.0, float(toward[chosen])), level),
    )
