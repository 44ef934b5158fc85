"""Entries of ``dvc.lock``: written one at a time, in the order in which a serial run leaves them.

After each stage DVC parses the whole lock and writes all of it again, in pure Python: 0.5 s a stage
with 50 entries, 1.1 s with 86. Here the entry of the stage is put into the text of its lock, with
the same bytes as DVC would write.

DVC leaves entries that exist in their places and appends new ones as their stages end, so in a
serial run in the order of the plan. Stages that run side by side end in another order: their
entries are put before those of the stages that come later in the plan. An unfinished run is
continued by the next one, so which entries were there at its start is noted in
``.plumbline/lock_order.json`` until every stage of the plan has been run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.runs.record_files import WORK

_HEAD = "schema: '2.0'\nstages:\n"
_ENTRY = re.compile(r"^  (?! ).*\n(?:   .*\n)*", re.MULTILINE)


def entries(text: str) -> list[str] | None:
    """Return the entries of a lock as they stand in it; None for a text of another form.

    Another form is one that a person wrote or a merge left. An empty text has no entries.
    """
    if not text:
        return []
    if not text.startswith(_HEAD):
        return None
    body = text[len(_HEAD) :]
    found = _ENTRY.findall(body)
    names = [name_of(entry) for entry in found]
    return found if "".join(found) == body and len({*names}) == len(names) else None


def name_of(entry: str) -> str:
    """Return the name of the stage of an entry."""
    return entry.partition("\n")[0].strip().removesuffix(":").strip("'\"")


def splice(text: str, entry: str, later: Collection[str] = ()) -> str | None:
    """Return the text of a lock with one entry replaced or added.

    Parameters
    ----------
    text : str
        A lock as DVC writes it: every entry begins two spaces in.
    entry : str
        The entry as it stands there, from its name to its last line's end.
    later : collection of str
        Names of the entries that a new one comes before; without any it comes last.

    Returns
    -------
    str or None
        None for a text of another form; see `entries`.
    """
    found = entries(text)
    if found is None:
        return None
    names = [name_of(old) for old in found]
    if (name := name_of(entry)) in names:
        found[names.index(name)] = entry
    else:
        places = [place for place, old in enumerate(names) if old in later]
        found.insert(min(places, default=len(found)), entry)
    return _HEAD + "".join(found)


class Order:
    """Order of the entries of a pipeline in its locks.

    Parameters
    ----------
    root : Path
        Root of the repository.
    plan : mapping
        Names of the stages of each lock, in plan order, by its path from ``root``.
    """

    def __init__(self, root: Path, plan: Mapping[str, Sequence[str]]) -> None:
        self._root, self._plan = root, plan
        self._file = root / WORK / "lock_order.json"
        self._notes = self._read()
        self._before: dict[str, set[str]] = {}
        for path in plan:
            text = self._text(path)
            if (note := self._notes.get(path)) and _digest(text) in note["digests"]:
                self._before[path] = set(note["before"])
            else:
                self._before[path] = {name_of(entry) for entry in entries(text) or []}

    @property
    def is_kept(self) -> bool:
        """Whether all locks have the form in which entries can be put in their places."""
        return all(entries(self._text(path)) is not None for path in self._plan)

    def write(self, path: str, entry: str) -> bool:
        """Write an entry into a lock; return whether the lock has the form for it."""
        text = self._text(path)
        before, plan = self._before.get(path, set()), self._plan.get(path, [])
        name = name_of(entry)
        later = plan[plan.index(name) + 1 :] if name in plan else []
        changed = splice(text, entry, {*later} - before)
        if changed is None:
            return False
        if changed != text:
            digests = [_digest(text), _digest(changed)]
            self._notes[path] = {"before": sorted(before), "digests": digests}
            self._write_notes()
            artifacts.write_text(self._root / path, changed)
        return True

    def complete(self) -> None:
        """Note that every stage of the plan has been run: what is there now stays in its place."""
        for path in self._plan:
            self._notes.pop(path, None)
        self._write_notes()

    def _text(self, path: str) -> str:
        file = self._root / path
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, TypeError):
            notes = json.loads(self._file.read_text(encoding="utf-8"))
            return {
                path: {"before": [*note["before"]], "digests": [*note["digests"]]}
                for path, note in notes.items()
            }
        return {}

    def _write_notes(self) -> None:
        if self._notes:
            self._file.parent.mkdir(exist_ok=True)
            artifacts.write_text(self._file, json.dumps(self._notes) + "\n")
        else:
            self._file.unlink(missing_ok=True)


_active: Order | None = None  # of the pipeline that runs


@contextlib.contextmanager
def kept(order: Order) -> Iterator[Order]:
    """Write entries in an order for the length of a block."""
    global _active
    _active = order
    try:
        yield order
    finally:
        _active = None


def write(root: Path, path: str, entry: str) -> bool:
    """Write an entry into a lock, in the order of the pipeline that runs; see `Order.write`."""
    if _active is not None:
        return _active.write(path, entry)
    file = root / path
    changed = splice(file.read_text(encoding="utf-8") if file.exists() else "", entry)
    if changed is not None:
        artifacts.write_text(file, changed)
    return changed is not None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
