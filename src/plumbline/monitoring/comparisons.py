"""Comparisons of new rows with a reference, their simultaneous intervals, and verdicts.

``drifted``: the interval lies beyond the smallest relevant change, on one side. ``too few rows``:
it does not, and is so wide that even a large change need not have shown. ``within noise``: neither.
Therefore many rows do not make a small change a drift, and few rows do not hide that they are few.

The intervals of all comparisons of a report hold at once (Bonferroni): with no change beyond the
smallest relevant one, some line says ``drifted`` with a probability of at most 1 - confidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plumbline.metrics.intervals import proportions, shares
from plumbline.monitoring.distances import Distance

DRIFTED, WITHIN, TOO_FEW = "drifted", "within noise", "too few rows"
LARGE = 0.5  # change of a share, or distance, that a comparison must be able to show

# Parts of a report.
FEATURE, MISSING, UNSEEN, RANGE = "distribution", "missing", "unseen category", "out of range"
GROUP, LABEL, DECISION, METRIC = "group", "label", "decision", "metric"


@dataclass(frozen=True)
class Smallest:
    """The smallest relevant changes.

    Attributes
    ----------
    distance : float
        Of a distribution: see `distances`. In (0, 0.5).
    share : float
        Of a share, and of a metric between 0 and 1. In (0, 0.5).
    relative : float
        Of another metric, in parts of its reference. In (0, 0.5).
    """

    distance: float
    share: float
    relative: float


@dataclass(frozen=True)
class Comparison:
    """One quantity of new rows and of the reference.

    Attributes
    ----------
    part : str
        `FEATURE`, `MISSING` and so on.
    name : str
        Column, group, class or metric.
    reference, new : float or None
        Its value in both; of a distribution the median, None for categories.
    rows : tuple of int
        Rows of the reference, and new ones, that are counted.
    smallest, large : float
        The smallest relevant change, and one that must be able to show.
    estimate : callable
        From a confidence to the change and its interval.
    """

    part: str
    name: str
    reference: float | None
    new: float | None
    rows: tuple[int, int]
    smallest: float
    large: float
    estimate: Callable[[float], Distance]


@dataclass(frozen=True)
class Line:
    """A comparison with its verdict.

    Attributes
    ----------
    part, name, reference, new
        See `Comparison`.
    reference_rows, new_rows : int
    change, low, high : float or None
        Signed for shares and metrics: new minus reference. None where it is undefined.
    smallest : float
        The smallest relevant change.
    detectable : float or None
        An observed change from which on the verdict would be `DRIFTED`.
    verdict : str
    """

    part: str
    name: str
    reference: float | None
    new: float | None
    reference_rows: int
    new_rows: int
    change: float | None
    low: float | None
    high: float | None
    smallest: float
    detectable: float | None
    verdict: str

    @property
    def size(self) -> float:
        """The change in units of the smallest relevant one; 0 where it is undefined."""
        return abs(self.change) / self.smallest if self.change is not None else 0.0


def share_comparison(
    part: str, name: str, reference: tuple[int, int], new: tuple[int, int], *, smallest: float
) -> Comparison:
    """Return the comparison of two shares, each ``(rows, of rows)``."""

    def estimate(confidence: float) -> Distance:
        low, high = shares.difference_interval(new, reference, confidence=confidence)
        return Distance(_ratio(new) - _ratio(reference), float(low), float(high))

    return Comparison(
        part, name, _or_none(_ratio(reference)), _or_none(_ratio(new)), (reference[1], new[1]),
        smallest, LARGE, estimate,
    )  # fmt: skip


def to_lines(comparisons: Sequence[Comparison], *, confidence: float) -> list[Line]:
    """Return a line for each comparison, the largest change first.

    Parameters
    ----------
    comparisons : sequence of Comparison
    confidence : float
        Of all intervals at once, in (0, 1).
    """
    each = proportions.bonferroni(confidence, len(comparisons))
    found = [_line(one, one.estimate(each)) for one in comparisons]
    return sorted(found, key=lambda line: (-line.size, line.part, line.name))


def verdict(change: Distance, *, smallest: float, large: float) -> str:
    """Return `DRIFTED`, `WITHIN` or `TOO_FEW`; the last for what is undefined."""
    if any(math.isnan(part) for part in change):
        return TOO_FEW
    if change.low > smallest or change.high < -smallest:
        return DRIFTED
    return TOO_FEW if smallest + _half(change) > large else WITHIN


def _line(one: Comparison, change: Distance) -> Line:
    defined = not any(math.isnan(part) for part in change)
    least, most = (0.0, 1.0) if one.part == FEATURE else (-math.inf, math.inf)
    low, high = max(change.low, least), min(change.high, most)
    return Line(
        part=one.part,
        name=one.name,
        reference=one.reference,
        new=one.new,
        reference_rows=one.rows[0],
        new_rows=one.rows[1],
        change=_or_none(change.value),
        low=_or_none(low),
        high=_or_none(high),
        smallest=one.smallest,
        detectable=one.smallest + _half(change) if defined else None,
        verdict=verdict(change, smallest=one.smallest, large=one.large),
    )


def to_record(line: Line) -> dict[str, Any]:
    """Return a line as JSON holds it."""
    return asdict(line)


def _half(change: Distance) -> float:
    return max(change.value - change.low, change.high - change.value)


def _ratio(share: tuple[int, int]) -> float:
    return share[0] / share[1] if share[1] else math.nan


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
