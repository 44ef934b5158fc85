"""What a person sees of stages that run side by side: on a terminal, or in a log."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Collection, Mapping

from rich.console import Console

from plumbline.stage.scheduler.display.live import Live
from plumbline.stage.scheduler.display.plain import Plain
from plumbline.stage.scheduler.display.tally import Tally
from plumbline.stage.scheduler.events import Display


def open_display(
    upstream: Mapping[str, Collection[str]], jobs: int, expected: Mapping[str, float]
) -> Display:
    """Return the display of a pipeline on the standard output; see `events.Opener`."""
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):
        # What a stage prints must not end the pipeline where the locale has no such letter.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    tally = Tally(upstream, jobs, expected)
    console = Console(file=sys.stdout, highlight=False)
    draws = console.encoding.startswith("utf") and not console.is_dumb_terminal
    if draws and sys.stdout.isatty():
        return Live(tally, console)
    return Plain(tally, sys.stdout)
