"""Run of a pipeline whose stages run side by side."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from plumbline.stage.scheduler import order, worker
from plumbline.stage.scheduler.commands import Commands
from plumbline.stage.scheduler.dvc_adapter import messages, waiting
from plumbline.stage.scheduler.dvc_adapter.turn import Turn
from plumbline.stage.scheduler.events import Admit, Display, OneAtATime, Opener
from plumbline.stage.scheduler.gate import Gate, StoppedError
from plumbline.stage.scheduler.plan import Plan

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Settings:
    """How stages run side by side.

    Attributes
    ----------
    jobs : int
        Commands at once.
    opener : callable
        Makes the display; see `events.Opener`.
    seconds : mapping
        How long stages took when they last ran.
    admit : callable
        Whether a stage fits beside others; see `events.Admit`.
    has_accelerator : bool
        Whether trainings use an accelerator, so that one at a time can run.
    """

    jobs: int
    opener: Opener
    seconds: Mapping[str, float]
    admit: Admit
    has_accelerator: bool = False


@dataclass(frozen=True)
class Node:
    """A stage of the plan.

    Attributes
    ----------
    name : str
        As displays name it; unique in the plan.
    stage : dvc.stage.Stage
    uses_accelerator : bool
    upstream : frozenset of str
        Names of the stages that must end before it begins.
    """

    name: str
    stage: Any
    uses_accelerator: bool
    upstream: frozenset[str]


class Pipeline:
    """One run of stages, at most ``settings.jobs`` commands at once.

    A failure ends what depends on it; everything else is run. Ctrl-C and SIGTERM end the commands
    that run, and no other one starts.

    Parameters
    ----------
    repo : dvc.repo.Repo
        Locked by the caller, as it is again in the end.
    nodes : sequence of Node
        In the order of a serial run.
    reproduce : callable
        Brings a stage up to date inside DVC; returns it if it had to be run or restored, else None.
    on_failure : callable
        Is told of each stage that fails, with its error and the names of the stages that depend
        on it, and returns those of them that must not be run.
    settings : Settings

    Attributes
    ----------
    failed : dict
        Errors by name, in the order in which they came.
    not_run : list of str
        Stages that were not run, in plan order.
    signal : Signals or None
        By which the run was ended.
    """

    def __init__(
        self,
        repo: Any,
        nodes: Sequence[Node],
        reproduce: Callable[[Node], Any],
        on_failure: Callable[[Node, Exception, set[str]], set[str]],
        settings: Settings,
    ) -> None:
        self._repo, self._reproduce, self._on_failure = repo, reproduce, on_failure
        self._nodes = {node.name: node for node in nodes}
        self._seconds, self._admit = settings.seconds, settings.admit
        names = list(self._nodes)
        self._plan = Plan(names, {node.name: node.upstream for node in nodes})
        self._ranks = _ranks(nodes, settings.seconds)
        self._running: set[str] = set()
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._results: dict[str, Any] = {}
        self.failed: dict[str, BaseException] = {}
        self.not_run: list[str] = []
        self.signal: signal.Signals | None = None
        self.is_stopped = False
        self.commands = Commands()
        self.gate = Gate(settings.jobs, self._fits)
        plan = {node.name: node.upstream for node in nodes}
        self.display: Display = OneAtATime(settings.opener(plan, settings.jobs, settings.seconds))
        self.turn = Turn(repo, self._lock)

    def run(self) -> list[Any]:
        """Run the stages and return those that had to be run or restored, in plan order."""
        try:
            with (
                messages.routed(worker.say_of_thread(self.display)),
                self._signals(),
                ThreadPoolExecutor(len(self._nodes)) as pool,
            ):
                try:
                    while self._begin(pool) or self._running:
                        self._next_event()()
                except BaseException:
                    # The threads must end before this one can: none may wait for it.
                    self._stop()
                    self.commands.end(signal.SIGTERM)
                    raise
        finally:
            if not self._repo.lock.is_locked:
                self._lock()
            self.not_run = [name for name in self._nodes if name not in self._ended]
            if self.not_run:
                self.display.not_run(self.not_run)
            self.display.close()
        return [self._results[name] for name in self._nodes if self._results.get(name)]

    def expected(self, stage: str) -> float | None:
        """Return how many seconds a stage took when it last ran."""
        return self._seconds.get(stage)

    def _fits(self, stage: str, running: Sequence[str]) -> bool:
        fits = self._admit(stage, running)
        if not fits:
            self.display.waiting(stage)
        return fits

    @property
    def _ended(self) -> set[str]:
        return {*self._results, *self.failed}

    def _next_event(self) -> Callable[[], None]:
        while True:
            # Python sees a signal that another thread received only between two steps of this one.
            with contextlib.suppress(queue.Empty):
                return self._events.get(timeout=0.2)

    def _begin(self, pool: ThreadPoolExecutor) -> bool:
        """Begin with every stage that can: whether its command must run is seen only then."""
        names = [] if self.is_stopped else self._plan.ready()
        for name in sorted(names, key=self._ranks.__getitem__):
            self._plan.begin(name)
            self._running.add(name)
            self.turn.expect()
            self.gate.expect(name, self._ranks[name])
            pool.submit(self._work, self._nodes[name])
        return bool(names)

    def _work(self, node: Node) -> None:
        mine = worker.Worker(node.name, self._ranks[node.name], node.uses_accelerator, self)
        result: Any = None
        error: BaseException | None = None
        try:
            with mine.inside():
                result = self._reproduce(node)
        except BaseException as raised:  # the main thread decides
            error = raised
        self._events.put(lambda: self._end(node, mine.started, result, error))

    def _end(
        self, node: Node, started: float | None, result: Any, error: BaseException | None
    ) -> None:
        self._running.remove(node.name)
        if error is None:
            self._results[node.name] = result
            self._plan.end(node.name)
            if started is None:
                self.display.up_to_date(node.name)
            else:
                self.display.finished(node.name, time.monotonic() - started)
        elif not isinstance(error, StoppedError):
            self._fail(node, error)
        # Its successors are announced before: the lock is kept between up-to-date stages, and its
        # place goes to the one with the longest rest.
        self._events.put(lambda: self._forget(node.name))

    def _forget(self, name: str) -> None:
        self.turn.forget()
        self.gate.leave(name)

    def _fail(self, node: Node, error: BaseException) -> None:
        self.failed[node.name] = error
        self.display.failed(node.name, str(error))
        if not isinstance(error, Exception):
            self._stop()
            return
        dependents = self._plan.dependents(node.name) & {*self._plan.left}
        self._plan.drop(self._on_failure(node, error, dependents))
        self._plan.end(node.name)

    def _stop(self) -> None:
        self.is_stopped = True
        self.gate.close()

    def _lock(self) -> None:
        say = worker.say_of_thread(self.display)
        in_thread = worker.current() is not None
        waiting.for_repository(self._repo, say, lambda: in_thread and self.is_stopped)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """End the pipeline by SIGINT and SIGTERM, for the length of a block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handler(number: int, frame: FrameType | None) -> None:
            arrived = time.monotonic()
            self._events.put(lambda: self._interrupt(signal.Signals(number), arrived))

        before = {n: signal.getsignal(n) for n in _SIGNALS}
        for number in _SIGNALS:
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, handler)
        try:
            yield
        finally:
            for number in _SIGNALS:
                signal.signal(number, before[number])

    def _interrupt(self, number: signal.Signals, arrived: float) -> None:
        self._stop()
        self.signal = self.signal or number
        # The terminal sends Ctrl-C to the commands as well; SIGTERM comes to this process alone.
        self.commands.end(number, since=arrived if number == signal.SIGINT else 0.0)


def _ranks(nodes: Sequence[Node], seconds: Mapping[str, float]) -> dict[str, tuple[float, int]]:
    """Return the rank of each stage: the longest rest first, then the order of the plan."""
    downstream: dict[str, list[str]] = {node.name: [] for node in nodes}
    for node in nodes:
        for other in node.upstream & downstream.keys():
            downstream[other].append(node.name)
    rest = order.remaining_seconds(downstream, seconds)
    return {node.name: (-rest[node.name], place) for place, node in enumerate(nodes)}
