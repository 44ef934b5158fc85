from dataclasses import replace

import numpy as np
import pytest

from plumbline import names
from plumbline.data_audit.shares import Shares, against_reference, split_drift, widest_gap
from plumbline.metrics.intervals.shares import difference_interval, share_interval
from plumbline.metrics.intervals.survey_design import Counted
from tests.data_audit.made_datasets import OPTIONS


def shares(successes, trials, groups="abcdef", enough=None):
    n = np.array(trials)
    kept = np.ones(len(n), dtype=bool) if enough is None else np.array(enough)
    found = counted(successes, n)
    return Shares("sex", "label_rate/yes", list(groups[: len(n)]), found, n, kept)


def counted(successes, trials):
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    return Counted(k / np.where(n > 0, n, np.nan), k, n)


def test_a_row_holds_the_interval_of_its_share():
    row = shares([8], [10]).rows(0.95)[0]
    assert (row["value"], row["n"], row["verdict"]) == (0.8, 10, None)
    ends = share_interval(8, 10, confidence=0.95)
    assert [row["low"], row["high"]] == pytest.approx([float(end) for end in ends])


def test_the_gap_has_the_interval_of_the_two_extreme_groups():
    gap = widest_gap(shares([48, 56], [80, 70]), confidence=0.95)
    assert gap["value"] == pytest.approx(0.2)
    ends = difference_interval((56, 70), (48, 80), confidence=0.95)
    assert [gap["low"], gap["high"]] == pytest.approx([float(end) for end in ends])
    assert (gap["lowest"], gap["highest"], gap["verdict"]) == ("a", "b", "difference")
    assert gap["reason"] == "a and b differ (simultaneous intervals of 1 comparison)"


def test_more_comparisons_widen_the_interval():
    one = widest_gap(shares([48, 56], [80, 70]), confidence=0.95)
    ten = widest_gap(shares([48, 56], [80, 70]), confidence=0.95, family=10)
    assert ten["low"] < one["low"]
    assert ten["verdict"] == "inconclusive"


def test_groups_with_too_few_rows_are_left_out_and_counted():
    gap = widest_gap(shares([5, 5, 0], [50, 50, 3], enough=[True, True, False]), confidence=0.95)
    assert gap["verdict"] == "inconclusive"
    assert gap["reason"].endswith("1 groups excluded: too few rows")


def test_one_group_is_insufficient():
    gap = widest_gap(shares([5, 0], [50, 3], enough=[True, False]), confidence=0.95)
    assert (gap["verdict"], gap["value"]) == ("insufficient", None)
    assert gap["reason"] == "fewer than two groups have enough rows"


def test_a_group_is_compared_if_it_is_large_enough_and_known():
    groups = ["a×a", "b×a", "unknown×a", "a×unknown", '"x×unknown"×a']
    sizes = np.array([9, 10, 500, 500, 500])
    assert OPTIONS.comparable("g×h", groups, sizes).tolist() == [False, True, False, False, True]
    everyone = replace(OPTIONS, compare_unknown=True)
    assert everyone.comparable("g×h", groups, sizes).tolist() == [False, True, True, True, True]
    alone = [names.UNKNOWN, "x×unknown"]  # the latter is a value that people wrote
    assert OPTIONS.comparable("g", alone, np.array([500, 500])).tolist() == [False, True]


def test_the_widest_gap_has_the_ends_that_its_pairs_leave_open():
    """3 of 3 against 900 of 1,000: the three may be far below as well."""
    found = widest_gap(
        Shares("sex", "x", ["a", "b"], counted([3, 900], [3, 1000]), np.array([3, 1000]),
               np.ones(2, dtype=bool)),
        confidence=0.95,
    )  # fmt: skip
    low, high = difference_interval((3, 3), (900, 1000), confidence=0.95)
    assert (found["low"], found["high"]) == pytest.approx((0.0, -float(low)))
    assert -low > high


def test_shares_are_held_against_the_declared_population():
    found = Shares("sex", "share", ["f", "m"], counted([300, 700], [1000, 1000]),
                   np.array([300, 700]), np.ones(2, dtype=bool))  # fmt: skip
    rows = against_reference(found, {"f": 0.5, "m": 0.49, "x": 0.01}, confidence=0.95)
    assert [row["verdict"] for row in rows] == ["difference"] * 3
    assert [row["value"] for row in rows] == pytest.approx([-0.2, 0.21, -0.01])
    assert rows[2]["n"] == 0
    near = against_reference(found, {"f": 0.31, "m": 0.69}, confidence=0.95)
    assert [row["verdict"] for row in near] == ["inconclusive"] * 2


def test_a_group_thinned_out_in_training_is_named_with_its_direction():
    gap = split_drift(
        "slant", ["left", "right"], train=counted([30, 570], [600, 600]),
        held_out=counted([200, 200], [400, 400]), confidence=0.95,
    )  # fmt: skip
    assert gap["verdict"] == "difference"
    assert gap["value"] == pytest.approx(-0.45)
    assert (gap["lowest"], gap["highest"]) == ("left", "")
    same = split_drift(
        "slant", ["left", "right"], train=counted([60, 60], [120, 120]),
        held_out=counted([20, 20], [40, 40]), confidence=0.95,
    )  # fmt: skip
    assert (same["verdict"], same["value"]) == ("inconclusive", 0.0)


def test_a_split_without_rows_is_insufficient():
    gap = split_drift(
        "a", ["x"], train=counted([3], [3]), held_out=counted([0], [0]), confidence=0.95
    )
    assert gap["verdict"] == "insufficient"


def test_the_bonferroni_family_holds_its_level_without_effect():
    """Without any effect at most 5 % of 400 draws of three groups may show a difference."""
    rng = np.random.default_rng(0)
    alarms = sum(
        widest_gap(shares(rng.binomial(200, 0.4, size=3), [200] * 3), confidence=0.95)["verdict"]
        == "difference"
        for _ in range(400)
    )
    assert alarms <= 30  # 5 % is 20; 30 is 2.3 standard deviations more
