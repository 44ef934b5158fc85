"""Progress through the stages of a pipeline: which can begin, and which no longer can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


class Plan:
    """The stages of a pipeline and how far it is.

    Parameters
    ----------
    names : sequence of str
        Every stage, in the order of a serial run.
    upstream : mapping
        For each stage those that must end before it begins; others than ``names`` are ignored.

    Attributes
    ----------
    left : list of str
        Stages that have not begun, in the order of ``names``.
    """

    def __init__(self, names: Sequence[str], upstream: Mapping[str, Iterable[str]]) -> None:
        self.left = list(names)
        self._upstream = {name: {*upstream[name]} & {*names} for name in names}
        self._open = {name: {*self._upstream[name]} for name in names}

    def ready(self) -> list[str]:
        """Return the stages that can begin now."""
        return [name for name in self.left if not self._open[name]]

    def begin(self, name: str) -> None:
        """Take a stage out of those that are left."""
        self.left.remove(name)

    def end(self, name: str) -> None:
        """Let the stages that wait for one no longer do so."""
        for open_ in self._open.values():
            open_.discard(name)

    def drop(self, names: Iterable[str]) -> None:
        """Take stages out that will not be run."""
        dropped = {*names}
        self.left = [name for name in self.left if name not in dropped]

    def dependents(self, name: str) -> set[str]:
        """Return every stage that needs one, directly or through others."""
        found: set[str] = set()
        new = {name}
        while new:
            new = {n for n, needs in self._upstream.items() if needs & new} - found
            found |= new
        return found
