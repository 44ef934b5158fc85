"""The local record of a run, written before anything else hears of it.

A run is a folder ``.plumbline/runs/<key>/`` with ``run.json`` (what it is and how it ended),
``metrics.jsonl`` (one line per value, appended), ``trace.jsonl`` where one was asked for
(`plumbline.artifacts.traces`) and ``files/`` (its small outputs as they were when it ended).
`plumbline.tracking` mirrors these folders into MLflow, now or a week later: a slow or dead server
costs a training nothing, and a lost store is made again from here.

Nothing here enters a commit or a lock: times, process ids and run keys are allowed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from plumbline import artifacts, names
from plumbline.artifacts import traces
from plumbline.runs import dvc_files

log = logging.getLogger(__name__)

_PROC = Path("/proc")

RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"
DIED = "process ended without a word (killed?)"


def runs_folder(root: Path) -> Path:
    """Return the folder of all journals: in the main work tree, also for temporary experiments.

    ``dvc exp run --temp`` and queued experiments run in ``<root>/.dvc/tmp/exps/…``, which is
    deleted afterwards.
    """
    posix = f"{root.resolve().as_posix()}/"
    return Path(posix.split("/.dvc/tmp/exps/")[0]) / names.WORK / "runs"


def process_started(pid: int) -> float | None:
    """Return a number that tells a process from an earlier one of the same id, or None if it ended.

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
        if {"dvc", names.RUN_DVC} & set(words):
            pid = parent.pid
            break
    return pipeline_of(pid)


def pipeline_of(pid: int) -> dict[str, Any]:
    """Return ``{"key", "pid", "started", "host"}`` of a ``dvc``, equal for all its stages."""
    started, host = process_started(pid), platform.node()
    key = hashlib.sha256(f"{host}/{pid}/{started}".encode()).hexdigest()[:16]
    return {"key": key, "pid": pid, "started": started, "host": host}


class Journal:
    """One run being recorded.

    Parameters
    ----------
    folder : Path
        The run's own folder; made if missing.
    header : mapping
        JSON values that say what the run is; see `open_journal`.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.record: dict[str, Any] = dict(header)
        self._known: dict[tuple[str, int], float | None] = {}
        self._save()

    @classmethod
    def reopen(cls, folder: Path, **fields: Any) -> Journal:
        """Go on with the record of a run that was stopped; see `open_journal` for its fields.

        What it was stopped by moves to ``stops``. A last line of metrics that was torn is cut off,
        and values that are already there are not written again.
        """
        record = read_record(folder)
        status, error = ending(record) or (FAILED, DIED)
        stop = {
            "status": status,
            "error": error,
            "ended": record["ended"] or last_sign(folder),
            "pipeline": record["pipeline"],
        }
        metrics = folder / "metrics.jsonl"
        lines, whole = read_metrics(folder)
        if metrics.exists():
            os.truncate(metrics, whole)
        kept = {"tags": {**record["tags"], **fields.pop("tags", {})}}
        stops = [*record.get("stops", []), stop]
        header = {**record, **fields, **kept, **_beginning(), "stops": stops}
        journal = cls(folder, {**header, "attempts": len(stops) + 1})
        journal._known = {(line["k"], line["s"]): line["v"] for line in lines}
        return journal

    def metrics(self, values: Mapping[str, float | None], *, step: int) -> None:
        """Append values at a step; None and values that are not finite are kept as null."""
        now = int(time.time() * 1000)
        lines = []
        for name, value in values.items():
            number = math.nan if value is None else float(value)
            kept = number if math.isfinite(number) else None
            if (name, int(step)) in self._known:
                before = self._known[name, int(step)]
                if before != kept:
                    log.warning(
                        "%s: %s at step %d must be what it was before the stop, got %s for %s",
                        self.record["stage"], name, step, kept, before,
                    )  # fmt: skip
                continue
            lines.append(json.dumps({"k": name, "v": kept, "s": int(step), "t": now}) + "\n")
        # Opened anew each time (20 µs): what is written is in the file whatever kills this process.
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as stream:
            stream.write("".join(lines))

    def update(self, **fields: Any) -> None:
        """Set fields of ``run.json``: dicts are merged, lists extended, other values replaced."""
        for key, value in fields.items():
            old = self.record.get(key)
            if isinstance(old, dict) and isinstance(value, Mapping):
                value = {**old, **value}
            elif isinstance(old, list) and isinstance(value, Iterable):
                value = [*old, *value]
            self.record[key] = value
        self._save()

    def keep(self, source: Path, path: str) -> None:
        """Keep a file or folder as it is now under ``files/<path>``, by hard link where possible.

        Later runs replace outputs with new files, never in place, so a link keeps its content.
        """
        target = self.folder / "files" / path
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(str(source), str(target))

    def close(self, status: str, error: str | None = None) -> None:
        """Record how the run ended, and keep its trace if it left one."""
        trace = self.folder / traces.FILE
        if trace.exists():
            with contextlib.suppress(OSError):  # a full disk must not hide how the run ended
                name = traces.keep(trace, self.folder / "files")
                self.update(artifacts=[name] if name not in self.record["artifacts"] else [])
                if status == FINISHED:  # else the run may go on from a checkpoint
                    trace.unlink()
        self.update(status=status, error=error, ended=int(time.time() * 1000))

    def _save(self) -> None:
        text = json.dumps(self.record, indent=2, sort_keys=True) + "\n"
        artifacts.write_text(self.folder / "run.json", text)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def open_journal(root: Path, stage: str, **fields: Any) -> Journal:
    """Begin the record of a stage.

    ``run.json`` holds ``key, stage, lab, root, origin ("executed"), pipeline {key, pid, started,
    host}, pid, pid_started, status, started, ended`` (milliseconds), ``error, params, param_digests
    {block: sha256}, tags, deps {path: hash}, outs {path: hash}, inputs [{name, path, digest,
    context}],
    artifacts [path], model {path, signature} or None``; paths relative to ``root``. Of an executed
    stage it also holds ``cmd, seed, threads, environment`` (`provenance.environment_digest`).
    A run that was stopped and goes on counts its ``attempts`` and keeps its ``stops [{status,
    error, ended, pipeline}]``; ``begun`` is the start of the last attempt.
    """
    started = datetime.now(UTC)
    key = f"{started:%Y%m%dT%H%M%S%f}-{stage.replace('@', '-')}-{os.getpid()}"
    header = {
        "key": key,
        "stage": stage,
        "lab": "",
        "root": root.resolve().as_posix(),
        "origin": "executed",
        "started": int(started.timestamp() * 1000),
        **_beginning(),
        "attempts": 1,
        "stops": [],
        "params": {},
        "param_digests": {},
        "tags": {},
        "deps": {},
        "outs": {},
        "inputs": [],
        "artifacts": [],
        "model": None,
        **fields,
    }
    return Journal(runs_folder(root) / key, header)


def _beginning() -> dict[str, Any]:
    return {
        "pipeline": enclosing_pipeline(),
        "pid": os.getpid(),
        "pid_started": process_started(os.getpid()),
        "status": RUNNING,
        "begun": int(time.time() * 1000),
        "ended": None,
        "error": None,
    }


def ending(record: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Return status and error of a run that has ended, None while it goes on."""
    if record["status"] != RUNNING:
        return record["status"], record["error"]
    process = {
        "pid": record["pid"],
        "started": record["pid_started"],
        "host": record["pipeline"]["host"],
    }
    return None if is_alive(process) else (FAILED, DIED)


def last_sign(folder: Path) -> int:
    """Return when anything was last written to a journal, in milliseconds."""
    files = (folder / "run.json", folder / "metrics.jsonl")
    return max(int(file.stat().st_mtime * 1000) for file in files if file.exists())


def within(record: Mapping[str, Any], pipeline: str) -> dict[str, Any]:
    """Return a record as it concerns one pipeline.

    A run that was stopped in it and went on in a later one is, for this one, as it was stopped and
    has ``moved``.
    """
    for stop in record.get("stops", []):
        if stop["pipeline"]["key"] == pipeline:
            return {**record, **stop, "outs": {}, "moved": True}
    return {**record, "moved": False}


def pipelines(record: Mapping[str, Any]) -> list[str]:
    """Return the keys of the pipelines a run has been part of, the last one last."""
    return [stop["pipeline"]["key"] for stop in record.get("stops", [])] + [
        record["pipeline"]["key"]
    ]


def keep_lock(root: Path, key: str) -> None:
    """Keep the locks as the first stage of a pipeline finds it: as the one before left it.

    That one may not have been settled yet (`tracking.pipelines.settle`), and DVC will overwrite
    the entries it left.
    """
    target = found_lock(runs_folder(root).parent.parent, key)
    if not target.exists():
        artifacts.write_text(target, dvc_files.lock_text(root))


def found_lock(home: Path, key: str) -> Path:
    """Return where the ``dvc.lock`` that a pipeline found is kept."""
    return home / names.WORK / "pipelines" / key / "found.lock"


def read_all(home: Path) -> list[Path]:
    """Return the folders of all journals below ``<home>/.plumbline/runs``, oldest first."""
    return sorted(path.parent for path in (home / names.WORK / "runs").glob("*/run.json"))


def read_record(folder: Path) -> dict[str, Any]:
    """Return ``run.json`` of a journal."""
    record: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return record


def read_metrics(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines from byte ``offset`` on and the offset behind them.

    A last line without its end is still being written, or was torn by a kill: it is left.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return [], offset
    with path.open("rb") as stream:
        stream.seek(offset)
        block = stream.read()
    whole = block[: block.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], offset + len(whole)


# --- the mirror ----------------------------------------------------------------------------------


def ask_for_mirror(home: Path) -> bool:
    """Say whether a mirror must be started; a running one is told to look once more before it ends.

    The request is written before the lock is tried and the mirror reads it after giving the lock
    back (`tracking.follow`): either the mirror sees the request or this process gets the lock.
    """
    home.mkdir(parents=True, exist_ok=True)
    artifacts.write_text(home / "sync.request", f"{os.getpid()}-{time.monotonic_ns()}\n")
    lock = mirror_lock(home)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return False
    lock.release()
    return True


def mirror_lock(home: Path) -> filelock.BaseFileLock:
    """Return the lock that the one mirror of a repository holds."""
    return filelock.FileLock(home / "sync.lock")
