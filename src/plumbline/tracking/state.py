"""State of delivery to each store: ``sync.json`` beside each run record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.runs.record_schema import parse_deliveries


class State:
    """The delivery of one folder to one store; saved at each change.

    A lost or damaged file costs nothing but time: runs are found again by their tags and the store
    drops values that it has.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._path = folder / "sync.json"
        self._identity = identity
        try:
            self._all = parse_deliveries(self._path.read_bytes())
        except (OSError, ValueError):
            self._all = {}
        # Earlier versions wrote the absolute path of a database in the work tree.
        former = f"/{identity.removeprefix('sqlite:///')}"
        known = [identity, *(name for name in self._all if name.endswith(former))]
        self.values: dict[str, Any] = next((self._all[n] for n in known if n in self._all), {})

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value of this delivery."""
        return self.values.get(name, default)

    def set(self, **values: Any) -> None:
        """Change values of this delivery and save them."""
        self.values.update(values)
        self._all[self._identity] = self.values
        artifacts.write_json(self._path, self._all)
