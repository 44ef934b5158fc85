"""The widest gap of a metric between the groups of an attribute, and the list of its pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumbline.audit.pairs import Floats, Rows, pairwise


@dataclass(frozen=True)
class Sides:
    """The two groups of a gap: what its power is found from.

    Attributes
    ----------
    value, effective : tuple of float
        Of the lower and of the higher group; effective sizes are NaN of values that are no shares.
    toward : tuple of float
        Distances of the lower value's upper end and of the higher value's lower end, at ``level``.
    level : float
        Simultaneous confidence of the pair.
    """

    value: tuple[float, float]
    effective: tuple[float, float]
    toward: tuple[float, float]
    level: float


@dataclass(frozen=True)
class Gap:
    """The widest gap of a metric between the groups of an attribute.

    Attributes
    ----------
    value, low, high : float
        Highest minus lowest, or lowest over highest, with its simultaneous interval; NaN where
        undefined. Of a representation gap: the value of the group where it is largest, among those
        that differ if there are any.
    far : float
        End of the interval that is farther from equality; of a representation gap the largest one
        of all groups, without its sign.
    lowest, highest : str
        The groups that it lies between; empty where there are not two.
    telling : str
        The pair that speaks most for a difference, ``a and b``: the one that the gap lies between
        if it differs, else the one of smallest p. Of a representation gap the one group.
    compared : int
        Number of simultaneous comparisons.
    p : float
        Of "all groups have one value", Bonferroni's over the pairs.
    differing : tuple of str
        Groups of the pairs that differ; empty where none does, and then the interval of the gap
        holds equality.
    n : int
        Rows that both groups are counted from.
    p_adjusted, p_holm : float
        From `multiplicity.adjust`.
    sides : Sides
    each : tuple of dict
        Every pair that was compared, where they are asked for; see `listed_pairs`.
    """

    attribute: str
    metric: str
    comparison: str
    value: float
    low: float
    high: float
    far: float
    lowest: str
    highest: str
    telling: str
    compared: int
    p: float
    differing: tuple[str, ...]
    n: int
    sides: Sides
    each: tuple[dict[str, Any], ...] = ()
    p_adjusted: float = float("nan")
    p_holm: float = float("nan")


def listed_pairs(rows: Rows, comparison: str, p: Floats) -> list[dict[str, Any]]:
    """Return every pair: ``group, other, value, low, high, p``, at the pairs' simultaneous level.

    A difference is ``group`` minus ``other``, a ratio ``group`` over ``other``. With a reference
    group that is the other one; without, differences are highest minus lowest, ratios lowest over
    highest.
    """
    pairs = pairwise(rows, comparison)
    found = []
    for i in range(len(p)):
        low, high = int(pairs.lowest[i]), int(pairs.highest[i])
        ends = (float(pairs.value[i]), float(pairs.low[i]), float(pairs.high[i]))
        group, other = (high, low) if comparison == "difference" else (low, high)
        if group == rows.reference:
            group, other = other, group
            ends = _turned(ends, comparison)
        named = {"group": str(rows.groups[group]), "other": str(rows.groups[other])}
        found.append({**named, **dict(zip(("value", "low", "high"), ends, strict=True))})
        found[-1]["p"] = float(p[i])
    return found


def _turned(ends: tuple[float, float, float], comparison: str) -> tuple[float, float, float]:
    """Return value and interval of a pair whose groups are exchanged."""
    value, low, high = ends
    if comparison == "difference":
        return -value, -high, -low
    value, low, high = (1 / end if end else float("inf") for end in (value, high, low))
    return value, low, high
