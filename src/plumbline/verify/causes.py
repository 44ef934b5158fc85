"""Causes of different outputs: what differs between two lock entries of a stage, or upstream."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from plumbline.runs import dvc_files
from plumbline.verify import machines

Entries = Mapping[str, dvc_files.LockEntry]

# In the order in which one is named where several hold.
SOURCES, PACKAGES, MACHINE, NONE = (
    "code, data or parameters", "package versions", "machine", "no known cause",
)  # fmt: skip
_ORDER = (SOURCES, PACKAGES, MACHINE, NONE)
_REQUIREMENTS = "requirements.lock"
KERNELS = "kernels"  # parameter of every stage, in `provenance.ENVIRONMENT`


@dataclass(frozen=True)
class Cause:
    """Why the outputs of a stage may differ.

    Attributes
    ----------
    kind : {SOURCES, PACKAGES, MACHINE, NONE}
    note : str
        How the two machines differ, whatever the kind; empty if they do not.
    """

    kind: str
    note: str = ""


def find(
    old: Entries, new: Entries, made: Collection[str], machine: Mapping[str, str]
) -> dict[str, Cause]:
    """Return why the outputs of each stage of both locks may differ.

    Causes are those of the stage itself and of the stages that made inputs with other bits.

    Parameters
    ----------
    old, new : mapping
        Lock entries by stage.
    made : collection of str
        Every path that a stage makes.
    machine : mapping
        Named differences of the two environments (`machines.differences`) by stage.
    """
    makers = {path: name for name, entry in new.items() for path in entry.outs}
    found: dict[str, Cause] = {}

    def of(name: str) -> Cause:
        if name not in found:
            found[name] = Cause(NONE)  # ends a circle, which DVC would refuse
            inputs = [dep for dep in _changed_deps(old[name], new[name]) if is_made(dep, made)]
            own = _own(old[name], new[name], made, machine.get(name, ""))
            found[name] = _first([own, *map(upstream, inputs)])
        return found[name]

    def upstream(dep: str) -> Cause:
        names = {makers[path] for path in makers if _related(dep, path)}
        changed = [name for name in names if name in old and old[name].outs != new[name].outs]
        # No stage made it between the two: other data.
        return _first([of(name) for name in changed] or [Cause(SOURCES)])

    return {name: of(name) for name in new if name in old}


def _first(causes: Sequence[Cause]) -> Cause:
    kind = min((cause.kind for cause in causes), key=_ORDER.index)
    return Cause(kind, next((cause.note for cause in causes if cause.note), ""))


def changed_sources(
    old: dvc_files.LockEntry, new: dvc_files.LockEntry, made: Collection[str]
) -> list[str]:
    """Return the dependencies with another hash that no stage makes: code, lists, raw data."""
    return [path for path in _changed_deps(old, new) if not is_made(path, made)]


def _own(
    old: dvc_files.LockEntry, new: dvc_files.LockEntry, made: Collection[str], machine: str
) -> Cause:
    sources = set(changed_sources(old, new, made))
    params = {name for name in {*old.params, *new.params} - {KERNELS}
              if old.params.get(name) != new.params.get(name)}  # fmt: skip
    kernels = machines.kernel_difference(old.params.get(KERNELS), new.params.get(KERNELS))
    note = ", ".join(filter(None, (kernels, machine)))
    if sources - {_REQUIREMENTS} or params or old.cmd != new.cmd:
        return Cause(SOURCES, note)
    if sources:
        return Cause(PACKAGES, note)
    return Cause(MACHINE, note) if note else Cause(NONE)


def _changed_deps(old: dvc_files.LockEntry, new: dvc_files.LockEntry) -> list[str]:
    return [
        path for path in dict.fromkeys([*new.deps, *old.deps])
        if old.deps.get(path) != new.deps.get(path)
    ]  # fmt: skip


def is_made(path: str, made: Collection[str]) -> bool:
    """Return whether a path, a part of it or a folder above it is among outputs."""
    return any(_related(path, out) for out in made)


def _related(path: str, other: str) -> bool:
    """Return whether two paths are the same or one is a folder above the other."""
    return path == other or other.startswith(f"{path}/") or path.startswith(f"{other}/")
