"""Texts of a display, from what stages print."""

from __future__ import annotations

import re
from typing import NamedTuple

from plumbline.artifacts.plain_text import visible

_STYLES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # control sequences of terminals: colours and such
# Lines of progress of our stages and of tqdm; any other line is news.
_FIT = re.compile(r"^\S+: (?=epoch \d+/\d+\b)")
_ROWS = re.compile(r"^[^:]+: (?P<done>\d+) of (?P<all>\d+) \w+, \d+ s$")
_BAR = re.compile(r"^[^|]*?(?P<percent>\d{1,3})%\|")
_PERCENT = re.compile(r"  +(?P<percent>\d{1,3}) %")
_LEFT = re.compile(r"  +at most \d+ s left$")


class Progress(NamedTuple):
    """What a line of progress tells.

    Attributes
    ----------
    text : str
        Without the name of the stage and the share of the work done.
    fraction : float or None
        Share of the work done, 0 to 1; None if the line does not say.
    """

    text: str
    fraction: float | None

    @property
    def result(self) -> str:
        """The text without the time that is left."""
        return _LEFT.sub("", self.text)


def clean(line: str) -> str:
    """Return a line as it may be shown: without styles, and nothing that a terminal obeys."""
    return visible(_STYLES.sub("", line).expandtabs(4)).rstrip()


def progress(line: str) -> Progress | None:
    """Return what a `clean` line tells of a stage's progress, None if it is no such line.

    Examples
    --------
    >>> progress("train@rnn: epoch 1/7   14 %  val/loss 1.6  at most 28 s left")
    Progress(text='epoch 1/7  val/loss 1.6  at most 28 s left', fraction=0.14)
    """
    if found := _FIT.match(line):
        percent = _PERCENT.search(line)
        text = _PERCENT.sub("", line[found.end() :], count=1)
        return Progress(text, _share(int(percent["percent"]), 100) if percent else None)
    if found := _ROWS.match(line):
        return Progress(line, _share(int(found["done"]), int(found["all"])))
    if found := _BAR.match(line):
        return Progress(line.rpartition("|")[2].strip(), _share(int(found["percent"]), 100))
    return None


def with_stage(stage: str, line: str) -> str:
    """Return a line with the name of its stage before it, unless it begins with it."""
    return line if not stage or line.startswith(f"{stage}:") else f"{stage}: {line}"


def clock(seconds: float) -> str:
    """Return a duration as ``0:07``, ``12:30`` or ``1:02:03``.

    Examples
    --------
    >>> clock(7.9), clock(750), clock(3723)
    ('0:07', '12:30', '1:02:03')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def about(seconds: float | None) -> str:
    """Return ``about 0:40`` for a time that is expected; empty if it is not known, or short."""
    return f"about {clock(seconds)}" if seconds is not None and seconds >= 1 else ""


def _share(done: int, total: int) -> float | None:
    return min(done / total, 1.0) if total else None
