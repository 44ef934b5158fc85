"""What has become of the stages of a pipeline so far, and how it is told in the end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from plumbline.stage.scheduler.display import estimate
from plumbline.stage.scheduler.display.text import Progress, clean, clock, progress

LAST_LINES = 12  # of a stage that has failed
_SETTLED = 2.0  # seconds after an up-to-date stage: while more may follow, nothing is estimated
_ENOUGH = 10.0  # seconds of ended stages from which on their pace says something


@dataclass
class Running:
    """A stage whose command runs."""

    started: float
    expected: float | None
    progress: Progress | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))


@dataclass(frozen=True)
class Failure:
    """A stage that has failed, with the last lines that it printed."""

    error: str
    seconds: float | None
    lines: tuple[str, ...]


class Tally:
    """The stages of a pipeline by what has become of them.

    Parameters
    ----------
    upstream : mapping
        Every stage in plan order, with those that must end before it begins.
    jobs : int
        Stages at once.
    expected : mapping
        Seconds that stages took when they last ran, where that is known.
    now : callable
        The clock, in seconds.
    """

    def __init__(
        self,
        upstream: Mapping[str, Collection[str]],
        jobs: int,
        expected: Mapping[str, float],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream, self._jobs, self._expected, self._now = upstream, jobs, expected, now
        self._began = self._skipped = now()
        self._took: list[tuple[float, float]] = []  # and was expected
        self._ended: set[str] = set()
        self.running: dict[str, Running] = {}
        self.waiting: set[str] = set()
        self.has_run = self.up_to_date = 0
        self.failures: dict[str, Failure] = {}
        self.not_run: list[str] = []

    @property
    def total(self) -> int:
        """Number of stages."""
        return len(self._upstream)

    @property
    def ended(self) -> int:
        """Number of stages that have ended, well or not."""
        return len(self._ended)

    @property
    def longest_name(self) -> int:
        """Number of letters of the longest name."""
        return max(map(len, self._upstream), default=0)

    def elapsed(self, since: float | None = None) -> float:
        """Return the seconds since a moment, by default since the pipeline began."""
        return self._now() - (self._began if since is None else since)

    def start(self, stage: str, expected: float | None) -> None:
        """Take note that a stage has started."""
        self.waiting.discard(stage)
        self.running[stage] = Running(self._now(), expected)

    def read(self, stage: str, line: str) -> str | None:
        """Take note of a line of a stage; return it if it is news, None if it is progress."""
        line = clean(line)
        if (stage_ := self.running.get(stage)) is None:
            return line
        if not stage_.lines and stage_.progress is None and line.startswith("> "):
            return None  # DVC's echo of the command
        if (found := progress(line)) is not None:
            stage_.progress = found
            return None
        stage_.lines.append(line)
        return line

    def skip(self, stage: str) -> None:
        """Take note that a stage needed no command."""
        self._ended.add(stage)
        self.up_to_date += 1
        self._skipped = self._now()

    def finish(self, stage: str, seconds: float) -> Running | None:
        """Take note that a stage has ended well, and return how it was."""
        self._ended.add(stage)
        self.has_run += 1
        if stage in self._expected:
            self._took.append((seconds, self._expected[stage]))
        return self.running.pop(stage, None)

    def fail(self, stage: str, error: str) -> None:
        """Take note that a stage has failed."""
        self._ended.add(stage)
        self.waiting.discard(stage)
        last = self.running.pop(stage, None)
        seconds = self.elapsed(last.started) if last else None
        lines = tuple(last.lines) if last else ()
        self.failures[stage] = Failure(clean(error), seconds, lines)

    def seconds_left(self) -> float | None:
        """Return how long the pipeline will take from now on; None if too little is known.

        Times of earlier runs are scaled by what the stages of this one took beside theirs.
        """
        if self.elapsed(self._skipped) < _SETTLED or not self.running:
            return None
        took, before = (sum(pair[at] for pair in self._took) for at in (0, 1))
        pace = min(max(took / before, 0.5), 3.0) if before > _ENOUGH else 1.0
        left = {name: up for name, up in self._upstream.items() if name not in self._ended}
        return estimate.seconds_left(
            left,
            self._jobs,
            {name: pace * seconds for name, seconds in self._expected.items()},
            {name: self.elapsed(stage.started) for name, stage in list(self.running.items())},
        )

    def summary(self) -> Iterator[str]:
        """Yield the lines that tell how the pipeline ended."""
        for name, failure in self.failures.items():
            after = "" if failure.seconds is None else f" after {clock(failure.seconds)}"
            yield f"{name} failed{after}: {failure.error}"
            yield from (f"    {line}" for line in failure.lines)
        for cause, names in self._causes():
            yield f"not run{cause}: {', '.join(names)}"
        counts = {
            "failed": len(self.failures),
            "not run": len(self.not_run),
            "run": self.has_run,
            "up to date": self.up_to_date,
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        stages = "stage" if self.total == 1 else "stages"
        yield f"{self.total} {stages}: {told or 'none run'}, in {clock(self.elapsed())}"

    def _causes(self) -> Iterable[tuple[str, list[str]]]:
        """Return the stages that were not run by the failures that they depend on."""
        found: dict[str, list[str]] = {}
        for name in self.not_run:
            failed = sorted(self._above(name) & self.failures.keys())
            cause = f" because of {', '.join(failed)}" if failed else ""
            found.setdefault(cause, []).append(name)
        return found.items()

    def _above(self, stage: str) -> set[str]:
        todo, found = [stage], set[str]()
        while todo:
            before = set(self._upstream.get(todo.pop(), ())) - found
            found |= before
            todo += before
        return found
