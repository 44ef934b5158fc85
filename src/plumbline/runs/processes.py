"""Identities of processes and their signs of life, and the ``dvc`` that a stage runs under.

A stage renews ``heartbeat`` in the folder of its run record every ten seconds. Whoever cannot see
its process, because it runs on another host or in another container that shares the folder, takes
it for dead after two minutes without a sign. A sign's age is measured by the clock of the file
system that holds both, not by the clocks of the hosts. A run that was only held up, and goes on
later, is alive again: delivery corrects what it said of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

RUN_DVC = "plumbline.stage.run_dvc"  # as in the command line of DVC
_PROC = Path("/proc")

INTERVAL = 10.0  # seconds between two heartbeats
LEASE = 120.0  # seconds without a sign of life after which a run of another host counts as dead
_FILES = ("heartbeat", "run.json", "metrics.jsonl")

# The latest sign of each run as this process last saw it, and when it saw a later one come.
_seen: dict[Path, tuple[int, float | None]] = {}


def process_started(pid: int) -> float | None:
    """Return the start of a process, by which process ids are unique; None if it has ended.

    On Linux the ticks since boot, which no change of the clock alters; elsewhere the start time.
    """
    if (_PROC / "self/stat").exists():
        try:
            text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
            fields = text.rpartition(")")[2].split()  # the name before it may hold anything
        except OSError:
            return None
        return None if fields[0] in "ZX" else float(fields[19])
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def launched() -> int:
    """Return when this process was started, in milliseconds: before it imported anything."""
    ticks = process_started(os.getpid())
    if hasattr(time, "CLOCK_BOOTTIME") and ticks is not None:  # to ticks; psutil to seconds
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return int((time.time() - age) * 1000)
    import psutil

    return int(psutil.Process().create_time() * 1000)


def is_here(process: Mapping[str, Any]) -> bool:
    """Say whether this process can see the process ``{"host", "space"}`` by its id.

    A process of another host, boot or container cannot be seen: its id means another process here,
    or none. Records of earlier versions hold no ``space``.
    """
    host, here = platform.node(), space()
    return (process.get("host", host), process.get("space", here)) == (host, here)


def is_alive(process: Mapping[str, Any], folders: Iterable[Path] = ()) -> bool:
    """Say whether a process runs.

    Parameters
    ----------
    process : mapping
        ``{"pid", "started", "host", "space"}``, see `pipeline_of`.
    folders : iterable of Path
        Run records that show signs of its life; used if it cannot be seen from here.
    """
    if process["started"] is None:
        return False
    if is_here(process):
        return bool(process_started(process["pid"]) == process["started"])
    fresh = {_is_fresh(folder) for folder in folders}  # all are looked at, and remembered
    return True in fresh


def renew(folder: Path, *, interval: float = INTERVAL) -> Callable[[], None]:
    """Renew the heartbeat of a run from a thread until the function that is returned is called."""
    ended = threading.Event()

    def beat() -> None:
        while True:
            with contextlib.suppress(OSError):  # a full disk, or the record was removed
                (folder / _FILES[0]).touch()
            if ended.wait(interval):
                return

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
    return ended.set


def space() -> str:
    """Return the boot and the process namespace that process ids count in; empty if unknown.

    Two containers may share a host name, and both have a process 1.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def enclosing_pipeline() -> dict[str, Any]:
    """Identify the ``dvc`` process this stage runs under; see `pipeline_of`.

    It is the nearest one: workers of DVC's queue start one ``dvc`` per experiment below a common
    one. A stage run by hand is a pipeline of its own.
    """
    import psutil

    pid = os.getpid()
    for parent in psutil.Process().parents():
        try:
            words = [os.path.basename(word) for word in parent.cmdline()[:4]]
        except psutil.Error:
            continue
        if {"dvc", RUN_DVC} & set(words):
            pid = parent.pid
            break
    return pipeline_of(pid)


def pipeline_of(pid: int) -> dict[str, Any]:
    """Return ``{"key", "pid", "started", "host", "space"}`` of a ``dvc``.

    It is equal for all its stages; see `space`.
    """
    started, host, where = process_started(pid), platform.node(), space()
    key = hashlib.sha256(f"{host}/{where}/{pid}/{started}".encode()).hexdigest()[:16]
    return {"key": key, "pid": pid, "started": started, "host": host, "space": where}


def _is_fresh(folder: Path) -> bool:
    signs = [path.stat().st_mtime_ns for name in _FILES if (path := folder / name).exists()]
    latest = max(signs, default=0)
    before, changed = _seen.get(folder, (latest, None))
    if latest > before:
        changed = time.monotonic()
    _seen[folder] = (latest, changed)
    # Seen to change: alive, even where each host stamps files with a clock of its own.
    if changed is not None and time.monotonic() - changed <= LEASE:
        return True
    # A sign from the future was left before a clock was set back: it says nothing.
    now = _file_system_time(folder)
    return any(abs(now - sign) <= LEASE * 1e9 for sign in signs)


def _file_system_time(folder: Path) -> int:
    """Return the time of the file system in nanoseconds: of a file that is touched now."""
    probe = folder.parent.with_name("now")
    try:
        probe.touch()
        return probe.stat().st_mtime_ns
    except OSError:  # may only be read
        return time.time_ns()
