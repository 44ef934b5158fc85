"""Shares by group, their intervals, and the widest gap between two groups."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.metrics import intervals

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """When groups are compared, and how sure an interval is."""

    confidence: float
    min_group_size: int
    min_group_share: float

    def enough(self, sizes: Counts, total: int) -> npt.NDArray[np.bool_]:
        """Return which groups are large enough to be compared, ``(G,)``."""
        return (sizes >= self.min_group_size) & (sizes >= self.min_group_share * total)


@dataclass(frozen=True)
class Shares:
    """How often something holds in each group.

    Attributes
    ----------
    attribute, metric : str
    groups : sequence of str
    successes, trials : int arrays (G,)
    enough : bool array (G,)
        Which groups can be compared.
    """

    attribute: str
    metric: str
    groups: Sequence[str]
    successes: Counts
    trials: Counts
    enough: npt.NDArray[np.bool_]

    def rows(self, confidence: float) -> list[dict[str, Any]]:
        """Return a row per group: ``attribute, group, metric, value, low, high, n, verdict``."""
        value = intervals.proportion(self.successes, self.trials)
        low, high = intervals.wilson(self.successes, self.trials, confidence=confidence)
        return [
            {
                "attribute": self.attribute,
                "group": group,
                "metric": self.metric,
                "value": float(value[i]),
                "low": float(low[i]),
                "high": float(high[i]),
                "n": int(self.trials[i]),
                "verdict": None if self.enough[i] else names.INSUFFICIENT,
            }
            for i, group in enumerate(self.groups)
        ]


def widest_gap(shares: Shares, *, confidence: float, family: int = 1) -> dict[str, Any]:
    """Return the widest gap between two groups, judged by all pairs together.

    Parameters
    ----------
    shares : Shares
    confidence : float
        Of all pairs of the attribute and ``family`` metrics together (Bonferroni); each pair's
        interval is Newcombe's.
    family : int
        How many metrics of the attribute are looked at together, e.g. one per class.
    """
    kept = np.flatnonzero(shares.enough & (shares.trials > 0))
    left_out = len(shares.groups) - len(kept)
    if len(kept) < 2:
        return _gap(shares, None, names.INSUFFICIENT, "fewer than two groups have enough rows")
    pairs = list(itertools.combinations(kept, 2))
    level = intervals.bonferroni(confidence, len(pairs) * family)
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    low, high = intervals.newcombe_difference(
        (shares.successes[first], shares.trials[first]),
        (shares.successes[second], shares.trials[second]),
        confidence=level,
    )
    values = intervals.proportion(shares.successes, shares.trials)
    differences = values[first] - values[second]
    widest = int(np.argmax(np.abs(differences)))
    a, b = int(first[widest]), int(second[widest])
    ends = float(low[widest]), float(high[widest])
    if differences[widest] < 0:
        a, b, ends = b, a, (-ends[1], -ends[0])
    telling = np.flatnonzero((low > 0) | (high < 0))
    together = f"{len(pairs) * family} comparisons together"
    rest = f"; {left_out} groups have too few rows" if left_out else ""
    if len(telling):
        pair = telling[np.argmax(np.abs(differences[telling]))]
        one, other = shares.groups[int(first[pair])], shares.groups[int(second[pair])]
        reason = f"{one} and {other} differ, {together}{rest}"
        verdict = names.DIFFERENCE
    else:
        reason, verdict = f"every interval holds 0, {together}{rest}", names.NO_DIFFERENCE
    found = (float(abs(differences[widest])), *ends, shares.groups[b], shares.groups[a])
    return _gap(shares, found, verdict, reason)


def against_reference(
    shares: Shares, reference: Mapping[str, float], *, confidence: float
) -> list[dict[str, Any]]:
    """Return each group's share minus its share of a declared population.

    The groups' intervals hold together (Bonferroni). A group that the population has and the data
    have not is a row of share 0; one that the population does not name is left out.
    """
    known = dict(zip(shares.groups, shares.successes, strict=True))
    total = int(shares.trials[0]) if len(shares.trials) else 0
    level = intervals.bonferroni(confidence, len(reference))
    found = []
    for group, expected in reference.items():
        successes = int(known.get(group, 0))
        low, high = (float(end) for end in intervals.wilson(successes, total, confidence=level))
        value = float(intervals.proportion(successes, total))
        differs = total > 0 and not low <= expected <= high
        verdict = names.DIFFERENCE if differs else names.NO_DIFFERENCE
        found.append(
            {
                "attribute": shares.attribute,
                "group": group,
                "metric": names.REPRESENTATION_GAP,
                "value": value - expected,
                "low": low - expected,
                "high": high - expected,
                "n": successes,
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
    train: Counts,
    held_out: Counts,
    confidence: float,
) -> dict[str, Any]:
    """Return the group whose share differs most between the training and the held-out rows.

    Parameters
    ----------
    attribute : str
    groups : sequence of str
    train, held_out : int arrays (G,)
        Rows of each group.
    confidence : float
        Of all groups together (Bonferroni).
    """
    totals = np.full(len(groups), train.sum()), np.full(len(groups), held_out.sum())
    shares = Shares(attribute, names.SHARE_DRIFT, groups, train, totals[0], totals[0] > 0)
    if not train.sum() or not held_out.sum():
        return _gap(shares, None, names.INSUFFICIENT, "a side of the split has no rows")
    level = intervals.bonferroni(confidence, len(groups))
    low, high = intervals.newcombe_difference(
        (train, totals[0]), (held_out, totals[1]), confidence=level
    )
    difference = intervals.proportion(train, totals[0]) - intervals.proportion(held_out, totals[1])
    telling = np.flatnonzero((low > 0) | (high < 0))
    pool = telling if len(telling) else np.arange(len(groups))
    # Of two equal gaps, as two groups always have, the group that training lacks is named.
    size = np.abs(difference[pool]) - 1e-12 * (difference[pool] > 0)
    widest = int(pool[np.argmax(size)])
    found = (
        float(difference[widest]), float(low[widest]), float(high[widest]),
        "" if difference[widest] > 0 else groups[widest],
        groups[widest] if difference[widest] > 0 else "",
    )  # fmt: skip
    if len(telling):
        reason = (
            f"the share of {groups[widest]} in training differs from that in the held-out rows, "
            f"{len(groups)} comparisons together"
        )
        return _gap(shares, found, names.DIFFERENCE, reason)
    reason = f"every interval holds 0, {len(groups)} comparisons together"
    return _gap(shares, found, names.NO_DIFFERENCE, reason)
