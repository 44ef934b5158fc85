"""Reading of run records: damaged ones are put aside and named, the others are read."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path
from typing import Any

from plumbline.runs.record_schema import parse_metric, parse_record

log = logging.getLogger(__name__)

WORK = Path(".plumbline")  # run records, checkpoints, staging; in no commit and no lock


def read_all(home: Path) -> list[Path]:
    """Return the folders of all readable run records of a work tree, oldest first.

    They are below ``<home>/.plumbline/runs``. A damaged one moves to ``.plumbline/damaged`` and is
    named in a warning, so that one torn file does not stop everything that reads records.
    """
    found = []
    for path in sorted((home / WORK / "runs").glob("*/run.json")):
        try:
            status = path.stat()
            _check(path, (status.st_mtime_ns, status.st_ino, status.st_size))
        except FileNotFoundError:  # removed at this moment
            continue
        except ValueError as error:
            _quarantine(home, path.parent, error)
        else:
            found.append(path.parent)
    return found


@functools.lru_cache(maxsize=4096)
def _check(path: Path, state: tuple[int, int, int]) -> None:
    """Raise ValueError if a record is damaged; one that was not written since is not read again."""
    read_record(path.parent)


def read_record(folder: Path) -> dict[str, Any]:
    """Return ``run.json`` of a run.

    Raises
    ------
    ValueError
        If it is damaged; see `record_schema.parse_record`.
    """
    return parse_record((folder / "run.json").read_bytes())


def _quarantine(home: Path, folder: Path, error: ValueError) -> None:
    target = home / WORK / "damaged" / folder.name
    target.parent.mkdir(exist_ok=True)
    os.replace(folder, target)
    log.warning(
        "records: run.json of %s must be a run record, got %s; it is now in %s, and its run "
        "is not delivered",
        folder.name, error, target.relative_to(home),
    )  # fmt: skip


def read_metrics(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines from byte ``offset`` on and the offset behind them.

    A last line without its end is still being written, or was cut by a kill: it is skipped.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return [], offset
    with path.open("rb") as stream:
        stream.seek(offset)
        block = stream.read()
    whole = block[: block.rfind(b"\n") + 1]
    lines = whole.split(b"\n")[:-1]
    values = [value for value in map(parse_metric, lines) if value is not None]
    if len(values) < len(lines):
        log.warning(
            "records: lines of %s/metrics.jsonl must be {k, v, s, t}, got %d that are not; "
            "they are skipped",
            folder.name, len(lines) - len(values),
        )  # fmt: skip
    return values, offset + len(whole)
