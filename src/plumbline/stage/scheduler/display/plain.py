"""Progress of a pipeline as lines of a log, where there is no terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TextIO

from plumbline.stage.scheduler.display.tally import Tally
from plumbline.stage.scheduler.display.text import about, clean, clock, with_stage

INTERVAL = 10.0  # least seconds between two lines of progress of a stage


class Plain:
    """Writes a line for each event; of the progress of a stage one each ten seconds.

    Parameters
    ----------
    tally : Tally
    sink : text stream
    """

    def __init__(self, tally: Tally, sink: TextIO) -> None:
        self._tally, self._sink = tally, sink
        self._shown: dict[str, float] = {}

    def started(self, stage: str, expected_seconds: float | None) -> None:
        """See `events.Display`."""
        self._tally.start(stage, expected_seconds)
        takes = about(expected_seconds)
        self._count(f"{stage} started{takes and f', {takes}'}")

    def waiting(self, stage: str) -> None:
        """See `events.Display`."""
        if stage not in self._tally.waiting:
            self._tally.waiting.add(stage)
            self._count(f"{stage} waits for memory")

    def line(self, stage: str, text: str) -> None:
        """See `events.Display`."""
        if (news := self._tally.read(stage, text)) is not None:
            self._say(with_stage(stage, news) if news else "")
            return
        state = self._tally.running[stage]
        last = self._shown.get(stage, state.started)
        if state.progress is not None and self._tally.elapsed(last) >= INTERVAL:
            self._shown[stage] = last + self._tally.elapsed(last)
            self._say(with_stage(stage, clean(text)))

    def up_to_date(self, stage: str) -> None:
        """See `events.Display`."""
        self._tally.skip(stage)
        self._count(f"{stage} up to date")

    def finished(self, stage: str, seconds: float) -> None:
        """See `events.Display`."""
        state = self._tally.finish(stage, seconds)
        last = f": {state.progress.result}" if state and state.progress else ""
        self._count(f"{stage} finished in {clock(seconds)}{last}")

    def failed(self, stage: str, error: str) -> None:
        """See `events.Display`."""
        self._tally.fail(stage, error)
        self._count(f"{stage} failed: {clean(error)}")

    def not_run(self, stages: Sequence[str]) -> None:
        """See `events.Display`."""
        self._tally.not_run += stages

    def close(self) -> None:
        """See `events.Display`."""
        for line in self._tally.summary():
            self._say(line)

    def _count(self, text: str) -> None:
        tally = self._tally
        self._say(f"[{tally.ended}/{tally.total}] {clock(tally.elapsed())} {text}")

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more: the stages go on
            self._sink.write(f"{text}\n")
            self._sink.flush()
