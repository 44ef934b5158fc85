"""Verdicts follow from intervals, which hold at once and allow for both many and few rows."""

import math

import pytest

from plumbline.metrics.intervals import shares
from plumbline.monitoring.comparisons import (
    DRIFTED,
    GROUP,
    TOO_FEW,
    WITHIN,
    share_comparison,
    to_lines,
    verdict,
)
from plumbline.monitoring.distances import UNDEFINED, Distance


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Distance(0.3, 0.11, 0.5), DRIFTED),
        (Distance(-0.3, -0.5, -0.11), DRIFTED),
        (Distance(0.3, 0.1, 0.5), WITHIN),  # the interval touches the smallest relevant change
        (Distance(0.05, 0.04, 0.06), WITHIN),  # surely a change, and surely a small one
        (Distance(0.0, -0.41, 0.41), TOO_FEW),
        (Distance(0.7, 0.2, 1.2), DRIFTED),  # few rows show a very large change
        (UNDEFINED, TOO_FEW),
    ],
)
def test_a_verdict_needs_an_interval_beyond_the_smallest_relevant_change(change, said):
    assert verdict(change, smallest=0.1, large=0.5) == said


def test_intervals_are_those_of_shares_at_the_level_of_a_family():
    pairs = [((50, 100), (80, 100)), ((10, 100), (11, 100)), ((0, 0), (3, 10))]
    asked = [
        share_comparison(GROUP, str(number), *pair, smallest=0.05)
        for number, pair in enumerate(pairs)
    ]
    first, second, last = to_lines(asked, confidence=0.95)
    low, high = shares.difference_interval((80, 100), (50, 100), confidence=1 - 0.05 / 3)
    assert (first.name, first.verdict, first.change) == ("0", DRIFTED, pytest.approx(0.3))
    assert (first.low, first.high) == (pytest.approx(float(low)), pytest.approx(float(high)))
    assert first.detectable == pytest.approx(0.05 + max(0.3 - low, high - 0.3))
    assert (second.name, second.verdict) == ("1", WITHIN)
    assert (last.reference, last.new, last.change, last.low) == (None, 0.3, None, None)
    assert (last.verdict, last.detectable) == (TOO_FEW, None)


def test_lines_are_sorted_by_their_change_in_units_of_what_is_relevant():
    asked = [
        share_comparison(GROUP, "a", (50, 100), (60, 100), smallest=0.1),
        share_comparison(GROUP, "b", (50, 100), (45, 100), smallest=0.02),
    ]
    found = to_lines(asked, confidence=0.95)
    assert [(line.name, round(line.size, 9)) for line in found] == [("b", 2.5), ("a", 1.0)]
    assert math.isclose(sum(line.change for line in found), 0.05)
