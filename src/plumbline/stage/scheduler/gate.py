"""Admission of commands: so many at once, the longest rest first, as far as the machine allows."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from plumbline.stage.scheduler.events import Admit


class StoppedError(Exception):
    """The pipeline ends before a stage has begun."""


@dataclass(frozen=True)
class Request:
    """A command that asks for admission.

    Attributes
    ----------
    stage : str
    rank : tuple
        Lower ones are admitted first.
    uses_accelerator : bool
        Whether the command trains on the accelerator, which one command at a time uses.
    """

    stage: str
    rank: tuple[float, int]
    uses_accelerator: bool = False


class Gate:
    """Admits commands while fewer than ``jobs`` run.

    A place is kept free for a stage of lower rank that may ask in a moment: DVC is still finding
    out whether its command must run.

    Parameters
    ----------
    jobs : int
        At least 1.
    admit : callable
        Whether a stage fits beside those that run; see `events.Admit`. One that does not is passed
        by those that do, and waits at most until nothing runs.
    """

    def __init__(self, jobs: int, admit: Admit) -> None:
        self._jobs, self._admit = jobs, admit
        self._coming: dict[str, tuple[float, int]] = {}
        self._waiting: list[Request] = []
        self._running: dict[str, Request] = {}
        self._is_closed = False
        self._changed = threading.Condition()

    def expect(self, stage: str, rank: tuple[float, int]) -> None:
        """Keep a place for a stage until it enters or leaves."""
        with self._changed:
            self._coming[stage] = rank

    def enter(self, request: Request) -> None:
        """Wait until a command is admitted.

        Raises
        ------
        StoppedError
            If the gate is closed before.
        """
        with self._changed:
            self._coming.pop(request.stage, None)
            if not self._is_closed:
                self._waiting.append(request)
                self._admit_waiting()
            self._changed.wait_for(lambda: request not in self._waiting)
            if request.stage not in self._running:
                raise StoppedError(request.stage)

    def leave(self, stage: str) -> None:
        """Give the place of a stage to another, or that which is kept for it."""
        with self._changed:
            self._coming.pop(stage, None)
            self._running.pop(stage, None)
            self._admit_waiting()

    def close(self) -> None:
        """Admit no more commands."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _admit_waiting(self) -> None:
        for request in sorted(self._waiting, key=lambda request: request.rank):
            if len(self._running) >= self._jobs:
                break
            if any(rank < request.rank for rank in self._coming.values()):
                break
            if self._fits(request):
                self._waiting.remove(request)
                self._running[request.stage] = request
        self._changed.notify_all()

    def _fits(self, request: Request) -> bool:
        if not self._running:
            return True
        busy = any(other.uses_accelerator for other in self._running.values())
        if request.uses_accelerator and busy:
            return False
        return self._admit(request.stage, list(self._running))
