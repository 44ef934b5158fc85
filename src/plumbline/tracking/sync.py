"""Delivery of run records to MLflow: beside running stages, or once on demand."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import filelock

from plumbline.runs import log_lines, record_files, records
from plumbline.stage import background_sync
from plumbline.tracking import pipelines, references
from plumbline.tracking.store import Store, connect, shown_address

log = logging.getLogger(__name__)

# Answers of a store that is up but will not take a run, e.g. because somebody deleted it.
_REFUSALS = {
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "BAD_REQUEST",
    "PERMISSION_DENIED",
}


@dataclass(frozen=True)
class Outcome:
    """Result of a pass: pipelines that run, pipelines not yet delivered, and why not.

    Attributes
    ----------
    live, waiting, refused : int
    down : str
        The store's error if it could not be reached, else empty.
    """

    live: int
    waiting: int
    refused: int
    down: str = ""


class _Entry(NamedTuple):
    """The pipelines, work tree and last start of a run record."""

    pipelines: list[str]
    root: str
    begun: int


class Sync:
    """Delivers the run records below a work tree to its store, pass by pass.

    Parameters
    ----------
    home : Path
        The main work tree.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._store: Store | None = None
        self._known: dict[Path, tuple[int, _Entry]] = {}  # with the time of run.json
        self._done: set[str] = set()
        self._refused: set[str] = set()

    def run_once(self) -> Outcome:
        """Deliver what there is; a store that cannot be reached raises nothing."""
        live = {key for key, folders in self._open().items() if not self._settle(key, folders)}
        waiting = self._open()  # once more: settling has made references
        down = ""
        try:
            for key, folders in waiting.items():
                if self._store is None:
                    self._store = connect(self.home)
                self._deliver(self._store, key, folders, ended=key not in live)
        except Exception as error:  # whatever a store or its network can raise
            log.debug("the store failed", exc_info=True)
            self._store = None
            said = log_lines.without_password(" ".join(str(error).split()))
            down = f"{type(error).__name__}: {said[:300]}"
        left = set(waiting) - self._done - self._refused
        return Outcome(len(live), len(left), len(self._refused), down)

    def _open(self) -> dict[str, list[Path]]:
        """Return the records of every pipeline that is not delivered, oldest first."""
        found: dict[str, list[Path]] = {}
        for folder in record_files.read_all(self.home):
            for key in self._entry(folder).pipelines:
                if key not in self._done | self._refused:
                    found.setdefault(key, []).append(folder)
        return found

    def _entry(self, folder: Path) -> _Entry:
        # A stage that goes on after a stop rewrites its record: it is in a later pipeline then.
        written = (folder / "run.json").stat().st_mtime_ns
        if self._known.get(folder, (0, None))[0] != written:
            record = record_files.read_record(folder)
            begun = record.get("begun", record["started"])
            entry = _Entry(records.pipelines(record), record["root"], begun)
            self._known[folder] = (written, entry)
        return self._known[folder][1]

    def _settle(self, key: str, folders: list[Path]) -> bool:
        root = self._entry(folders[0]).root
        same = (entry for _, entry in self._known.values() if entry.root == root)
        newest = sorted(same, key=lambda entry: entry.begun)[-1].pipelines[-1]
        return pipelines.settle(self.home, key, folders, latest=key == newest)

    def _deliver(self, store: Store, key: str, folders: list[Path], *, ended: bool) -> None:
        try:
            if pipelines.deliver(store, self.home, key, folders, ended=ended):
                self._done.add(key)
        except Exception as error:
            if getattr(error, "error_code", None) not in _REFUSALS:
                raise
            self._refused.add(key)
            log.warning("sync: the store must take the runs of %s, got: %s", key, error)


def sync(home: Path, *, rebuild: bool = False) -> Outcome:
    """Deliver everything that is not in the store yet, once.

    With ``rebuild`` nothing counts as delivered: runs the store lost are made again, those it has
    are completed.
    """
    with background_sync.lock(home).acquire(timeout=60):
        if rebuild:
            for folder in [
                *record_files.read_all(home),
                *(home / record_files.WORK / "pipelines").glob("*"),
            ]:
                (folder / "sync.json").unlink(missing_ok=True)
        references.catch_up(home)
        return Sync(home).run_once()


def follow(home: Path, *, poll: float = 1.0, patience: int = 3) -> Outcome | None:
    """Deliver until every pipeline has ended and is delivered, or the store stays away.

    Parameters
    ----------
    home : Path
        The main work tree.
    poll : float
        Seconds between two passes; ten times as many while the store is away.
    patience : int
        Passes in a row that may fail after the last pipeline has ended.

    Returns
    -------
    Outcome or None
        None if another process does it.
    """
    while True:
        lock = background_sync.lock(home)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return None
        try:
            request = background_sync.requested(home)
            references.catch_up(home)
            outcome = _follow(Sync(home), poll=poll, patience=patience)
        finally:
            lock.release()
        if background_sync.requested(home) == request:
            return outcome


def _follow(sync: Sync, *, poll: float, patience: int) -> Outcome:
    failures = 0
    while True:
        outcome = sync.run_once()
        if outcome.down and not failures:
            log.warning(
                "sync: store must answer, got %s from %s; runs stay in %s and `plumbline sync` "
                "delivers them",
                outcome.down,
                shown_address(sync.home),
                record_files.WORK / "runs",
            )
        failures = failures + 1 if outcome.down else 0
        given_up = failures >= patience or not (outcome.down or outcome.waiting)
        if not outcome.live and given_up:
            return outcome
        time.sleep(poll * (10 if outcome.down and outcome.live else 1))
