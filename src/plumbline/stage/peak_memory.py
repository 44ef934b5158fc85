"""The peak memory of a stage with its child processes: ranks of a training, workers of loaders."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

INTERVAL = 1.0  # seconds between two samples
_STATUS = Path("/proc/self/status")


def watch(*, interval: float = INTERVAL) -> Callable[[], int]:
    """Sample the memory of this process and its children until the returned function is called.

    Returns
    -------
    callable
        It ends the sampling and returns the peak in bytes: the largest sum seen over the processes
        at one time, and at least the exact peak of this process alone. A child that lived between
        two samples is not seen.
    """
    ended = threading.Event()
    peak = 0

    def sample() -> None:
        nonlocal peak
        while not ended.wait(interval):
            peak = max(peak, resident())

    threading.Thread(target=sample, name="memory", daemon=True).start()

    def end() -> int:
        ended.set()
        return max(peak, resident(), own_peak())

    return end


def resident() -> int:
    """Return the bytes of physical memory that this process and its children hold now.

    Pages that a forked child shares with its parent count once, where the system says how many
    they are. A child in a session of its own outlives the stage, such as the process that fills
    MLflow: it does not count.
    """
    import psutil

    own = psutil.Process()
    here = _session(own.pid)
    children = [child for child in own.children(recursive=True) if _session(child.pid) == here]
    if not children:
        return int(own.memory_info().rss)
    total = 0
    for process in (own, *children):
        with contextlib.suppress(psutil.Error):  # it has ended, or is another user's
            found = process.memory_full_info()
            total += int(getattr(found, "pss", found.rss))
    return total


def own_peak() -> int:
    """Return the largest resident set that this process has had, in bytes.

    Linux hands ``ru_maxrss`` down from the process that started this one; ``VmHWM`` is its own.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # no POSIX system
        return 0
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (AttributeError, OSError):  # no POSIX system; the process has ended
        return None
