"""Seconds left of a pipeline: schedules made by hand."""

import pytest

from plumbline.stage.scheduler.display.estimate import seconds_left

# a → c → d, b → d; e alone.
UPSTREAM = {"a": (), "b": (), "c": ("a",), "d": ("b", "c"), "e": ()}
SECONDS = {"a": 10.0, "b": 5.0, "c": 20.0, "d": 4.0, "e": 7.0}


def test_one_job_takes_the_sum():
    assert seconds_left(UPSTREAM, 1, SECONDS, {}) == 46


def test_many_jobs_take_the_longest_path():
    assert seconds_left(UPSTREAM, 5, SECONDS, {}) == 34  # a, c, d


def test_two_jobs_start_with_the_longest_rest():
    """a and b (rest 9) at 0, e from 5 to 12, c from 10 to 30, d until 34."""
    assert seconds_left(UPSTREAM, 2, SECONDS, {}) == 34
    # Without a path: 7 and 5 begin, 4 follows at 5; 9.
    assert seconds_left({"e": (), "b": (), "d": ()}, 2, SECONDS, {}) == 9


def test_a_running_stage_has_the_rest_of_its_time_left():
    """c has 5 s to go and d follows; beside it e runs."""
    left = {"c": ("a",), "d": ("b", "c"), "e": ()}
    assert seconds_left(left, 2, SECONDS, {"c": 15.0}) == 9
    assert seconds_left(left, 1, SECONDS, {"c": 15.0}) == 16


def test_a_stage_that_takes_longer_than_before_goes_on_for_a_tenth_of_it():
    assert seconds_left({"e": ()}, 1, SECONDS, {"e": 50.0}) == 5


def test_a_stage_of_unknown_time_takes_the_mean():
    """a, c and d take 11.3 s on average: a quarter of 45.3 s is too much, a fifth is not."""
    some = {name: SECONDS[name] for name in "acd"}
    assert seconds_left({"a": (), "c": (), "d": (), "x": ()}, 1, some, {}) is None
    five = {**some, "e": 7.0}
    left = {"a": (), "c": (), "d": (), "e": (), "x": ()}
    assert seconds_left(left, 1, five, {}) == pytest.approx(41 * 5 / 4)
    assert seconds_left({**left, "y": ()}, 1, five, {}) is None


def test_nothing_known_gives_no_estimate_and_nothing_left_none():
    assert seconds_left(UPSTREAM, 2, {}, {}) is None
    assert seconds_left({}, 2, SECONDS, {}) == 0
