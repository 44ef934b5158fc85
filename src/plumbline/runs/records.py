"""Local records of runs, written before anything is sent to a server.

A run is a folder ``.plumbline/runs/<key>/`` with ``run.json`` (what it is and how it ended),
``metrics.jsonl`` (one line per value, appended), ``trace.jsonl`` where one was asked for
(`plumbline.artifacts.traces`) and ``files/`` (its small outputs as they were when it ended).
`plumbline.tracking` copies these folders into MLflow, now or a week later: a slow or dead server
costs a training nothing, and a lost store is made again from here.

Nothing here enters a commit or a lock: times, process ids and run keys are allowed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.artifacts import traces
from plumbline.names import main_tree as main_tree
from plumbline.runs import dvc_files, processes
from plumbline.runs.record_files import (
    WORK,
    attempts,
    next_number,
    read_metrics,
    read_record,
    relative,
)

log = logging.getLogger(__name__)

RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"
DIED = "process ended without a message (killed?)"
EXECUTED, REFERENCE = "executed", "reference"  # origins: see `plumbline.tracking.references`


def runs_folder(root: Path) -> Path:
    """Return the folder of all run records: in the main work tree, see `main_tree`."""
    return main_tree(root) / WORK / "runs"


class RunRecord:
    """One run being recorded.

    Parameters
    ----------
    folder : Path
        The run's own folder; made if missing.
    header : mapping
        JSON values that describe the run; see `open_record`.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.fields: dict[str, Any] = dict(header)
        self._known: dict[tuple[str, int], float | None] = {}
        self._save()

    @classmethod
    def reopen(cls, folder: Path, **fields: Any) -> RunRecord:
        """Go on with the record of a run that was stopped; see `open_record` for its fields.

        The cause of the stop moves to ``stops``. An incomplete last line of metrics is cut off, and
        values that are already there are not written again.
        """
        record = read_record(folder)
        status, error = ending(record, folder) or (FAILED, DIED)
        stop = {
            "number": record.get("number", 0),
            "status": status,
            "error": error,
            "ended": record["ended"] or last_sign(folder),
            "pipeline": record["pipeline"],
            **{key: record[key] for key in ("launched",) if key in record},
        }
        metrics = folder / "metrics.jsonl"
        lines, whole = read_metrics(folder)
        if metrics.exists():
            os.truncate(metrics, whole)
        kept = {"tags": {**record["tags"], **fields.pop("tags", {})}}
        stops = [*record.get("stops", []), stop]
        header = {**record, **fields, **kept, **_beginning(folder.parents[2]), "stops": stops}
        reopened = cls(folder, {**header, "attempts": len(stops) + 1})
        reopened._known = {(line["k"], line["s"]): line["v"] for line in lines}
        return reopened

    def metrics(self, values: Mapping[str, float | None], *, step: int) -> None:
        """Append values at a step; None and values that are not finite are written as null."""
        now = _now()
        lines = []
        for name, value in values.items():
            number = math.nan if value is None else float(value)
            kept = number if math.isfinite(number) else None
            if (name, int(step)) in self._known:
                before = self._known[name, int(step)]
                if before != kept:
                    log.warning(
                        "%s: %s at step %d must be what it was before the stop, got %s for %s",
                        self.fields["stage"], name, step, kept, before,
                    )  # fmt: skip
                continue
            lines.append(json.dumps({"k": name, "v": kept, "s": int(step), "t": now}) + "\n")
        # Opened each time (20 µs): lines are in the file even if this process is killed.
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as stream:
            stream.write("".join(lines))

    def update(self, **fields: Any) -> None:
        """Set fields of ``run.json``: dicts are merged, lists extended, other values replaced."""
        for key, value in fields.items():
            old = self.fields.get(key)
            if isinstance(old, dict) and isinstance(value, Mapping):
                value = {**old, **value}
            elif isinstance(old, list) and isinstance(value, Iterable):
                value = [*old, *value]
            self.fields[key] = value
        self._save()

    def keep(self, source: Path, path: str) -> None:
        """Keep a copy of a file or folder as it is now under ``files/<path>``.

        No hard link: an editor that changes a report in place would change the copy too.
        """
        target = self.folder / "files" / path
        if source.is_dir():
            shutil.copytree(source, target, copy_function=_copy, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(str(source), str(target))

    def close(self, status: str, error: str | None = None, *, peak_memory: int = 0) -> None:
        """Record how the run ended and what it needed, and keep its trace if it has one.

        Parameters
        ----------
        status : str
        error : str or None
        peak_memory : int
            Bytes; of several attempts the largest is kept. 0: not measured.
        """
        trace = self.folder / traces.FILE
        if trace.exists():
            with contextlib.suppress(OSError):  # a full disk must not hide how the run ended
                name = traces.keep(trace, self.folder / "files")
                self.update(artifacts=[name] if name not in self.fields["artifacts"] else [])
                if status == FINISHED:  # else the run may go on from a checkpoint
                    trace.unlink()
        if peak := max(peak_memory, self.fields.get("peak_memory", 0)):
            self.fields["peak_memory"] = peak
        self.update(status=status, error=error, ended=_now())

    def _save(self) -> None:
        text = json.dumps(self.fields, indent=2, sort_keys=True) + "\n"
        artifacts.write_text(self.folder / "run.json", text)


def _copy(source: str, target: str) -> None:
    """Copy a file within the kernel: file systems with reflinks then share its blocks."""
    try:
        with open(source, "rb") as read, open(target, "wb") as write:
            while os.copy_file_range(read.fileno(), write.fileno(), 1 << 30):
                pass
    except (AttributeError, OSError):  # another system, or two file systems
        shutil.copyfile(source, target)


def open_record(root: Path, stage: str, **fields: Any) -> RunRecord:
    """Begin the record of a stage.

    ``run.json`` holds ``key, stage, lab, root, origin ("executed"), pipeline {key, pid, started,
    host, space}, number, pid, pid_started, status, started, ended`` (milliseconds), ``error,
    params, param_digests {block: sha256}, tags, deps {path: hash}, outs {path: hash}, inputs
    [{name, path, digest, context}], artifacts [path], model {path, signature} or None``; paths
    relative to ``root``, and that relative to the main work tree. Of an executed stage it also
    holds ``cmd, seed, threads, environment`` (`provenance.environment_digest`) and, when it has
    ended, ``peak_memory`` (bytes, with its child processes).
    A run that was stopped and goes on counts its ``attempts`` and keeps its ``stops [{status,
    error, ended, pipeline, number, launched}]``; ``begun`` is the start of the last attempt,
    ``launched`` that of its process, which has imported libraries before, and ``number`` its place
    among all (`record_files.next_number`).
    """
    started = time.time_ns()
    when = datetime.fromtimestamp(started / 1e9, UTC)
    key = f"{when:%Y%m%dT%H%M%S%f}-{stage.replace('@', '-')}-{os.getpid()}"
    header = {
        "key": key,
        "stage": stage,
        "lab": "",
        "root": relative(root),
        "origin": EXECUTED,
        "started": started // 10**6,
        **_beginning(main_tree(root)),
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
    return RunRecord(runs_folder(root) / key, header)


def _now() -> int:
    """Return the time in milliseconds: for people, not for an order, as clocks are set back."""
    return time.time_ns() // 10**6


def _beginning(home: Path) -> dict[str, Any]:
    return {
        "number": next_number(home),
        "pipeline": processes.enclosing_pipeline(),
        "pid": os.getpid(),
        "pid_started": processes.process_started(os.getpid()),
        "status": RUNNING,
        "launched": processes.launched(),
        "begun": _now(),
        "ended": None,
        "error": None,
    }


def ending(record: Mapping[str, Any], folder: Path) -> tuple[str, str | None] | None:
    """Return status and error of a run that has ended, None while it goes on.

    ``folder`` holds the record; a run of another host shows there that it is alive.
    """
    if record["status"] != RUNNING:
        return record["status"], record["error"]
    process = {**record["pipeline"], "pid": record["pid"], "started": record["pid_started"]}
    return None if processes.is_alive(process, [folder]) else (FAILED, DIED)


def last_sign(folder: Path) -> int:
    """Return when anything was last written to a run record, in milliseconds."""
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
    return [key for _, key in attempts(record)]


def stage_key(record: Mapping[str, Any]) -> str | None:
    """Return the fingerprint of the lock entry that a finished run leads to; None for others."""
    if record["status"] != FINISHED:
        return None
    content = [record[part] for part in ("deps", "params", "outs")]
    return dvc_files.LockEntry(record.get("cmd", ""), *content).fingerprint
