"""Log lines of commands and stages: messages alone, without passwords or hidden characters."""

from __future__ import annotations

import logging
import re
import sys

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
