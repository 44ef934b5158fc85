"""Options of an audit."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.metrics.intervals.resampling import Resampling


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
    """

    min_group_size: int
    min_group_share: float
    max_order: int = 1
