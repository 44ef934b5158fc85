"""Commands are admitted by rank, as many at once as jobs, one at a time on the accelerator."""

import threading
import time

import pytest

from plumbline.stage.scheduler.gate import Gate, Request, StoppedError


class Stages:
    """Threads that ask for admission and keep their place until they are told to end."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.admitted, self.stopped = gate, [], []

    def ask(self, name: str, rank: float, *, uses_accelerator: bool = False) -> None:
        def run() -> None:
            try:
                self.gate.enter(Request(name, (rank, 0), uses_accelerator))
                self.admitted.append(name)
            except StoppedError:
                self.stopped.append(name)

        threading.Thread(target=run, daemon=True).start()
        time.sleep(0.05)

    def come_to(self, *names: str) -> bool:
        end = time.monotonic() + 5
        while self.admitted != [*names] and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.05)
        return self.admitted == [*names]


def test_the_lowest_rank_gets_the_next_place():
    stages = Stages(Gate(2, lambda name, running: True))
    for name, rank in (("a", -1), ("b", -2), ("c", -3), ("d", -9)):
        stages.ask(name, rank)
    assert stages.come_to("a", "b")
    stages.gate.leave("a")
    assert stages.come_to("a", "b", "d")
    stages.gate.leave("d")
    assert stages.come_to("a", "b", "d", "c")


def test_a_place_is_kept_for_a_lower_rank_that_may_ask_in_a_moment():
    stages = Stages(Gate(2, lambda name, running: True))
    for name, rank in (("coming", -5), ("up to date", -3)):
        stages.gate.expect(name, (rank, 0))
    stages.ask("a", -1)
    stages.ask("first", -9)
    assert stages.come_to("first")
    stages.gate.leave("up to date")
    assert stages.come_to("first")
    stages.ask("coming", -5)
    assert stages.come_to("first", "coming")


def test_one_stage_at_a_time_uses_the_accelerator_and_others_run_beside_it():
    stages = Stages(Gate(3, lambda name, running: True))
    stages.ask("train", -5, uses_accelerator=True)
    stages.ask("other training", -4, uses_accelerator=True)
    stages.ask("audit", -1)
    assert stages.come_to("train", "audit")
    stages.gate.leave("train")
    assert stages.come_to("train", "audit", "other training")


def test_a_stage_that_does_not_fit_waits_at_most_until_nothing_runs():
    asked = []

    def admit(name: str, running: list[str]) -> bool:
        asked.append((name, tuple(running)))
        return name != "large"

    stages = Stages(Gate(2, admit))
    stages.ask("small", -1)
    stages.ask("large", -9)
    stages.ask("medium", -2)
    assert stages.come_to("small", "medium")
    assert ("large", ("small",)) in asked
    stages.gate.leave("small")
    assert stages.come_to("small", "medium")
    stages.gate.leave("medium")
    assert stages.come_to("small", "medium", "large")


def test_a_closed_gate_turns_everyone_away():
    stages = Stages(Gate(1, lambda name, running: True))
    stages.ask("a", -1)
    stages.ask("b", -2)
    stages.gate.close()
    stages.ask("c", -3)
    assert stages.come_to("a")
    assert sorted(stages.stopped) == ["b", "c"]
    with pytest.raises(StoppedError):
        stages.gate.enter(Request("d", (0, 0)))
