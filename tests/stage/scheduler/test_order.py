"""Stages before the longest rest come first."""

import pytest

from plumbline.stage.scheduler.order import remaining_seconds


def test_the_rest_of_a_stage_is_its_own_time_and_the_longest_behind_it():
    #  a(1) → b(5) → d(2)      d, e have nothing behind them
    #  a(1) → c(3) → d(2)      c(3) → e(7)
    graph = {"a": ["b", "c"], "b": ["d"], "c": ["d", "e"], "d": [], "e": []}
    seconds = {"a": 1, "b": 5, "c": 3, "d": 2, "e": 7}
    assert remaining_seconds(graph, seconds) == {"e": 7, "d": 2, "c": 10, "b": 7, "a": 11}


def test_a_stage_of_unknown_length_counts_as_long_as_the_mean_of_the_others():
    assert remaining_seconds({"a": ["b"], "b": ["c"], "c": []}, {"a": 2, "c": 4}) == {
        "c": 4, "b": 7, "a": 9,
    }  # fmt: skip
    assert remaining_seconds({"a": ["b"], "b": []}, {}) == {"b": 1, "a": 2}


def test_stages_outside_of_the_pipeline_do_not_count():
    assert remaining_seconds({"a": ["other"]}, {"a": 2, "other": 100}) == {"a": 2}


def test_a_long_chain_needs_no_recursion():
    graph = {str(n): [str(n + 1)] for n in range(5000)}
    assert remaining_seconds(graph, {})["0"] == pytest.approx(5000)
