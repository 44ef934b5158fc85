"""Waiting for the locks that other DVC processes hold, where DVC would give up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Say = Callable[[str], None]


def for_repository(repo: Any, say: Say, is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Take the lock of a repository, however long another process holds it.

    DVC gives up after three seconds, also where the command of a stage has just ended well: the
    stage would have no entry in ``dvc.lock`` then, and run again.

    Raises
    ------
    dvc.lock.LockError
        If it is not free when ``is_stopped`` says that the pipeline ends.
    """
    from dvc.lock import LockError

    said = False
    while True:
        try:
            repo.lock.lock()
            return
        except LockError:
            if is_stopped():
                raise
        if not said:
            holder = _holder(Path(repo.lock.lockfile))
            say(f"repro: waits for the lock of the repository, which {holder} holds")
            said = True


def for_paths(error: Exception, say: Say, said: set[str]) -> None:
    """Wait a moment for the paths that another process uses, which ``error`` names, and say so."""
    paths = " ".join(str(error).split("\n\n")[0].split())
    if paths not in said:
        say(f"repro: waits: {paths}; if that process does something else, remove .dvc/tmp/rwlock")
        said.add(paths)
    time.sleep(0.5)


def _holder(file: Path) -> str:
    try:
        number = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return "another process"
    return f"process {number}" if number.isdigit() else "another process"
