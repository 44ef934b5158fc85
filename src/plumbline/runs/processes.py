"""Identities of processes, and the ``dvc`` process that a stage runs under."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUN_DVC = "plumbline.stage.run_dvc"  # as in the command line of DVC
_PROC = Path("/proc")


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


def is_alive(process: Mapping[str, Any]) -> bool:
    """Say whether the process ``{"pid", "started", "host"}`` runs; on another host it may."""
    if process.get("host", platform.node()) != platform.node():
        return True
    return process["started"] is not None and process_started(process["pid"]) == process["started"]


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
    """Return ``{"key", "pid", "started", "host"}`` of a ``dvc``, equal for all its stages."""
    started, host = process_started(pid), platform.node()
    key = hashlib.sha256(f"{host}/{pid}/{started}".encode()).hexdigest()[:16]
    return {"key": key, "pid": pid, "started": started, "host": host}
