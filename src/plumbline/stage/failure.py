"""Diagnosis of how a stage ended: exit code, status of its run, and message."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from typing import NamedTuple

from plumbline.errors import DiskError, PlumblineError
from plumbline.runs import records
from plumbline.stage import signals

INTERRUPTED, TERMINATED = 130, 143  # 128 + signal number, the shell's convention
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Diagnosis(NamedTuple):
    """How a stage ended."""

    code: int
    status: str
    text: str


def diagnose(
    error: BaseException, *, stage: str = "stage", resumes: str | None = None
) -> Diagnosis:
    """Diagnose how a stage ended from the exception of its script.

    Parameters
    ----------
    error : BaseException
    stage : str
        Named in messages that are not made by the stage itself.
    resumes : str or None
        From where its next run goes on; see `checkpoints.position`.
    """
    if (stopped := _stopped_by(error)) is not None:
        code, cause = stopped
        then = f"goes on from {resumes}" if resumes else "runs it again"
        text = f"stopped: {cause}; DVC records nothing of this stage, the next repro {then}"
        return Diagnosis(code, records.KILLED, text)
    if (reason := _disk_is_full(error)) is not None:
        then = f"; it goes on from {resumes}" if resumes else ""
        text = f"{stage}: disk must have room, got {reason}; free some and run it again{then}"
        return Diagnosis(DiskError.exit_code, records.FAILED, text)
    if isinstance(error, PlumblineError):
        return Diagnosis(error.exit_code, records.FAILED, str(error))
    if isinstance(error, SystemExit):
        text = f"stopped: exit code {error.code}"
        code = (error.code if isinstance(error.code, int) else 1) or 1
        return Diagnosis(code, records.FAILED, text)
    text = "".join(traceback.format_exception(error)).rstrip()
    return Diagnosis(1, records.FAILED, text)


def _stopped_by(error: BaseException) -> tuple[int, str] | None:
    # Lightning turns SIGTERM into a SystemExit with code 0, after which DVC would lock a
    # half-trained model, and Ctrl-C into a SystemExit with code 1 raised while handling it.
    if isinstance(error, signals.Terminated) or type(error).__name__ == "SIGTERMException":
        return TERMINATED, "SIGTERM received"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, SystemExit) and error.__context__ is not None:
        return _stopped_by(error.__context__)
    return None


def _disk_is_full(error: BaseException) -> str | None:
    # Libraries that write from C++ or Rust keep the system's words and lose its number.
    for cause in _causes(error):
        for number in _FULL:
            words = os.strerror(number)
            if (isinstance(cause, OSError) and cause.errno == number) or words in str(cause):
                place = getattr(cause, "filename", None)
                return f"{words!r} at {os.path.basename(place)}" if place else repr(words)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
