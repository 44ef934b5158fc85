"""Number of stages that a machine can run at once."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def default(threads: int, *, cgroup: Path = _CGROUP) -> int:
    """Return how many stages of ``threads`` threads the available processors hold, at least 1."""
    return max(1, processors(cgroup) // threads)


def processors(cgroup: Path = _CGROUP) -> int:
    """Return the number of processors that this process may use, at least 1.

    Counted are those of its affinity mask (``taskset``, batch systems), but not more than the
    whole processors of its control group's quota (containers).
    """
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return max(1, min(available, int(_quota(cgroup) or available)))


def _quota(cgroup: Path) -> float | None:
    """Return the processors of a control group's quota, version 2 or 1; None without one."""
    try:
        if (unified := cgroup / "cpu.max").exists():
            quota, period = unified.read_text(encoding="ascii").split()
        else:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        return float(quota) / float(period) if quota not in ("max", "-1") else None
    except (OSError, ValueError):
        return None
