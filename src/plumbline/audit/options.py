"""Options of an audit, and the margins within which a gap counts as practically none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.intervals.resampling import Resampling

RATIO, GAP = "ratio", "difference"
_SHOWN = 10  # groups in a message


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
# Mean predictions and residuals, and differences of errors of numbers, are in units of the data:
# what is little there only their owner knows.
MARGINS = (
    Margin((*_RATES, names.REPRESENTATION_GAP), GAP, 0.1),
    Margin((names.CALIBRATION_IN_THE_LARGE,), GAP, 0.05),
    Margin((names.BITS_PER_CHARACTER,), GAP, 0.1),
    Margin((*_RATES, names.MAE, names.RMSE), RATIO, 0.8),
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
        A value is insufficient if its group has fewer units, or its denominator fewer cases: a true
        positive rate is counted from positives, AUROC from rows of the rarer label. Of weighted or
        clustered rows the effective size counts.
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
    max_order: int = 1
    margins: tuple[Margin, ...] = MARGINS
    reference: Mapping[str, str] | str | None = None
    pairs: bool = False
    compare_unknown: bool = False

    def reference_of(self, attribute: str) -> str | None:
        """Return the group that the others of an attribute are compared with, None for all pairs.

        One name for every attribute is meant for the attributes that have it: `for_groups`.
        """
        if isinstance(self.reference, str) or self.reference is None:
            return self.reference
        return self.reference.get(attribute)

    def for_groups(self, groups: Mapping[str, Sequence[str]]) -> AuditOptions:
        """Return the options with a reference group for each attribute that has one.

        Parameters
        ----------
        groups : mapping of str to sequence of str
            Groups by attribute, intersections among them.

        Raises
        ------
        MetricError
            If a reference is of no attribute, or no group of it.
        """
        if self.reference is None:
            return self
        if isinstance(self.reference, str):
            wanted = {a: self.reference for a, own in groups.items() if self.reference in own}
            if not wanted:
                raise MetricError(
                    f"audit: reference must be a group of {_listed(groups)}, got "
                    f"{self.reference!r}; {_known(groups)}"
                )
            return replace(self, reference=wanted)
        for attribute, group in self.reference.items():
            if attribute not in groups:
                raise MetricError(
                    f"audit: reference must be of an attribute, {_listed(groups)}, got "
                    f"{attribute!r}"
                )
            if group not in groups[attribute]:
                raise MetricError(
                    f"audit: reference of {attribute!r} must be one of its groups, got {group!r}; "
                    f"{_known({attribute: groups[attribute]})}"
                )
        return self

    def margin(self, metric: str, comparison: str) -> float | None:
        """Return the declared margin of a metric, None where there is none."""
        name = metric.partition("/")[0]
        for one in self.margins:
            if one.comparison == comparison and name in one.metrics:
                return one.margin
        return None


def _listed(groups: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(groups)


def _known(groups: Mapping[str, Sequence[str]]) -> str:
    return "groups are " + "; ".join(
        f"{attribute}: {', '.join(own[:_SHOWN])}{', …' if len(own) > _SHOWN else ''}"
        for attribute, own in groups.items()
    )
