"""Choose the number of threads of a process that predicts, before a numerical library is imported.

A thread that waits for the others of its pool spins by default, as if it were alone on its
processor. Where other processes, or the other requests of a server, want the processors too, every
one of thousands of small operations then waits until the scheduler lets the last thread run. So
there are no more threads than this process has processors, and those that wait sleep.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from plumbline.errors import ParamsError

VARIABLE = "PLUMBLINE_THREADS"
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_CGROUP = Path("/sys/fs/cgroup")


def choose() -> None:
    """Set the number of threads of numerical libraries, and let threads that wait sleep.

    It is ``$PLUMBLINE_THREADS``. Where that is not set, what ``$OMP_NUM_THREADS`` or an import of
    torch has decided stays, and else it is `processors`.

    Raises
    ------
    ParamsError
        If ``$PLUMBLINE_THREADS`` is no whole number above 0.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    wanted = _wanted()
    if wanted is None and ("OMP_NUM_THREADS" in os.environ or "torch" in sys.modules):
        return
    number = wanted or processors()
    os.environ.update(dict.fromkeys(POOLS, str(number)))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(number)


def _wanted() -> int | None:
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ParamsError(
            f"{VARIABLE}: number of threads must be a whole number >= 1, got {text!r}; correct or "
            "unset it"
        )
    return int(text)


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
