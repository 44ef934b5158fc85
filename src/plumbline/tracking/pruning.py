"""Removal of run records that are no longer needed: delivered, old, and of no lock entry.

A store that is lost cannot be made again from records that were removed.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from plumbline.runs import dvc_files, record_files, records
from plumbline.stage import background_sync
from plumbline.tracking import references, tags
from plumbline.tracking.pipelines import folder_of
from plumbline.tracking.state import State
from plumbline.tracking.store import connect

_DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Pruned:
    """A run record that was removed.

    Attributes
    ----------
    key : str
    freed : int
        Bytes that no other file shares.
    """

    key: str
    freed: int


def prune(home: Path, *, days: float) -> list[Pruned]:
    """Remove records that ended more than ``days`` ago and return them, oldest first.

    Kept are records of a pipeline that is not delivered to the present store, of the newest
    pipeline of the work tree, and those whose outputs an entry of ``dvc.lock`` records. The runs
    of the others are tagged, so that a lineage check expects no record of them.

    Raises
    ------
    mlflow.exceptions.MlflowException
        If the store cannot be reached.
    """
    found = {folder: record_files.read_record(folder) for folder in record_files.read_all(home)}
    if not found:
        return []
    with background_sync.lock(home).acquire(timeout=60):
        store = connect(home)
        newest, entries = references.latest(home, home), dvc_files.read_lock(home)
        locked = {entry.fingerprint for entry in entries.values()}
        removed: dict[Path, Pruned] = {}
        for folder, record in found.items():
            keys = records.pipelines(record)
            states = [State(folder_of(home, key), store.identity) for key in keys]
            age = time.time() - (record["ended"] or records.last_sign(folder)) / 1000
            needed = newest in keys or records.stage_key(record) in locked
            if all(s.get("finished") for s in states) and age > days * _DAY and not needed:
                run_id = State(folder, store.identity).get("run_id")
                store.client.set_tag(run_id, tags.PRUNED, "true")
                removed[folder] = Pruned(record["key"], _own_bytes(folder))
                shutil.rmtree(folder)
        left = {k for folder, r in found.items() if folder not in removed
                for k in records.pipelines(r)}  # fmt: skip
        for key in {key for record in found.values() for key in records.pipelines(record)} - left:
            shutil.rmtree(folder_of(home, key), ignore_errors=True)
    return list(removed.values())


def _own_bytes(folder: Path) -> int:
    files = (path.stat() for path in folder.rglob("*") if path.is_file())
    return sum(stat.st_size for stat in files if stat.st_nlink == 1)
