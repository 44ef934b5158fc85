"""Commands for the sources of data: their raw files and digests."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.artifacts.plain_text import visible
from plumbline.cli.options import HERE, Root

if TYPE_CHECKING:
    from plumbline.data.base.sources import Source

app = typer.Typer(
    no_args_is_help=True, help="List, fetch and check the sources of data.",
    epilog="Example: plumbline data fetch adult",
)  # fmt: skip
log = logging.getLogger(__name__)


def _names() -> list[str]:
    from plumbline.data.base.sources import SOURCES

    return list(SOURCES)


@app.command("list", epilog="Example: plumbline data list")
def list_sources(root: Root = HERE) -> None:
    """Print every source with its data set, its licence and the place of its raw files."""
    from rich.console import Console
    from rich.table import Table

    from plumbline.data.base.sources import SOURCES

    table = Table("source", "data set", "licence", "raw files", box=None)
    for name, entry in SOURCES.items():
        table.add_row(name, entry.dataset, entry.licence, _state(name, entry, root))
    Console().print(table)


@app.command(epilog="Example: plumbline data fetch adult")
def fetch(
    name: Annotated[str, typer.Argument(help="Name of a source.", autocompletion=_names)],
    root: Root = HERE,
    accept_digest: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHA256", help="Accept a file without a pinned sha256 if this is its digest."
        ),
    ] = None,
) -> None:
    """Download, verify and unpack the raw files of a source. No other command uses the network."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from plumbline.data.base.sources import known
    from plumbline.data.fetch.fetch import fetch

    entry = known(name)
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

        found = fetch(name, root=root, accepted=accept_digest or (), progress=progress)
    for file in found:
        log.info("%s  %s  %s", "kept   " if file.kept else "fetched", file.sha256, file.name)


@app.command(epilog="Example: plumbline data check data/raw/mine/loans.csv")
def check(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a source, or path of a file or folder of your own.",
            autocompletion=_names,
        ),
    ],
    root: Root = HERE,
) -> None:
    """Check the raw files of a source, or print the sha256 of a path."""
    from plumbline.data.base.sources import SOURCES, check_raw, user_digest
    from plumbline.errors import DataError

    if name in SOURCES:
        for file, sha256 in check_raw(name, root=root).items():
            typer.echo(visible(f"{sha256}  {file}"))
        return
    path = root / name
    if not (path.is_file() or path.is_dir()):
        raise DataError(
            f"data: name must be a file, a folder or one of {', '.join(SOURCES)}, got {name!r}; "
            "see plumbline data list"
        )
    typer.echo(visible(f"{user_digest(path)}  {name}"))


def _state(name: str, entry: Source, root: Path) -> str:
    from plumbline.data.base.sources import raw_folder

    if entry.package:
        return f"inside {entry.package} {entry.version}"
    there = [file for file in entry.files if (raw_folder(name, root) / file).is_file()]
    if not there:
        return f"none; plumbline data fetch {name}"
    return f"{', '.join(there)} in {raw_folder(name).as_posix()}"
