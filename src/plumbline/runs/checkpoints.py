"""Folders of checkpoints, each file named after the digest of its own bytes.

``0000000120-3f0c9a….ckpt`` was written after 120 batches and begins its SHA-256 with ``3f0c9a…``;
``done-<digest>.ckpt`` holds the result of a fit that has ended. A file that a kill or a power cut
damaged does not agree with its name and is not used.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

from plumbline import artifacts

log = logging.getLogger(__name__)

KEPT = 2  # the newest, and the one before it in case that is damaged
_NAME = re.compile(r"(done|\d{10})-([0-9a-f]{16})\.ckpt")
_TEMPORARY = ".part"


class Checkpoints:
    """The checkpoints of one fit.

    Parameters
    ----------
    folder : Path
        Its own; made when the first checkpoint is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, batches: int, write: Callable[[Path], None]) -> Path:
        """Keep what ``write`` writes to the path it is given, and remove all but the newest two.

        Parameters
        ----------
        batches : int
            Batches done so far, over all epochs.
        write : callable

        Returns
        -------
        Path
            Of the checkpoint; it is on the disk, not only in the system's memory.
        """
        path = self._keep(f"{batches:010d}", write)
        for old in self._found()[KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def finish(self, write: Callable[[Path], None]) -> Path:
        """Keep what ``write`` writes as the result of the fit, and remove its checkpoints."""
        path = self._keep("done", write)
        for old in self._found():
            old.unlink(missing_ok=True)
        return path

    def newest_whole(self) -> Path | None:
        """Return the newest checkpoint whose bytes agree with its name, None if there is none."""
        return next(filter(_is_whole, self._found()), None)

    def result(self) -> Path | None:
        """Return the result of the fit if it has ended, None if it has not."""
        return next(filter(_is_whole, sorted(self.folder.glob("done-*.ckpt"))), None)

    def _found(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        files = (path for path in self.folder.glob("*.ckpt") if _NAME.fullmatch(path.name))
        return sorted((path for path in files if path.name[0].isdigit()), reverse=True)

    def _keep(self, label: str, write: Callable[[Path], None]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        for damaged in self.folder.glob(f"*{_TEMPORARY}"):  # of a process that was killed
            damaged.unlink(missing_ok=True)
        temporary = self.folder / f"{label}{_TEMPORARY}"
        try:
            write(temporary)
            _flush(temporary)
            path = self.folder / f"{label}-{artifacts.digest(temporary)[:16]}.ckpt"
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush(self.folder)  # the name, too, must survive a power cut
        return path


def exist(work: Path) -> bool:
    """Say whether any fit below a work folder has left a checkpoint or a result."""
    return any(_NAME.fullmatch(path.name) for path in work.glob("*/*.ckpt"))


def position(work: Path) -> str | None:
    """Return from where a stage with this work folder goes on, None if from its beginning.

    E.g. ``batch 120 of fit``, or ``the end of probe``.
    """
    folders = {path.parent for path in work.glob("*/*.ckpt")}
    for folder in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True):
        fit = Checkpoints(folder)
        if fit.result() is not None:
            return f"the end of {folder.name}"
        if (newest := fit.newest_whole()) is not None:
            return f"batch {int(newest.name.split('-')[0])} of {folder.name}"
    return None


def _is_whole(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match is not None and artifacts.digest(path).startswith(match[2]):
        return True
    log.warning("%s/%s: checkpoint is damaged and not used", path.parent.name, path.name)
    return False


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
