"""Options of an audit, and the margins within which a gap counts as practically none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.intervals.resampling import Resampling

RATIO, GAP = "ratio", "difference"


@dataclass(frozen=True)
class Margin:
    """The largest gap of some metrics that counts as practically none.

    Attributes
    ----------
    metrics : tuple of str
        Without a class behind the slash: a margin of ``true_positive_rate`` is that of
        ``true_positive_rate/high``, too.
    comparison : {'difference', 'ratio'}
    margin : float
        Of a difference, in units of the metric, above 0: gaps of at most so much. Of a ratio, in
        (0, 1): ratios from ``margin`` to ``1 / margin``.
    source, rationale : str
        Where the margin comes from, and why it is this one.

    Raises
    ------
    MetricError
        If the comparison is another, or the margin is out of its range.
    """

    metrics: tuple[str, ...]
    comparison: str
    margin: float
    source: str = field(default="default", compare=False)
    rationale: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.comparison not in (GAP, RATIO):
            raise MetricError(
                f"audit: comparison of a margin must be {GAP!r} or {RATIO!r}, "
                f"got {self.comparison!r}"
            )
        if not self.margin > 0 or (self.comparison == RATIO and self.margin >= 1):
            within = "in (0, 1)" if self.comparison == RATIO else "above 0"
            raise MetricError(
                f"audit: margin of a {self.comparison} must be {within}, got {self.margin!r}"
            )


_RATES = (*names.GROUP_RATES, names.AUROC, names.CLASS_AGREEMENT)
# Mean residuals, and differences of root mean squared errors, are in units of the data: what is
# little there only their owner knows.
MARGINS = (
    Margin((*_RATES, names.REPRESENTATION_GAP), GAP, 0.1),
    Margin((names.CALIBRATION_IN_THE_LARGE,), GAP, 0.05),
    Margin((names.BITS_PER_CHARACTER,), GAP, 0.1),
    Margin((*_RATES, names.RMSE), RATIO, 0.8),
    Margin((names.BITS_PER_CHARACTER,), RATIO, 0.9),
)


def declared_margins(entries: Iterable[Any]) -> tuple[Margin, ...]:
    """Return the margins of a policy, `plumbline.params.policy.GapMargin`."""
    return tuple(
        Margin(one.metrics, one.comparison, one.margin, one.source, one.rationale)
        for one in entries
    )


@dataclass(frozen=True)
class AuditOptions(Resampling):
    """How groups are compared; see ``audit`` in ``params.yaml``.

    ``confidence`` is that of each group's interval, and the simultaneous one of all gaps.

    Attributes
    ----------
    min_group_size : int
        Groups with fewer units are insufficient.
    min_group_share : float
        So are groups with a smaller share of all units, in [0, 1].
    max_order : int
        1: groups of single attributes; 2: also intersections of two attributes; and so on.
    margins : tuple of Margin
        Of a metric and comparison the first that names it; without one, no gap is equivalent.
    reference : mapping of str to str, or str, optional
        Group that the others of an attribute are compared with, by attribute, or one for every
        attribute that has it; all pairs are compared without.
    pairs : bool
        Whether the audit lists every pair, too.
    compare_unknown : bool
        Whether rows without a value of an attribute are compared as a group.
    """

    min_group_size: int
    min_group_share: float
    max_order: int = 1
    margins: tuple[Margin, ...] = MARGINS
    reference: Mapping[str, str] | str | None = None
    pairs: bool = False
    compare_unknown: bool = False

    def margin(self, metric: str, comparison: str) -> float | None:
        """Return the declared margin of a metric, None where there is none."""
        name = metric.partition("/")[0]
        for one in self.margins:
            if one.comparison == comparison and name in one.metrics:
                return one.margin
        return None
