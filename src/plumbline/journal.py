"""The local record of a run, written before anything else hears of it.

A run is a folder ``.plumbline/runs/<key>/`` with ``run.json`` (what it is and how it ended) and
``metrics.jsonl`` (one line per value, appended). `plumbline.tracking` mirrors these folders into
MLflow, now or a week later: a slow or dead server costs a training nothing.

Nothing here enters a commit or a lock: times, process ids and run keys are allowed.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plumbline import artifacts, names

RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"


def runs_folder(root: Path) -> Path:
    """Return the folder of all journals: in the main work tree, also for temporary experiments.

    ``dvc exp run --temp`` and queued experiments run in ``<root>/.dvc/tmp/exps/…``, which is
    deleted afterwards.
    """
    posix = f"{root.resolve().as_posix()}/"
    return Path(posix.split("/.dvc/tmp/exps/")[0]) / names.WORK / "runs"


def process_started(pid: int) -> float | None:
    """Return when a process began (seconds since the epoch), or None if there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def enclosing_pipeline() -> dict[str, Any]:
    """Identify the ``dvc`` process this stage runs under: ``{"key", "pid", "started"}``.

    A stage run by hand is a pipeline of its own.
    """
    import psutil

    here = psutil.Process()
    outermost = None
    for parent in here.parents():
        try:
            words = [os.path.basename(word) for word in parent.cmdline()[:4]]
        except psutil.Error:
            continue
        if "dvc" in words:
            outermost = parent
    process = outermost or here
    started = process.create_time()
    return {"key": f"{process.pid}-{started:.2f}", "pid": process.pid, "started": started}


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
        self._stream = (folder / "metrics.jsonl").open("a", encoding="utf-8", buffering=1)
        self._save()

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Append values at a step; a value that is not finite is kept as null (undefined)."""
        now = int(time.time() * 1000)
        for name, value in values.items():
            number = float(value)
            kept = number if math.isfinite(number) else None
            line = {"k": name, "v": kept, "s": int(step), "t": now}
            self._stream.write(json.dumps(line) + "\n")

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

    def close(self, status: str, error: str | None = None) -> None:
        """Record how the run ended."""
        self._stream.close()
        self.update(status=status, error=error, ended=int(time.time() * 1000))

    def _save(self) -> None:
        text = json.dumps(self.record, indent=2, sort_keys=True) + "\n"
        artifacts.write_text(self.folder / "run.json", text)


def open_journal(root: Path, stage: str, **fields: Any) -> Journal:
    """Begin the record of a stage.

    ``run.json`` holds ``key, stage, root, pipeline {key, pid, started}, pid, pid_started, status,
    started, ended`` (milliseconds), ``error, params, tags, inputs [{name, path, digest, source}],
    artifacts [path], model {path, signature} or None``; paths relative to ``root``.
    """
    started = datetime.now(UTC)
    key = f"{started:%Y%m%dT%H%M%S%f}-{stage.replace('@', '-')}-{os.getpid()}"
    header = {
        "key": key,
        "stage": stage,
        "root": root.resolve().as_posix(),
        "pipeline": enclosing_pipeline(),
        "pid": os.getpid(),
        "pid_started": process_started(os.getpid()),
        "status": RUNNING,
        "started": int(started.timestamp() * 1000),
        "ended": None,
        "error": None,
        "params": {},
        "tags": {},
        "inputs": [],
        "artifacts": [],
        "model": None,
        **fields,
    }
    return Journal(runs_folder(root) / key, header)
