"""The thread of one stage: what DVC's functions find out about where they are called."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from plumbline.stage.scheduler.commands import Commands
from plumbline.stage.scheduler.dvc_adapter import waiting
from plumbline.stage.scheduler.dvc_adapter.turn import Rank, Turn
from plumbline.stage.scheduler.events import Display
from plumbline.stage.scheduler.gate import Gate, Request, StoppedError

_FIRST = float("-inf")  # rank of stages whose command has ended: others wait for their entry
_local = threading.local()


class Shared(Protocol):
    """What the stages of a pipeline share."""

    gate: Gate
    turn: Turn
    commands: Commands
    display: Display
    is_stopped: bool

    def expected(self, stage: str) -> float | None:
        """Return how many seconds a stage took when it last ran."""


class Waiter:
    """Who waits for the paths of a stage.

    Attributes
    ----------
    holds_paths : bool
        Whether paths are in use by this thread.
    """

    holds_paths = False

    @contextmanager
    def holding_paths(self) -> Iterator[None]:
        """Hold paths for the length of a block."""
        before, self.holds_paths = self.holds_paths, True
        try:
            yield
        finally:
            self.holds_paths = before


class Worker(Waiter):
    """One stage in its thread.

    Parameters
    ----------
    name : str
        The stage as displays name it.
    rank : tuple
        Its place among those that wait; see `gate.Request`.
    uses_accelerator : bool
    shared : Shared

    Attributes
    ----------
    started : float or None
        `time.monotonic` when its first command started.
    """

    def __init__(self, name: str, rank: Rank, uses_accelerator: bool, shared: Shared) -> None:
        self.name, self._shared = name, shared
        self._request = Request(name, rank, uses_accelerator)
        self._rank = rank
        self.started: float | None = None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside DVC, as this worker."""
        _local.worker = self
        try:
            with self._shared.turn.inside(self._rank):
                yield
        finally:
            del _local.worker

    def wait_for_admission(self) -> None:
        """Wait outside of DVC until the stage may run its commands; see `Gate.enter`."""
        with self._shared.turn.outside(self._rank):
            self._shared.gate.enter(self._request)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Be outside of DVC while the commands of the stage run."""
        self.started = time.monotonic()
        self._shared.display.started(self.name, self._shared.expected(self.name))
        self._rank = (_FIRST, self._rank[1])
        with self._shared.turn.outside(self._rank):
            yield

    def wait_for_paths(self, error: Exception, said: set[str]) -> None:
        """Wait outside of DVC for the paths that another process uses.

        Raises
        ------
        StoppedError
            If the pipeline ends before.
        """
        if self._shared.is_stopped:
            raise StoppedError(self.name) from error
        self._shared.gate.leave(self.name)  # others need not wait for it
        with self._shared.turn.outside(self._rank):
            waiting.for_paths(error, self.say, said)

    def run(self, words: Any, **options: Any) -> int:
        """Run a command; see `Commands.run`."""
        return self._shared.commands.run(words, self.say, **options)

    def say(self, text: str) -> None:
        """Show a line of the stage."""
        self._shared.display.line(self.name, text)


class Serial(Waiter):
    """The one thread of a pipeline whose stages run one after another."""

    name = ""

    def __init__(self, repo: Any) -> None:
        self._repo = repo

    def wait_for_paths(self, error: Exception, said: set[str]) -> None:
        """Wait outside of DVC for the paths that another process uses."""
        self._repo._reset()
        self._repo.lock.unlock()
        try:
            waiting.for_paths(error, say, said)
        finally:
            waiting.for_repository(self._repo, say)


@contextmanager
def serial(repo: Any) -> Iterator[None]:
    """Run stages one after another in this thread for the length of a block."""
    _local.serial = Serial(repo)
    try:
        yield
    finally:
        del _local.serial


def say(text: str) -> None:
    """Write a line to standard error, with what came before it on standard output."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def waiter() -> Worker | Serial | None:
    """Return who waits for paths in this thread; None outside of a pipeline."""
    return getattr(_local, "worker", None) or getattr(_local, "serial", None)


def current() -> Worker | None:
    """Return the worker of this thread; None outside of a pipeline whose stages run at once."""
    return getattr(_local, "worker", None)


def say_of_thread(display: Display) -> Callable[[str], None]:
    """Return a function that shows a line of the stage of the thread it is called in."""

    def show(text: str) -> None:
        worker = current()
        display.line(worker.name if worker else "", text)

    return show
