"""One ``plumbline repro`` at a time in a work tree; a second one waits and says for whom."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from plumbline import artifacts
from plumbline.runs.record_files import WORK

log = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other runs of the pipeline out of a work tree for the length of a block.

    The lock ends with its process, however that ends.
    """
    folder = root / WORK
    folder.mkdir(exist_ok=True)
    lock, holder = filelock.FileLock(folder / "repro.lock"), folder / "repro.json"
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        log.warning("repro: waits for %s, which runs the pipeline of this work tree", _name(holder))
        lock.acquire()
    try:
        since = time.strftime("%H:%M:%S")
        artifacts.write_text(holder, json.dumps({"pid": os.getpid(), "since": since}) + "\n")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _name(holder: Path) -> str:
    try:
        found = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {found['pid']} (since {found['since']})"
    except (OSError, ValueError, TypeError, KeyError):  # at its beginning or its end
        return "another process"
