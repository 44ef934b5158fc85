"""Which run made which bytes: ``.plumbline/links.json``, a side file that nothing depends on.

``{"<path>": {"<digest>": [{"stage", "journal", "run_id", "store"}]}}``, one entry for every run
that made or restored an output with that digest, per store it was delivered to. The mirror writes
the file when it has delivered a pipeline, and makes it again from the journals on ``plumbline sync
--rebuild``. It enters neither git nor a lock: run ids differ between two identical runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plumbline import artifacts, names

_Table = dict[str, dict[str, list[dict[str, Any]]]]


@dataclass(frozen=True)
class Link:
    """One run that made or restored an output.

    Attributes
    ----------
    stage : str
    journal : str or None
        Key of its journal; None after the journal was pruned.
    run_id : str
    store : str
        `tracking.store.Store.identity`.
    """

    stage: str
    journal: str | None
    run_id: str
    store: str


def file_of(home: Path) -> Path:
    """Return where the links of a work tree are kept."""
    return home / names.WORK / "links.json"


class Links:
    """The links of a main work tree as they are in its file now; none where it cannot be read."""

    def __init__(self, home: Path) -> None:
        self._path = file_of(home)
        try:
            self._table: _Table = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._table = {}

    def to(self, path: str, digest: str) -> list[Link]:
        """Return the runs of an output with a digest, in the order of their delivery."""
        return [Link(**entry) for entry in self._table.get(path, {}).get(digest, [])]

    def add(self, outs: Mapping[str, str], link: Link) -> None:
        """Note that a run has outputs ``{path: digest}``; what was said of its journal goes."""
        for path, digest in outs.items():
            entries = self._table.setdefault(path, {}).setdefault(digest, [])
            same = (link.journal, link.store)
            entries[:] = [e for e in entries if (e["journal"], e["store"]) != same]
            entries.append(asdict(link))

    def start_over(self) -> None:
        """Drop what can be made again from journals."""
        self._keep(lambda entry: entry["journal"] is None)

    def forget_journals(self, keys: Iterable[str]) -> None:
        """Note that journals were pruned: their runs are linked, their records are gone."""
        gone = set(keys)
        for entry in self._entries():
            if entry["journal"] in gone:
                entry["journal"] = None

    def save(self) -> None:
        """Write the file, whole or not at all."""
        artifacts.write_json(self._path, self._table)

    def _entries(self) -> Iterator[dict[str, Any]]:
        for digests in self._table.values():
            for entries in digests.values():
                yield from entries

    def _keep(self, wanted: Any) -> None:
        for path, digests in list(self._table.items()):
            kept = {d: [e for e in entries if wanted(e)] for d, entries in digests.items()}
            self._table[path] = {digest: entries for digest, entries in kept.items() if entries}
            if not self._table[path]:
                del self._table[path]
