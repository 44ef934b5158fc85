"""Commands of stages: their output line by line, and signals to all of them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported where a signal is sent: most runs send none
    import psutil

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "fish"})
_LONGEST_LINE = 1 << 20  # bytes; a longer line is cut
_SETTLE = 0.2  # seconds before a signal within which a command may have missed it


class Commands:
    """The commands that run, so that the end of the pipeline can be theirs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[subprocess.Popen[bytes], float] = {}
        self._signal: signal.Signals | None = None

    def run(self, words: Sequence[str] | str, say: Callable[[str], None], **options: Any) -> int:
        """Run a command to its end and return its code; ``say`` gets each line that it prints.

        Standard output and error come in one stream, as they would on a terminal. There is no
        standard input: several commands cannot share one.
        """
        reading, writing = os.pipe()
        ended = threading.Event()
        reader = threading.Thread(target=_relay, args=(reading, ended, say), daemon=True)
        try:
            with self._lock:  # none starts unseen by `end`
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                    **options,
                )
                self._running[process] = time.monotonic()
                if self._signal is not None:
                    _send(process, self._signal)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        reader.start()
        try:
            return process.wait()
        finally:
            with self._lock:
                del self._running[process]
            ended.set()
            reader.join()

    def end(self, number: signal.Signals, *, since: float = 0.0) -> None:
        """Send a signal to the commands that run, and to those that start from now on.

        Parameters
        ----------
        number : Signals
        since : float
            `time.monotonic` from which on commands are meant: Ctrl-C reaches those that ran before
            without this process.
        """
        with self._lock:
            self._signal = number
            for process, started in self._running.items():
                if started >= since - _SETTLE:
                    _send(process, number)


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a command, and to what it runs where it is a shell.

    Some shells replace themselves by their last command; of the others the signal would end the
    shell alone.
    """
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        below = _run_by(psutil.Process(process.pid))
        process.send_signal(number)
        for child in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(number)


def _run_by(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that a shell runs, through shells of its own; none of another one."""
    import psutil

    if process.name() not in _SHELLS:
        return []
    found = []
    for child in process.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [child, *_run_by(child)]
    return found


def _relay(stream: int, ended: threading.Event, say: Callable[[str], None]) -> None:
    """Pass the lines of a pipe on until it is closed, or the command has ended and it is empty.

    A process that a command leaves behind may hold the pipe open.
    """
    held = b""
    with open(stream, "rb", buffering=0) as pipe:
        while True:
            over = ended.is_set()  # asked first: what was written before is then in the pipe
            ready, _, _ = select.select([pipe], [], [], 0 if over else 0.1)
            if not ready:
                if over:
                    break
                continue
            if not (chunk := pipe.read(65536)):
                break
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                say(_shown(line))
            if len(held) > 4096:
                held = _last_state(held)
            if len(held) > _LONGEST_LINE:
                say(_shown(held))
                held = b""
    if held:
        say(_shown(held))


def _shown(line: bytes) -> str:
    return _last_state(line).rstrip(b"\r").decode("utf-8", errors="replace")


def _last_state(line: bytes) -> bytes:
    """Return what stands after the last carriage return that something follows."""
    return line[line.rfind(b"\r", 0, len(line.rstrip(b"\r"))) + 1 :]
