"""Removes journals that are no longer needed: delivered, old, and of no entry of ``dvc.lock``.

A store that is lost cannot be made again from journals that were pruned.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from plumbline import names
from plumbline.runs import dvc_files
from plumbline.runs import records as journal
from plumbline.runs.links import Links
from plumbline.tracking import references
from plumbline.tracking.pipelines import agrees, folder_of
from plumbline.tracking.state import State
from plumbline.tracking.store import connect

_DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Pruned:
    """A journal that was removed.

    Attributes
    ----------
    key : str
    freed : int
        Bytes that no other file shares: outputs are kept by hard link where that is possible.
    """

    key: str
    freed: int


def prune(home: Path, *, days: float) -> list[Pruned]:
    """Remove journals that ended more than ``days`` ago and return them, oldest first.

    Kept are journals of a pipeline that is not delivered to the present store, of the newest
    pipeline of the work tree, and those whose outputs an entry of ``dvc.lock`` records.

    Raises
    ------
    mlflow.exceptions.MlflowException
        If the store cannot be reached: nothing tells then what it has.
    """
    records = {folder: journal.read_record(folder) for folder in journal.read_all(home)}
    if not records:
        return []
    with journal.mirror_lock(home / names.WORK).acquire(timeout=60):
        store = connect(home).identity
        newest, entries = references.latest(home, home), dvc_files.read_lock(home)
        removed = []
        for folder, record in records.items():
            keys = journal.pipelines(record)
            delivered = all(State(folder_of(home, key), store).get("finished") for key in keys)
            age = time.time() - (record["ended"] or journal.last_sign(folder)) / 1000
            entry = entries.get(record["stage"])
            needed = newest in keys or (entry is not None and agrees(entry, record))
            if delivered and age > days * _DAY and not needed:
                removed.append(Pruned(record["key"], _own_bytes(folder)))
        links = Links(home)  # first, so that a run is never linked to a journal that is gone
        links.forget_journals(pruned.key for pruned in removed)
        links.save()
        gone = {pruned.key for pruned in removed}
        left: set[str] = set()
        for folder, record in records.items():
            if record["key"] in gone:
                shutil.rmtree(folder)
            else:
                left.update(journal.pipelines(record))
        for key in {key for r in records.values() for key in journal.pipelines(r)} - left:
            shutil.rmtree(folder_of(home, key), ignore_errors=True)
    return removed


def _own_bytes(folder: Path) -> int:
    files = (path.stat() for path in folder.rglob("*") if path.is_file())
    return sum(stat.st_size for stat in files if stat.st_nlink == 1)
