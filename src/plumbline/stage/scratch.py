"""The folder from which a stage resumes after it was stopped.

``.plumbline/work/<stage>/<key>/``: the key is a digest of everything that decides the result, so
that no checkpoint is ever used for another one. It holds a folder of `checkpoints` for each fit;
its file ``record`` holds the key of the run record. A stage that succeeds removes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import filelock

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.runs import checkpoints

KEPT = 3  # of different keys: a parameter may be set back
_PATIENCE = 60.0  # seconds; a stage whose dvc was killed needs a moment to end


def key(deps: Mapping[str, str], params: Mapping[str, str], environment: str) -> str:
    """Return the key of a work folder: a digest of everything that decides the result."""
    parts = [dict(deps), dict(params), environment]
    return hashlib.sha256(artifacts.dump_json(parts).encode()).hexdigest()[:16]


def claim(folder: Path, key: str, *, patience: float = _PATIENCE) -> filelock.BaseFileLock:
    """Lock ``<folder>/<key>`` for this process, and remove remains of older runs beside it.

    Returns
    -------
    BaseFileLock
        Locked until it is released or the process ends, however it ends.

    Raises
    ------
    ArtifactError
        If another process runs the same stage and does not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=patience)
    except filelock.Timeout:
        raise ArtifactError(
            f"{folder.name}: stage must run once at a time, got another process that runs it; "
            "wait for it or end it"
        ) from None
    (folder / key).mkdir(exist_ok=True)
    os.utime(folder / key)
    for staged in folder.glob("outs-*"):  # of a process that was killed
        shutil.rmtree(staged, ignore_errors=True)
    # Not among the others: a clock that was set back makes the folder in use the oldest.
    others = (path for path in folder.iterdir() if path.name != key)
    newest_first = sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    return lock


def note_record(work: Path, key: str) -> None:
    """Note which run record the checkpoints of a work folder belong to."""
    artifacts.write_text(work / "record", f"{key}\n")


def record_to_reopen(work: Path, runs: Path) -> Path | None:
    """Return the record that a stage with checkpoints must go on with, None if it has none."""
    note = work / "record"
    if not note.exists() or not checkpoints.exist(work):
        return None
    folder = runs / note.read_text(encoding="utf-8").strip()
    return folder if (folder / "run.json").exists() else None
