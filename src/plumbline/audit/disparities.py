"""From the values of groups to the gaps between them, with intervals that hold together.

For an attribute with G groups that have enough data, all G(G-1)/2 pairs are compared. Each pair's
interval is made at the Bonferroni level, so that all pairs of the attribute and metric hold
together with the stated confidence (Dunn, JASA 56 (1961) 52-64): a maximum over groups is biased,
its pairs are not. Intervals are MOVER combinations of the groups' own, which for shares is
Newcombe's. The family is one attribute and one metric; metrics and attributes are not corrected for
each other.
"""

from __future__ import annotations

from collections.abc import Callable
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
    at_level: dict[float, pd.DataFrame] = {}
    gaps = []
    for (attribute, metric), chosen in enough.groupby(["attribute", "metric"], sort=False):
        compared = _family(str(metric), len(chosen))
        level = intervals.bonferroni(confidence, compared)
        if level not in at_level:
            at_level[level] = estimate(level).set_index(["attribute", "metric", "group"])
        own = pd.DataFrame(at_level[level].xs((attribute, metric), level=("attribute", "metric")))
        rows = own.loc[list(chosen["group"])]
        if metric == names.REPRESENTATION_GAP:
            gaps.append(_representation(str(attribute), rows, compared))
            continue
        if len(rows) < 2:
            continue
        chance = _by_chance(str(metric), rows, confidence, replicates, seed)
        gaps.append(_widest(str(attribute), str(metric), "difference", rows, compared, chance))
        if metric not in SIGNED:
            gaps.append(_widest(str(attribute), str(metric), "ratio", rows, compared, np.nan))
    return gaps


def pairwise(rows: pd.DataFrame, comparison: str) -> pd.DataFrame:
    """Return every pair of groups: ``lowest, highest, value, low, high``, lowest by value.

    Parameters
    ----------
    rows : DataFrame
        Indexed by group, with ``value, low, high``; in any order.
    comparison : {'difference', 'ratio'}
        Highest minus lowest, or lowest over highest.
    """
    ordered = rows.sort_values("value", kind="stable")
    value, low, high = (ordered[c].to_numpy(np.float64) for c in ("value", "low", "high"))
    small, large = np.triu_indices(len(ordered), k=1)
    lower = (value[small], low[small], high[small])
    upper = (value[large], low[large], high[large])
    if comparison == "difference":
        point, ends = upper[0] - lower[0], intervals.mover_difference(upper, lower)
    else:
        point = np.divide(lower[0], upper[0], out=np.full(len(small), np.nan), where=upper[0] != 0)
        ends = intervals.mover_ratio(lower, upper)
    group = ordered.index.to_numpy()
    return pd.DataFrame(
        {
            "lowest": group[small],
            "highest": group[large],
            "value": point,
            "low": ends[0],
            "high": ends[1],
        }
    )


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
    attribute: str,
    metric: str,
    comparison: str,
    rows: pd.DataFrame,
    compared: int,
    by_chance: float,
) -> Gap:
    pairs = pairwise(rows, comparison)
    shown = pairs["low"] > 0 if comparison == "difference" else pairs["high"] < 1
    ordered = rows.sort_values("value", kind="stable").index
    ends = (pairs["lowest"] == ordered[0]) & (pairs["highest"] == ordered[-1])
    widest = pairs[ends].iloc[0]
    telling = widest if shown[widest.name] else pairs[shown].iloc[0] if shown.any() else None
    return Gap(
        attribute=attribute,
        metric=metric,
        comparison=comparison,
        value=float(widest["value"]),
        low=float(widest["low"]),
        high=float(widest["high"]),
        lowest=str(widest["lowest"]),
        highest=str(widest["highest"]),
        telling="" if telling is None else f"{telling['lowest']} and {telling['highest']}",
        compared=compared,
        by_chance=by_chance,
    )


def _representation(attribute: str, rows: pd.DataFrame, compared: int) -> Gap:
    """Return the gap of the group whose share differs most from its share of the real images."""
    value, low, high = (rows[c].to_numpy(np.float64) for c in ("value", "low", "high"))
    groups = [str(group) for group in rows.index]
    widest, shown = int(np.abs(value).argmax()), (low > 0) | (high < 0)
    telling = widest if shown[widest] else int(shown.argmax())
    return Gap(
        attribute=attribute,
        metric=names.REPRESENTATION_GAP,
        comparison="difference",
        value=float(value[widest]),
        low=float(low[widest]),
        high=float(high[widest]),
        lowest=groups[int(value.argmin())],
        highest=groups[int(value.argmax())],
        telling=groups[telling] if shown.any() else "",
        compared=compared,
        by_chance=float("nan"),
    )


def _by_chance(
    metric: str, rows: pd.DataFrame, confidence: float, replicates: int, seed: int
) -> float:
    if metric not in SHARES:
        return float("nan")
    n = rows["n"].to_numpy(np.int64)
    pooled = float(np.clip((rows["value"] * n).sum() / n.sum(), 0, 1))
    drawn = np.random.default_rng(seed).binomial(n, pooled, size=(replicates, len(n))) / n
    return float(np.quantile(np.ptp(drawn, axis=1), confidence))
