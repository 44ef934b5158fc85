"""Reading of run records: damaged ones are put aside and named, the others are read."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import filelock

from plumbline import artifacts, names

log = logging.getLogger(__name__)

WORK = Path(".plumbline")  # run records, checkpoints, staging; in no commit and no lock
VIEWS = WORK / "views.json"  # pages of MLflow, for commands that do without it


class Place(NamedTuple):
    """When a stage began, relative to others: by `next_number`, before that by the clock.

    Records of earlier versions have no number; they are older than all that have one.
    """

    number: int
    time: int


def next_number(home: Path) -> int:
    """Return a number above those of all earlier calls: the order in which stages began.

    A clock that is set back does not change it. A lost counter is made again from the records.
    """
    counter = home / WORK / "number"
    counter.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(counter.with_suffix(".lock"), timeout=60):
        try:
            last = int(counter.read_text(encoding="ascii"))
        except (OSError, ValueError):
            found = (place for one in summaries(home).values() for place, _ in one.attempts)
            last = max((place.number for place in found), default=0)
        artifacts.write_text(counter, f"{last + 1}\n")
    return last + 1


def attempts(record: Mapping[str, Any]) -> list[tuple[Place, str]]:
    """Return the place of each attempt of a run and the key of its pipeline, the first one first.

    A run that was stopped may go on in a later pipeline.
    """
    stops = record.get("stops", [])
    times = [record["started"]]
    if stops:
        times += [*(stop["ended"] for stop in stops[:-1]), record.get("begun", 0)]
    return [
        (Place(one.get("number", 0), time), str(one["pipeline"]["key"]))
        for one, time in zip((*stops, record), times, strict=True)
    ]


def relative(root: Path) -> str:
    """Return a work tree as it is written into a record: relative to the main one.

    A work tree may be moved or copied with its records.
    """
    before, inside, after = f"{root.resolve().as_posix()}/".partition(names.EXPERIMENTS)
    return f"{inside}{after}".strip("/") if inside and before else "."


def tree_of(home: Path, record: Mapping[str, Any]) -> Path:
    """Return the work tree of a run, below the main one; earlier versions wrote it absolute."""
    return tree_at(home, record["root"])


def tree_at(home: Path, root: str) -> Path:
    """Return the work tree that a record calls ``root``."""
    written = Path(root)
    return home / (relative(written) if written.is_absolute() else written)


class Summary(NamedTuple):
    """What the order and the pipelines of all runs are told by.

    Attributes
    ----------
    attempts : tuple of (Place, str)
        See `attempts`.
    root : str
        Work tree, as the record has it; see `tree_of`.
    """

    attempts: tuple[tuple[Place, str], ...]
    root: str

    @property
    def pipelines(self) -> list[str]:
        """Keys of the pipelines that the run has been part of, the last one last."""
        return [key for _, key in self.attempts]


def read_all(home: Path) -> list[Path]:
    """Return the folders of all readable run records of a work tree, oldest first."""
    return list(summaries(home))


def summaries(home: Path) -> dict[Path, Summary]:
    """Return a summary of each readable run record of a work tree by its folder, oldest first.

    They are below ``<home>/.plumbline/runs``. A damaged one moves to ``.plumbline/damaged`` and is
    named in a warning, so that one torn file does not stop everything that reads records.
    """
    found: list[tuple[Place, str, Path, Summary]] = []
    for path in sorted((home / WORK / "runs").glob("*/run.json")):
        try:
            status = path.stat()
            one = _summary(path, (status.st_mtime_ns, status.st_ino, status.st_size))
        except FileNotFoundError:  # removed at this moment
            continue
        except ValueError as error:
            _quarantine(home, path.parent, error)
        else:
            found.append((one.attempts[0][0], path.parent.name, path.parent, one))
    return {folder: one for *_, folder, one in sorted(found)}


@functools.lru_cache(maxsize=2**17)
def _summary(path: Path, state: tuple[int, int, int]) -> Summary:
    """Return the summary of a run; one that was not written since is not read again.

    Raises
    ------
    ValueError
        If the record is damaged.
    """
    record = read_record(path.parent)
    return Summary(tuple(attempts(record)), str(record["root"]))


def read_record(folder: Path) -> dict[str, Any]:
    """Return ``run.json`` of a run.

    Raises
    ------
    ValueError
        If it is damaged; see `record_schema.parse_record`.
    """
    from plumbline.runs.record_schema import parse_record  # pydantic, which DVC runs without

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
    from plumbline.runs.record_schema import parse_metric

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
