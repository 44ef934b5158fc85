"""Which stages fit into memory side by side, from the peaks of their earlier runs."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

UNKNOWN = 2**30  # bytes: of a stage where no stage has run before

_LISTING = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
# Files of a control group: limit, use, and in `memory.stat` the cache that the kernel gives up.
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_FRESH = 0.2  # seconds for which a measurement holds: a scheduler asks for every ready stage


class Memory:
    """Says whether a stage fits into memory beside those that run; see `events.Admit`.

    Parameters
    ----------
    peaks : mapping
        Bytes of the stages' earlier runs, where they are known.
    """

    def __init__(self, peaks: Mapping[str, int]) -> None:
        self._peaks = peaks
        self._measured = -_FRESH
        self._held: dict[str, int] = {}
        self._available = 0

    def __call__(self, stage: str, running: Sequence[str]) -> bool:
        """Return whether the stage may start now."""
        if time.monotonic() - self._measured > _FRESH:
            self._held = held()
            self._available = available(sum(self._held.values()))
            self._measured = time.monotonic()
        beside = [(need(name, self._peaks), self._held.get(name, 0)) for name in running]
        return admit(need(stage, self._peaks), beside, self._available)


def admit(peak: int, running: Collection[tuple[int, int]], free: int) -> bool:
    """Return whether a stage fits beside others that may still grow; always where none runs.

    Parameters
    ----------
    peak : int
        Of the stage, in bytes.
    running : collection of (int, int)
        Peak and present memory of each stage that runs, in bytes.
    free : int
        Bytes that all of them can still get.
    """
    growth = sum(max(most - now, 0) for most, now in running)
    return not running or peak + growth <= free


def need(stage: str, peaks: Mapping[str, int]) -> int:
    """Return the peak to expect of a stage, in bytes.

    A stage that has not run counts as the largest known of its group (``train@…``), else of all,
    else as `UNKNOWN`.
    """
    if stage in peaks:
        return peaks[stage]
    group = stage.partition("@")[0]
    like = [peak for name, peak in peaks.items() if name.partition("@")[0] == group]
    return max(like or peaks.values(), default=UNKNOWN)


def held() -> dict[str, int]:
    """Return the memory that the processes of each running stage hold now, in bytes.

    They are those below this process to which DVC has told the name of a stage.
    """
    import psutil

    found: dict[str, int] = {}
    for child in psutil.Process().children(recursive=True):
        try:
            name = child.environ().get("DVC_STAGE", "").rpartition(":")[2]
            found[name] = found.get(name, 0) + child.memory_info().rss
        except (psutil.Error, OSError):  # it has ended, or the system does not say
            continue
    found.pop("", None)
    return found


def available(used: int = 0) -> int:
    """Return the bytes that this process and its children can still get without swapping.

    Parameters
    ----------
    used : int
        What the children hold, which counts against a limit of the address space (``ulimit -v``).
    """
    import psutil

    room = [psutil.virtual_memory().available, *cgroup_room()]
    if (limit := _address_space()) is not None:
        room.append(limit - used)
    return int(max(min(room), 0))


def cgroup_room(listing: Path = _LISTING, mount: Path = _MOUNT) -> Iterator[int]:
    """Yield what is left of the memory limit of each control group that holds this process.

    Version 1 and 2 of control groups; none on other systems. In a container the group's own path
    may not be there, and the top of the mount is the group.
    """
    text = listing.read_text(encoding="utf-8") if listing.exists() else ""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, names = mount, _VERSION_2
        elif "memory" in controllers.split(","):
            top, names = mount / "memory", _VERSION_1
        else:
            continue
        group = top / path.strip("/")
        for folder in (group, *group.parents):
            if (left := _room(folder, *names)) is not None:
                yield left
            if folder == top:
                break


def _room(folder: Path, limit: str, used: str, cache: str) -> int | None:
    try:
        most = (folder / limit).read_text(encoding="ascii").strip()
        if most == "max":
            return None
        rows = (row.split() for row in (folder / "memory.stat").read_text("ascii").splitlines())
        stat = {row[0]: int(row[1]) for row in rows}
        return int(most) - int((folder / used).read_text(encoding="ascii")) + stat.get(cache, 0)
    except (OSError, ValueError, IndexError):  # no such group, or no limit of memory
        return None


def _address_space() -> int | None:
    try:
        import resource
    except ImportError:  # no POSIX system
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
