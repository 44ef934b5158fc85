"""Shares by group, their intervals, and the widest gap between two groups."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.shares import difference_interval, share_interval
from plumbline.metrics.intervals.survey_design import Counted

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shares:
    """The share of each group, or of the rows in it for which an indicator is true.

    Attributes
    ----------
    attribute, metric : str
    groups : sequence of str
    counted : Counted
        Shares with their effective counts.
    n : int array (G,)
        Rows of each group.
    enough : bool array (G,)
        Groups large enough to be compared.
    """

    attribute: str
    metric: str
    groups: Sequence[str]
    counted: Counted
    n: Counts
    enough: npt.NDArray[np.bool_]

    def rows(self, confidence: float) -> list[dict[str, Any]]:
        """Return a row per group: ``attribute, group, metric, value, low, high, n, verdict``."""
        value, successes, trials = vars(self.counted).values()
        low, high = share_interval(successes, trials, confidence=confidence)
        return [
            {
                "attribute": self.attribute,
                "group": group,
                "metric": self.metric,
                "value": float(value[i]),
                "low": float(low[i]),
                "high": float(high[i]),
                "n": int(self.n[i]),
                "verdict": None if self.enough[i] else names.INSUFFICIENT,
            }
            for i, group in enumerate(self.groups)
        ]


def widest_gap(shares: Shares, *, confidence: float, family: int = 1) -> dict[str, Any]:
    """Return the widest gap between two groups, tested over all pairs.

    Its interval goes from the largest gap that some pair shows, 0 if none does, to the largest that
    some pair leaves open in either direction.

    Parameters
    ----------
    shares : Shares
    confidence : float
        Of the simultaneous intervals of all pairs and ``family`` metrics (Bonferroni over
        the intervals of `shares.difference_interval`).
    family : int
        Number of metrics tested together, e.g. one per class.
    """
    values, successes, trials = vars(shares.counted).values()
    kept = np.flatnonzero(shares.enough & (trials > 0))
    excluded = len(shares.groups) - len(kept)
    if len(kept) < 2:
        return _gap(shares, None, names.INSUFFICIENT, "fewer than two groups have enough rows")
    pairs = list(itertools.combinations(kept, 2))
    level = proportions.bonferroni(confidence, len(pairs) * family)
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    low, high = difference_interval(
        (successes[first], trials[first]), (successes[second], trials[second]), confidence=level
    )
    differences = values[first] - values[second]
    widest = int(np.argmax(np.abs(differences)))
    a, b = int(first[widest]), int(second[widest])
    if differences[widest] < 0:
        a, b = b, a
    # The widest gap in truth may be that of another pair, or of this one the other way round.
    ends = (
        max(float(np.maximum(low, -high).max()), 0.0),
        float(np.maximum(high, -low).max()),
    )
    significant = np.flatnonzero((low > 0) | (high < 0))
    tests = _intervals(len(pairs) * family)
    rest = f"; {excluded} groups excluded: too few rows" if excluded else ""
    if len(significant):
        pair = significant[np.argmax(np.abs(differences[significant]))]
        one, other = shares.groups[int(first[pair])], shares.groups[int(second[pair])]
        reason = f"{one} and {other} differ ({tests}){rest}"
        verdict = names.DIFFERENCE
    else:
        reason, verdict = f"every interval contains 0 ({tests}){rest}", names.INCONCLUSIVE
    found = (float(abs(differences[widest])), *ends, shares.groups[b], shares.groups[a])
    return _gap(shares, found, verdict, reason)


def against_reference(
    shares: Shares, reference: Mapping[str, float], *, confidence: float
) -> list[dict[str, Any]]:
    """Return each group's share minus its share of a declared population.

    The groups' intervals are simultaneous (Bonferroni). A group that is missing from the data has
    a share of 0; one that is missing from the population is left out.
    """
    value_of, successes_of, trials_of = vars(shares.counted).values()
    place = {group: i for i, group in enumerate(shares.groups)}
    least = float(trials_of.min(initial=np.inf)) if len(trials_of) else 0.0
    level = proportions.bonferroni(confidence, len(reference))
    found = []
    for group, expected in reference.items():
        i = place.get(group)
        value, successes, total, n = (
            (0.0 if least else np.nan, 0.0, least, 0)
            if i is None
            else (float(value_of[i]), successes_of[i], trials_of[i], int(shares.n[i]))
        )
        low, high = (float(end) for end in share_interval(successes, total, confidence=level))
        differs = total > 0 and not low <= expected <= high
        verdict = names.DIFFERENCE if differs else names.INCONCLUSIVE
        found.append(
            {
                "attribute": shares.attribute,
                "group": group,
                "metric": names.REPRESENTATION_GAP,
                "value": value - expected,
                "low": low - expected,
                "high": high - expected,
                "n": n,
                "reference": expected,
                "verdict": verdict if total else names.INSUFFICIENT,
            }
        )
    return found


def _gap(
    shares: Shares,
    found: tuple[float, float, float, str, str] | None,
    verdict: str,
    reason: str,
) -> dict[str, Any]:
    value, low, high, lowest, highest = found or (None, None, None, None, None)
    return {
        "attribute": shares.attribute,
        "metric": shares.metric,
        "comparison": "difference",
        "value": value,
        "low": low,
        "high": high,
        "lowest": lowest,
        "highest": highest,
        "verdict": verdict,
        "reason": reason,
    }


def split_drift(
    attribute: str,
    groups: Sequence[str],
    *,
    train: Counted,
    held_out: Counted,
    confidence: float,
) -> dict[str, Any]:
    """Return the group whose share differs most between the training and the held-out rows.

    Parameters
    ----------
    attribute : str
    groups : sequence of str
    train, held_out : Counted
        Share of each group among the rows of either side.
    confidence : float
        Of the simultaneous intervals of all groups (Bonferroni).
    """
    none = np.zeros(len(groups), dtype=np.int64)
    shares = Shares(attribute, names.SHARE_DRIFT, groups, train, none, train.trials > 0)
    if not (train.trials > 0).all() or not (held_out.trials > 0).all():
        return _gap(shares, None, names.INSUFFICIENT, "a side of the split has no rows")
    level = proportions.bonferroni(confidence, len(groups))
    low, high = difference_interval(
        (train.successes, train.trials), (held_out.successes, held_out.trials), confidence=level
    )
    difference = train.value - held_out.value
    significant = np.flatnonzero((low > 0) | (high < 0))
    pool = significant if len(significant) else np.arange(len(groups))
    # Two groups always have equal gaps: name the one that is rarer in training.
    size = np.abs(difference[pool]) - 1e-12 * (difference[pool] > 0)
    widest = int(pool[np.argmax(size)])
    found = (
        float(difference[widest]), float(low[widest]), float(high[widest]),
        "" if difference[widest] > 0 else groups[widest],
        groups[widest] if difference[widest] > 0 else "",
    )  # fmt: skip
    if len(significant):
        reason = (
            f"the share of {groups[widest]} differs between training and held-out rows "
            f"({_intervals(len(groups))})"
        )
        return _gap(shares, found, names.DIFFERENCE, reason)
    reason = f"every interval contains 0 ({_intervals(len(groups))})"
    return _gap(shares, found, names.INCONCLUSIVE, reason)


def _intervals(comparisons: int) -> str:
    number = "1 comparison" if comparisons == 1 else f"{comparisons} comparisons"
    return f"simultaneous intervals of {number}"
