"""The one background process of a repository that copies run records into MLflow.

It is a process of its own so that no stage waits for MLflow's import or for a server.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock

from plumbline import artifacts
from plumbline.runs import record_files, records

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0  # seconds for MLflow to take the runs of a pipeline that has ended


def start(root: Path) -> subprocess.Popen[bytes] | None:
    """Start the process, unless it runs or is switched off."""
    if os.environ.get("PLUMBLINE_TRACKING", "on") == "off":
        return None
    home = records.main_tree(root)
    if not request(home):
        return None
    words = ["-m", "plumbline.cli", "sync", "--follow", "--root", str(home)]
    target = home / record_files.WORK / "sync.log"
    with open(target, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as sink:
        target.chmod(0o600)  # an address of a store may hold a password
        return subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=home,
            start_new_session=True,
        )


def wait(root: Path, *, seconds: float = LONGEST_WAIT) -> bool:
    """Wait until every pipeline that has ended is delivered; say whether it came within the time.

    A process that goes on only because another pipeline still runs is not waited for.
    """
    home = records.main_tree(root)
    if not (home / record_files.WORK / "sync.lock").exists() or request(home):
        return True
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # A request of somebody else that took the place of this one came later.
        if _is_free(home) or served(home).get("request") == requested(home):
            return True
        time.sleep(0.1)
    log.warning("MLflow is still being filled; see %s", record_files.WORK / "sync.log")
    return False


def request(home: Path) -> bool:
    """Say whether a process must be started; a running one is told to look once more at its end.

    The request is written before the lock is tried and the process reads it after giving the lock
    back (`tracking.sync.follow`): either it sees the request or this process gets the lock.
    """
    lock(home)  # makes the folder
    artifacts.write_text(_request_file(home), f"{os.getpid()}-{time.monotonic_ns()}\n")
    return _is_free(home)


def requested(home: Path) -> str:
    """Return the latest request; empty if there is none."""
    path = _request_file(home)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def serve(home: Path, request: str, outcome: Mapping[str, Any]) -> None:
    """Note that everything that had ended at a request is delivered, or cannot be now."""
    artifacts.write_json(_served_file(home), {**outcome, "request": request})


def served(home: Path) -> dict[str, Any]:
    """Return the latest note of `serve`; empty if there is none."""
    try:
        note = json.loads(_served_file(home).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def lock(home: Path) -> filelock.BaseFileLock:
    """Return the lock that the process holds."""
    folder = home / record_files.WORK
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / "sync.lock")


def _request_file(home: Path) -> Path:
    return home / record_files.WORK / "sync.request"


def _served_file(home: Path) -> Path:
    return home / record_files.WORK / "sync.served"


def _is_free(home: Path) -> bool:
    free = lock(home)
    try:
        free.acquire(blocking=False)
    except filelock.Timeout:
        return False
    free.release()
    return True
