"""Log lines and progress bars of commands and stages, without passwords or hidden characters."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plumbline.artifacts.plain_text import visible

_CREDENTIALS = re.compile(r"//[^\s/'\"]*@")


class Formatter(logging.Formatter):
    """Formats a record as its message, and takes user and password out of every address.

    Libraries write addresses into their errors, so a mask at our own call sites is not enough.
    Messages quote values of data, which a terminal must not obey.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the message with its traceback, if any."""
        return visible(without_password(super().format(record)), keep="\n\t")


def configure() -> None:
    """Let every logger of this process write to standard error, unless something has done so."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def without_password(text: str) -> str:
    """Return a text whose addresses have neither user nor password, which no file may hold.

    Examples
    --------
    >>> without_password("got no answer from https://ann:secret@host:5000/path")
    'got no answer from https://host:5000/path'
    """
    return _CREDENTIALS.sub("//", text)


@contextmanager
def bar(name: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar on a terminal; yield what takes steps done, their total and a text."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), "{task.description}")
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, total, text: shown.update(
            task, completed=done, total=total, description=text
        )
