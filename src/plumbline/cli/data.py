"""``plumbline data list | fetch | check``: the sources, their raw files and their digests."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from plumbline.artifacts import digest
from plumbline.data.base import sources
from plumbline.errors import DataError

log = logging.getLogger(__name__)


def show_sources(root: Path) -> None:
    """Print every source with its data set, licence and where its raw files are."""
    from rich.console import Console
    from rich.table import Table

    table = Table("source", "data set", "licence", "raw files", box=None)
    for name, entry in sources.SOURCES.items():
        table.add_row(name, entry.dataset, entry.licence, _state(name, entry, root))
    Console().print(table)


def fetch_source(name: str, root: Path, *, accepted: Sequence[str]) -> None:
    """Fetch a source, with a progress bar on a terminal; see `plumbline.data.fetch.fetch.fetch`."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from plumbline.data.fetch.fetch import fetch

    entry = sources.known(name)
    log.info("%s: %s", name, entry.title)
    log.info("licence: %s", entry.licence)
    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, object] = {}

        def progress(url: str, there: int, total: int | None) -> None:
            if url not in tasks:
                tasks[url] = bar.add_task(url.rpartition("/")[2], total=total)
            bar.update(tasks[url], completed=there, total=total)  # type: ignore[arg-type]

        found = fetch(name, root=root, accepted=accepted, progress=progress)
    for file in found:
        log.info("%s  %s  %s", "kept   " if file.kept else "fetched", file.sha256, file.name)


def check_source(name: str, root: Path) -> None:
    """Check the raw files of a source, or print the digest of a file or folder of one's own.

    Raises
    ------
    DataError
        If a raw file is missing or altered, or there is neither such a source nor such a path.
    """
    if name in sources.SOURCES:
        for file, sha256 in sources.check_raw(name, root=root).items():
            sys.stdout.write(f"{sha256}  {file}\n")
        return
    path = root / name
    if not path.exists():
        known = ", ".join(sources.SOURCES)
        raise DataError(
            f"data: name must be a path or one of {known}, got {name!r}; see plumbline data list"
        )
    sys.stdout.write(f"{digest(path)}  {name}\n")


def _state(name: str, entry: sources.Source, root: Path) -> str:
    if entry.package:
        return f"inside {entry.package} {entry.version}"
    folder = sources.raw_folder(name, root)
    there = [file for file in entry.files if (folder / file).is_file()]
    if not there:
        return f"none; plumbline data fetch {name}"
    return f"{', '.join(there)} in {sources.raw_folder(name).as_posix()}"
