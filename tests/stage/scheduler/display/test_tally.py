"""What has become of stages, and how it is told in the end."""

import pytest

from plumbline.stage.scheduler.display.tally import LAST_LINES, Tally

UPSTREAM = {
    "prepare": (),
    "train@a": ("prepare",),
    "train@b": ("prepare",),
    "evaluate@a": ("train@a",),
    "evaluate@b": ("train@b",),
    "report": ("evaluate@a", "evaluate@b"),
}


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def tally(clock, expected=None, jobs=2) -> Tally:
    return Tally(UPSTREAM, jobs, expected or {}, clock)


def run(book: Tally, clock: Clock, stage: str, seconds: float) -> None:
    book.start(stage, None)
    clock.now += seconds
    book.finish(stage, seconds)


def test_a_pipeline_that_ends_well_is_one_line(clock):
    book = tally(clock)
    book.skip("prepare")
    for stage in list(UPSTREAM)[1:]:
        run(book, clock, stage, 25)
    assert list(book.summary()) == ["6 stages: 5 run, 1 up to date, in 2:05"]
    assert (book.ended, book.total) == (6, 6)


def test_a_failure_is_told_with_its_last_lines_and_what_was_not_run_because_of_it(clock):
    book = tally(clock)
    run(book, clock, "prepare", 3)
    book.start("train@a", None)
    book.start("train@b", None)
    for line in ("train@a: epoch 1/2   50 %", "Traceback:", "  \x1b[31mZeroDivisionError\x1b[0m"):
        book.read("train@a", line)
    clock.now += 12
    book.fail("train@a", "failed to run: python train.py a, exited with 1")
    book.finish("train@b", 12)
    run(book, clock, "evaluate@b", 1)
    book.not_run += ["evaluate@a", "report"]
    assert list(book.summary()) == [
        "train@a failed after 0:12: failed to run: python train.py a, exited with 1",
        "    Traceback:",
        "      ZeroDivisionError",
        "not run because of train@a: evaluate@a, report",
        "6 stages: 1 failed, 2 not run, 3 run, in 0:16",
    ]


def test_stages_that_were_not_run_are_told_by_their_causes(clock):
    book = tally(clock)
    run(book, clock, "prepare", 3)
    book.fail("train@a", "one")
    book.fail("train@b", "two")
    book.not_run += ["evaluate@a", "evaluate@b", "report"]
    assert list(book.summary()) == [
        "train@a failed: one",
        "train@b failed: two",
        "not run because of train@a: evaluate@a",
        "not run because of train@b: evaluate@b",
        "not run because of train@a, train@b: report",
        "6 stages: 2 failed, 3 not run, 1 run, in 0:03",
    ]


def test_an_interruption_is_the_cause_of_nothing_else(clock):
    book = tally(clock)
    book.not_run += list(UPSTREAM)
    assert list(book.summary()) == [
        f"not run: {', '.join(UPSTREAM)}",
        "6 stages: 6 not run, in 0:00",
    ]


def test_of_many_lines_the_last_are_kept(clock):
    book = tally(clock)
    book.start("prepare", None)
    for number in range(40):
        book.read("prepare", f"line {number}")
    book.fail("prepare", "why")
    assert book.failures["prepare"].lines == tuple(f"line {n}" for n in range(40 - LAST_LINES, 40))


def test_the_command_that_dvc_repeats_is_no_news(clock):
    book = tally(clock)
    book.start("prepare", None)
    assert book.read("prepare", "> python pipelines/prepare.py") is None
    assert book.read("prepare", "prepare: a row is missing") == "prepare: a row is missing"
    assert book.read("prepare", "> quoted") == "> quoted"
    assert book.read("", "Generating lock file") == "Generating lock file"


def test_what_is_left_is_estimated_while_a_stage_runs(clock):
    seconds = dict.fromkeys(UPSTREAM, 10.0)
    book = tally(clock, seconds)
    book.start("prepare", 10.0)
    assert book.seconds_left() is None  # stages may be up to date
    clock.now += 4
    assert book.seconds_left() == 6 + 30  # then two trainings, two evaluations, the report
    clock.now += 6
    book.finish("prepare", 10.0)
    assert book.seconds_left() is None


def test_nothing_is_estimated_while_stages_are_found_up_to_date(clock):
    """Then train@b takes 10 s beside the rest of train@a, as do evaluate@b and the report."""
    book = tally(clock, dict.fromkeys(UPSTREAM, 10.0))
    clock.now += 5
    book.skip("prepare")
    book.start("train@a", 10.0)
    clock.now += 1
    assert book.seconds_left() is None
    clock.now += 1
    assert book.seconds_left() == 30


def test_a_slower_machine_scales_what_is_left(clock):
    seconds = {"prepare": 20.0, **dict.fromkeys(list(UPSTREAM)[1:], 10.0)}
    book = tally(clock, seconds)
    run(book, clock, "prepare", 40)
    book.start("train@a", 10.0)
    book.start("train@b", 10.0)
    clock.now += 5
    assert book.seconds_left() == pytest.approx(15 + 20 + 20)
