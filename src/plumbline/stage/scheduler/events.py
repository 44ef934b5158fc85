"""Events of a pipeline whose stages run side by side, as a display is told of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol


class Display(Protocol):
    """Shows what the stages of a pipeline do.

    Stages are named as in the run records (``mitigate@none``, without the file of their pipeline).
    Threads call the methods, one at a time: no method needs a lock of its own, and none may wait
    for long. Every stage of the plan gets ``up_to_date``, ``finished``, ``failed`` or a place in
    ``not_run``, once; ``started`` comes before ``finished`` and may come before ``failed``.
    """

    def started(self, stage: str, expected_seconds: float | None) -> None:
        """Show that the command of a stage has started; None if it has never run before."""

    def waiting(self, stage: str) -> None:
        """Show that a stage could start and does not yet fit into memory; may come again."""

    def line(self, stage: str, text: str) -> None:
        """Show a whole line that a stage printed, or that DVC printed about it.

        It has no end of line. A progress bar that a command draws over with carriage returns
        comes as its last state, in one line. ``stage`` is empty for lines about the pipeline.
        """

    def up_to_date(self, stage: str) -> None:
        """Show that a stage needed no command: nothing changed, or the run cache had it."""

    def finished(self, stage: str, seconds: float) -> None:
        """Show that a stage has ended well and is in the lock, this long after its start."""

    def failed(self, stage: str, error: str) -> None:
        """Show that a stage has failed; its own last lines have been passed to `line`."""

    def not_run(self, stages: Sequence[str]) -> None:
        """Show which stages were not run because of a failure or an interruption."""

    def close(self) -> None:
        """Show the end of the pipeline and give the terminal back."""


# Makes the display of a pipeline from its stages in plan order, each with those that must end
# before it begins, the number of jobs, and the seconds that stages took when they last ran, where
# that is known.
Opener = Callable[[Mapping[str, Collection[str]], int, Mapping[str, float]], Display]

# Says whether a stage fits into memory beside those that run. It is asked again whenever a stage
# has ended, and not asked where none runs.
Admit = Callable[[str, Sequence[str]], bool]


class OneAtATime:
    """Passes the calls of several threads to a display one after another.

    An output that nobody reads any more (``plumbline repro | head``) stops no stage.
    """

    def __init__(self, display: Display) -> None:
        self._display, self._lock = display, threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._display, name)

        def call(*values: object) -> None:
            with self._lock, contextlib.suppress(BrokenPipeError):
                method(*values)

        return call
