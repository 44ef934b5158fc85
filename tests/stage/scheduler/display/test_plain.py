"""Lines of a log."""

import io

import pytest

from plumbline.stage.scheduler.display.plain import Plain
from plumbline.stage.scheduler.display.tally import Tally
from tests.stage.scheduler.display.test_tally import UPSTREAM, Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sink():
    return io.StringIO()


@pytest.fixture
def plain(clock, sink):
    return Plain(Tally(UPSTREAM, 2, {}, clock), sink)


def test_each_event_is_a_line(plain, clock, sink):
    plain.up_to_date("prepare")
    plain.started("train@a", None)
    plain.started("train@b", 40.0)
    clock.now += 4
    plain.line("train@a", "train@a: a warning")
    plain.line("train@b", "Traceback")
    clock.now += 36
    plain.finished("train@a", 40.0)
    plain.failed("train@b", "failed to run: python x, exited with 1")
    assert sink.getvalue().splitlines() == [
        "[1/6] 0:00 prepare up to date",
        "[1/6] 0:00 train@a started",
        "[1/6] 0:00 train@b started, about 0:40",
        "train@a: a warning",
        "train@b: Traceback",
        "[2/6] 0:40 train@a finished in 0:40",
        "[3/6] 0:40 train@b failed: failed to run: python x, exited with 1",
    ]


def test_progress_is_one_line_in_ten_seconds_and_its_last_state_at_the_end(plain, clock, sink):
    plain.started("train@a", None)
    for epoch in range(1, 31):
        clock.now += 1
        plain.line(
            "train@a", f"train@a: epoch {epoch}/30  {epoch * 10 // 3:3} %  val/loss 0.{epoch}"
        )
    plain.finished("train@a", 30.0)
    assert sink.getvalue().splitlines()[1:] == [
        "train@a: epoch 10/30   33 %  val/loss 0.10",
        "train@a: epoch 20/30   66 %  val/loss 0.20",
        "train@a: epoch 30/30  100 %  val/loss 0.30",
        "[1/6] 0:30 train@a finished in 0:30: epoch 30/30  val/loss 0.30",
    ]


def test_a_stage_that_waits_for_memory_says_so_once(plain, sink):
    for _ in range(3):
        plain.waiting("train@a")
    assert sink.getvalue() == "[0/6] 0:00 train@a waits for memory\n"


def test_the_end_is_told(plain, sink):
    plain.failed("prepare", "why")
    plain.not_run(["train@a"])
    plain.close()
    assert sink.getvalue().splitlines()[1:] == [
        "prepare failed: why",
        "not run because of prepare: train@a",
        "6 stages: 1 failed, 1 not run, in 0:00",
    ]


def test_a_reader_that_has_gone_stops_nothing(clock):
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    plain = Plain(Tally(UPSTREAM, 2, {}, clock), Closed())
    plain.started("prepare", None)
    plain.finished("prepare", 1.0)
    plain.close()
