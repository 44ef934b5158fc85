"""Delivery of run records to MLflow: beside running stages, or once on demand."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import filelock

from plumbline.errors import ArtifactError
from plumbline.runs import log_lines, record_files, records
from plumbline.stage import background_sync
from plumbline.tracking import pipelines, references, sending
from plumbline.tracking.state import State
from plumbline.tracking.store import Store, connect, shown_address

log = logging.getLogger(__name__)

_ASKED = (
    "started", "begun", "number", "pipeline", "pid", "pid_started", "status", "error",
    "stops",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Result of a pass.

    Attributes
    ----------
    live, waiting : int
        Pipelines that run, and pipelines that are not yet delivered.
    refused : int
        Values, files and runs that the store did not take, of all pipelines.
    down : str
        The store's error if it could not be reached, else empty.
    """

    live: int
    waiting: int
    refused: int
    down: str = ""


class Sync:
    """Delivers the run records below a work tree to its store, pass by pass.

    Parameters
    ----------
    home : Path
        The main work tree.

    Attributes
    ----------
    request : str
        The latest request (`background_sync.request`) at the beginning of the last pass.
    is_behind : bool
        Whether a pipeline that had ended was not delivered in it.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.request = ""
        self.is_behind = True
        self._store: Store | None = None
        self._known: dict[Path, tuple[int, dict[str, Any]]] = {}  # with the time of run.json
        self._done: dict[str, dict[str, str]] = {}  # statuses of the runs of each pipeline
        self._refused: dict[str, int] = {}

    def run_once(self) -> Outcome:
        """Deliver what there is; a store that cannot be reached raises nothing."""
        self.request = background_sync.requested(self.home)
        undelivered, newest = self._open(), self._newest()
        live = {
            key
            for key, now in undelivered.items()
            if not pipelines.settle(self.home, key, now, latest=key in newest)
        }
        waiting = self._open()  # once more: settling has made references
        down = self._deliver_all(waiting, live)
        left = [key for key, now in waiting.items() if self._done.get(key) != now]
        self.is_behind = any(
            key not in live or not pipelines.is_running(self.home, key, waiting[key])
            for key in left
        )
        return Outcome(len(live), len(left), sum(self._refused.values()), down)

    def _deliver_all(self, waiting: dict[str, dict[str, str]], live: Collection[str]) -> str:
        """Deliver pipelines; return the first error of the store, empty if there is none.

        A store that still answers gets the other pipelines.
        """
        down = ""
        for key, now in waiting.items():
            try:
                if self._store is None:
                    self._store = connect(self.home)
                self._deliver(self._store, key, now, ended=key not in live)
            except Exception as error:  # whatever a store or its network can raise
                log.debug("the store failed", exc_info=True)
                said = log_lines.without_password(" ".join(str(error).split()))
                down = down or f"{type(error).__name__}: {said[:300]}"
                if self._store is None or not sending.answers(self._store):
                    break
        if down:
            self._store = None
        return down

    def _open(self) -> dict[str, dict[str, str]]:
        """Return the statuses of the runs of every pipeline not delivered, oldest first."""
        began: dict[str, record_files.Place] = {}
        found: dict[str, dict[Path, Any]] = {}
        for folder in record_files.read_all(self.home):
            record = self._record(folder)
            for place, key in record_files.attempts(record):
                began[key] = min(place, began.get(key, place))
                found.setdefault(key, {})[folder] = records.within(record, key)
        now = {key: pipelines.statuses(found[key]) for key in sorted(found, key=began.__getitem__)}
        return {key: now[key] for key in now if self._done.get(key) != now[key]}

    def _record(self, folder: Path) -> dict[str, Any]:
        """Return the fields of a record that are asked for at every pass."""
        # A stage that goes on after a stop rewrites its record: it is in a later pipeline then.
        written = (folder / "run.json").stat().st_mtime_ns
        if self._known.get(folder, (0, None))[0] != written:
            record = record_files.read_record(folder)
            small = {name: record[name] for name in _ASKED if name in record}
            tree = record_files.tree_of(self.home, record)
            self._known[folder] = (written, {**small, "tree": tree})
        return self._known[folder][1]

    def _newest(self) -> set[str]:
        """Return the pipeline of each work tree that began last."""
        latest: dict[Path, tuple[record_files.Place, str]] = {}
        for _, record in self._known.values():
            last = record_files.attempts(record)[-1]
            latest[record["tree"]] = max(last, latest.get(record["tree"], last))
        return {key for _, key in latest.values()}

    def _deliver(self, store: Store, key: str, now: dict[str, str], *, ended: bool) -> None:
        try:
            if pipelines.deliver(store, self.home, key, now, ended=ended):
                self._done[key] = now
        except Exception as error:
            if not sending.refuses(error) or not sending.is_open(store):
                raise
            self._done[key], self._refused[key] = now, 1  # tried again by the next process
            log.warning("sync: store must take the runs of pipeline %s, got: %s", key, error)
        else:
            self._count_refused(store, key)

    def _count_refused(self, store: Store, key: str) -> None:
        lacking = State(pipelines.folder_of(self.home, key), store.identity).get("lacking", {})
        before, self._refused[key] = self._refused.get(key, 0), len(lacking)
        if lacking and len(lacking) != before:
            log.warning(
                "sync: store must take all of pipeline %s, got a refusal of %s (%s); "
                "`plumbline sync --rebuild` sends them again",
                key, sending.summary(lacking), lacking[min(lacking)],
            )  # fmt: skip


def sync(home: Path, *, rebuild: bool = False) -> Outcome:
    """Deliver everything that is not in the store yet, once.

    If another process does so beside a running pipeline, its outcome is returned. With ``rebuild``
    nothing counts as delivered: runs the store lost are made again, those it has are completed.

    Raises
    ------
    ArtifactError
        If another process delivers and does not come to an end; with ``rebuild`` also if it follows
        a pipeline.
    """
    done = background_sync.wait(home)
    try:
        with background_sync.lock(home).acquire(timeout=1):
            if rebuild:
                for folder in [
                    *record_files.read_all(home),
                    *(home / record_files.WORK / "pipelines").glob("*"),
                ]:
                    (folder / "sync.json").unlink(missing_ok=True)
            references.catch_up(home)
            watcher = Sync(home)
            outcome = watcher.run_once()
            background_sync.serve(home, watcher.request, asdict(outcome))
            return outcome
    except filelock.Timeout:
        note = background_sync.served(home)
        shared = {field.name: note[field.name] for field in fields(Outcome) if field.name in note}
        if done and not rebuild and shared:
            return Outcome(**shared)
    raise ArtifactError(
        "sync: MLflow must be filled by one process at a time, got another that follows a running "
        f"pipeline (see {record_files.WORK / 'sync.log'}); wait for its end"
    )


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
            references.catch_up(home)
            watcher = Sync(home)
            outcome = _follow(watcher, poll=poll, patience=patience)
        finally:
            lock.release()
        if background_sync.requested(home) == watcher.request:
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
        if failures >= patience or not (outcome.down or sync.is_behind):
            background_sync.serve(sync.home, sync.request, asdict(outcome))
        given_up = failures >= patience or not (outcome.down or outcome.waiting)
        if not outcome.live and given_up:
            return outcome
        time.sleep(poll * (10 if outcome.down and outcome.live else 1))
