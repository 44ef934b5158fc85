"""Turns of threads inside DVC, which is not made for several at once."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Rank = tuple[float, int]


class Turn:
    """Lets one thread at a time into DVC, the lowest rank first, with the repository locked.

    The repository's own lock, which keeps other processes out, is given back whenever nobody is
    inside or about to be: as long as commands run, other DVC commands can.

    Parameters
    ----------
    repo : dvc.repo.Repo
        Locked by the caller.
    lock : callable
        Takes the lock of the repository and waits for it.
    """

    def __init__(self, repo: Any, lock: Callable[[], None]) -> None:
        self._repo, self._lock = repo, lock
        self._changed = threading.Condition()
        self._waiting: list[tuple[Rank, int]] = []
        self._numbers = itertools.count()
        self._is_free = True
        self._interest = 0

    def expect(self) -> None:
        """Announce a thread that will want a turn, so that the lock is kept for it."""
        with self._changed:
            self._interest += 1

    def forget(self) -> None:
        """Take an announcement back; the lock is given back after the last one."""
        with self._changed:
            self._interest -= 1
            if self._is_free and not self._interest:
                self._unlock()

    @contextmanager
    def inside(self, rank: Rank) -> Iterator[None]:
        """Be inside DVC for the length of a block, after an announcement."""
        try:
            self._enter(rank)
            yield
        finally:
            self._leave()

    @contextmanager
    def outside(self, rank: Rank) -> Iterator[None]:
        """Let others into DVC for the length of a block that runs without it."""
        self._repo._reset()  # as DVC does around commands: they may change anything it has read
        with self._changed:
            self._interest -= 1
        self._leave()
        try:
            yield
        finally:
            self.expect()
            self._enter(rank)
            self._repo._reset()

    def _enter(self, rank: Rank) -> None:
        ticket = (rank, next(self._numbers))
        with self._changed:
            heapq.heappush(self._waiting, ticket)
            self._changed.wait_for(lambda: self._is_free and self._waiting[0] == ticket)
            heapq.heappop(self._waiting)
            self._is_free = False
        if not self._repo.lock.is_locked:
            self._lock()

    def _leave(self) -> None:
        with self._changed:
            if not self._interest:
                self._unlock()
            self._is_free = True
            self._changed.notify_all()

    def _unlock(self) -> None:
        if self._repo.lock.is_locked:
            self._repo._reset()
            self._repo.lock.unlock()
