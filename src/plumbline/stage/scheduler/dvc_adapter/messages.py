"""Messages of DVC, passed on by the stage whose thread they come from."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOGGERS = ("dvc", "dvc_objects", "dvc_data")
_BARS = ("dvc.progress", "dvc_data.callbacks")  # their level decides whether bars are drawn
# What a display says in its own words, and what a killed DVC leaves for each of its paths.
_TOLD = {
    "",
    "Running stage '%s':",
    "Stage '%s' didn't change, skipping",
    "'%s' didn't change, skipping",
    "Stage '%s' is cached - skipping run, checking out outputs",
    "Process '%s' with (Pid %s), in RWLock-file '%s' had been killed. "
    "Auto removed it from the lock file.",
}


@contextmanager
def routed(say: Callable[[str], None]) -> Iterator[None]:
    """Pass each line that DVC logs to ``say`` for the length of a block, and draw no bars."""
    handlers = {
        handler: handler.stream
        for name in _LOGGERS
        for handler in logging.getLogger(name).handlers
        if isinstance(handler, logging.StreamHandler)
    }
    levels = {name: logging.getLogger(name).level for name in _BARS}
    stream = _Lines(say)
    for handler in handlers:
        handler.setStream(stream)
        handler.addFilter(_is_news)
    for name in _BARS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, before in handlers.items():
            handler.setStream(before)
            handler.removeFilter(_is_news)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


class _Lines(io.TextIOBase):
    """A text stream that passes on whole lines, of each thread by itself."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._held = threading.local()

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._held, "text", "") + text).split("\n")
        for line in lines:
            self._say(line)
        self._held.text = rest
        return len(text)


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg not in _TOLD
