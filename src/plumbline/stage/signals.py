"""Ends of a stage from outside: SIGTERM, Ctrl-C, or the end of the ``dvc`` above it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from plumbline.runs import processes

_STOPS = (signal.SIGTERM, signal.SIGINT)


class Terminated(BaseException):
    """SIGTERM arrived."""


def install(*, at_once: bool = False) -> None:
    """Turn SIGTERM into `Terminated` and SIGINT into KeyboardInterrupt, and die with the parent.

    A shell that starts its jobs in the background lets them ignore SIGINT, and Python keeps that.

    Parameters
    ----------
    at_once : bool
        Whether the end of the parent kills at once: a process that waits for others inside a
        library handles no other signal.
    """
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _follow_parent(signal.SIGKILL if at_once else signal.SIGTERM)


def end_with(process: Mapping[str, Any], *, interval: float = 0.5) -> None:
    """Send this process SIGTERM when another one, ``{"pid", "started"}``, has ended.

    A stage whose dvc was killed must not go on writing beside the next one, also where a shell
    stands between the two.
    """
    if process["pid"] in (os.getpid(), os.getppid()) and sys.platform == "linux":
        if not processes.is_alive(process):  # it died before `install` asked for the signal
            os.kill(os.getpid(), signal.SIGTERM)
        return
    threading.Thread(target=_watch, args=(dict(process), interval), daemon=True).start()


def end_with_parent(pid: int) -> None:
    """Send this process SIGTERM when its parent, the process ``pid``, has ended."""
    _follow_parent(signal.SIGTERM)
    if os.getppid() != pid:
        os.kill(os.getpid(), signal.SIGTERM)
    elif sys.platform != "linux":
        end_with(processes.pipeline_of(pid))


def ignore() -> None:
    """Ignore further signals while a stage that is ending writes its record."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def deferred() -> Iterator[None]:
    """Let SIGTERM and SIGINT wait until the block has ended.

    Handlers are exchanged rather than signals masked: a mask holds for one thread only.
    """
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda got, frame: arrived.append(got)) for number in _STOPS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if arrived:
        signal.raise_signal(arrived[0])


def _watch(process: Mapping[str, Any], interval: float) -> None:
    while processes.is_alive(process):
        time.sleep(interval)
    os.kill(os.getpid(), signal.SIGTERM)


def _follow_parent(number: signal.Signals) -> None:
    if sys.platform == "linux":  # at once and without a thread; `end_with` covers the rest
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, number)


def _terminate(signum: int, frame: FrameType | None) -> None:
    # Once is enough: Linux signals the end of the parent again for every thread of a dvc, and
    # the second signal would cut off the record of the first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
