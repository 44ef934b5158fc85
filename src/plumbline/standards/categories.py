"""The categories of an attribute: who was counted, who was selected, who is unknown.

Laws speak of persons, so rows are counted, each once, whatever their weights. Where rows belong to
entities, how much they tell of a rate is the effective size of
`plumbline.metrics.intervals.shares`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline import names
from plumbline.metrics.groups.confusions import DESIGN_COLUMNS, design_to_share
from plumbline.metrics.groups.grouping import label_values
from plumbline.metrics.intervals import proportions, shares

Count = Mapping[str, Any]


@dataclass(frozen=True)
class Category:
    """One category: ``n`` people or rows, ``selected`` of them selected; ``share`` of all known.

    ``effective``: effective size of the rate; None where rows are independent.
    """

    group: str
    n: int
    selected: int
    share: float
    effective: float | None = None

    @property
    def rate(self) -> float | None:
        """Return selected / n; None without rows."""
        return self.selected / self.n if self.n else None


def attribute_categories(
    counts: Iterable[Count], attribute: str, *, unknown: Collection[str]
) -> tuple[list[Category], int]:
    """Return the known categories of an attribute, and how many rows have an unknown value.

    Parameters
    ----------
    counts : iterable of mapping
        ``attribute, group, n, tp, fp`` per group, as the audit's ``counts`` hold them where one
        class is the selection.
    attribute : str
        An attribute or an intersection, ``sex×race``.
    unknown : collection of str
        Values that say that the value is not known; in an intersection either part counts.
    """
    known, left_out = [], 0
    for row in counts:
        if row["attribute"] != attribute or not row["n"]:
            continue
        if set(label_values(attribute, str(row["group"]))) & set(unknown):
            left_out += int(row["n"])
        else:
            known.append(row)
    total = sum(int(row["n"]) for row in known)
    return [
        Category(
            str(row["group"]),
            int(row["n"]),
            int(row["tp"]) + int(row["fp"]),
            row["n"] / total,
            _effective(row),
        )
        for row in known
    ], left_out


def _effective(row: Count) -> float | None:
    if DESIGN_COLUMNS[-1] not in row:
        return None
    design = np.array([[row[name] for name in DESIGN_COLUMNS]], dtype=np.float64)
    return float(design_to_share(design, ("tp", "fp"), shares.CELLS)[1][0])


def ratio_interval(
    one: Category, other: Category, *, confidence: float
) -> tuple[float | None, float | None]:
    """Return the interval of the ratio of two rates, None for an end without a bound.

    From the intervals of the two rates (`shares.share_interval`, MOVER), of effective sizes where
    rows belong to entities. It stands for this pair alone: that ``other`` has the highest rate in
    these rows is not allowed for.
    """
    if not one.n or not other.selected:
        return None, None
    low, high = proportions.mover_ratio(_rate(one, confidence), _rate(other, confidence))
    return tuple(float(end) if np.isfinite(end) else None for end in (low, high))  # type: ignore[return-value]


def _rate(category: Category, confidence: float) -> tuple[float, float, float]:
    rate = category.selected / category.n
    size = category.n if category.effective is None else category.effective
    low, high = shares.share_interval(min(rate * size, size), size, confidence=confidence)
    return rate, float(low), float(high)


def intersection(counts: Sequence[Count], *parts: str) -> str | None:
    """Return the name that the counts have for an intersection of attributes, in any order."""
    for row in counts:
        if sorted(str(row["attribute"]).split(names.INTERSECTION)) == sorted(parts):
            return str(row["attribute"])
    return None


def attributes(counts: Iterable[Count]) -> list[str]:
    """Return attributes and intersections in the order of the counts, without those of all rows."""
    found = dict.fromkeys(str(row["attribute"]) for row in counts)
    return [name for name in found if name != names.OVERALL]


def highest(categories: Iterable[Category], *, min_share: float) -> Category | None:
    """Return the category with the highest rate among those that are not under ``min_share``."""
    candidates = [category for category in categories if category.share >= min_share]
    return max(candidates, key=lambda category: category.rate or 0.0, default=None)
