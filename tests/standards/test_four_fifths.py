"""The four-fifths rule against the example of its official answers, Fisher's tea, and SciPy."""

import math

import pytest

from plumbline.standards import four_fifths
from plumbline.standards.four_fifths import four_fifths_tables


def count(group, n, selected, attribute="sex"):
    return {"attribute": attribute, "group": group, "class": None, "n": n, "tp": selected,
            "fp": 0, "tn": n - selected, "fn": 0}  # fmt: skip


def rows(*counts):
    (table,) = four_fifths_tables(counts, unknown=(), confidence=0.95)
    return {row["group"]: row for row in table["rows"]}


def test_the_example_of_question_21_is_reversed_by_one_selection():
    """Three of twenty men and one of ten women: two thirds, but one person turns it around."""
    women = rows(count("men", 20, 3), count("women", 10, 1))["women"]
    assert women["ratio"] == pytest.approx(2 / 3)
    assert women["ratio_flipped"] == pytest.approx((2 / 10) / (2 / 20))
    assert women["finding"] == four_fifths.UNDER_BUT_FLIPS


def test_a_large_gap_in_large_groups_is_under_four_fifths():
    """The rates of question 12 of the answers, 30 % over 60 %, of ten times as many people."""
    found = rows(count("white", 800, 480), count("black", 400, 120))
    assert found["black"]["ratio"] == pytest.approx(0.5)
    assert found["black"]["high"] < 0.8
    assert found["black"]["finding"] == four_fifths.UNDER
    assert found["white"]["finding"] == four_fifths.REFERENCE


def test_a_ratio_under_four_fifths_is_not_settled_where_its_interval_contains_it():
    """48 of 80 and 12 of 40, as in question 12: 0.5, with 0.8 just inside the interval."""
    found = rows(count("white", 80, 48), count("black", 40, 12))["black"]
    assert found["ratio"] == pytest.approx(0.5)
    assert found["high"] >= 0.8
    assert found["finding"] == four_fifths.UNDER_UNSETTLED


def test_fishers_p_value_is_that_of_the_tea_tasting():
    """Three of four against one of four: 34/70 (Fisher, The Design of Experiments, 1935)."""
    milk = rows(count("first", 4, 3), count("last", 4, 1))["last"]
    assert milk["p_value"] == pytest.approx(34 / 70)


@pytest.mark.parametrize(("selected", "finding"), [(40, "UNSETTLED"), (39, "UNDER_UNSETTLED")])
def test_exactly_four_fifths_is_not_under_it(selected, finding):
    found = rows(count("a", 100, 50), count("b", 100, selected))
    assert found["b"]["finding"] == getattr(four_fifths, finding)


@pytest.mark.parametrize(
    ("n", "selected", "finding"),
    [
        (20, 20, "AT_LEAST"),  # all of twenty against nine in ten
        (20, 18, "UNSETTLED"),
        (20, 15, "UNSETTLED"),  # 0.83 here, and anything from 0.6 to 1 by its interval
        (400, 350, "AT_LEAST"),
    ],
)
def test_a_ratio_of_four_fifths_is_no_finding_where_the_rows_do_not_settle_it(n, selected, finding):
    found = rows(count("a", 500, 450), count("b", n, selected))
    group = next(found[g] for g in found if found[g]["finding"] != four_fifths.REFERENCE)
    assert group["finding"] == getattr(four_fifths, finding)
    assert (group["low"] >= 0.8) is (finding == "AT_LEAST")


def test_the_interval_of_a_ratio_of_many_rows_is_near_that_of_its_logarithm():
    """Katz and others (1978): log ratio ± z sqrt(1/x - 1/m + 1/y - 1/n)."""
    found = rows(count("a", 900, 500), count("b", 800, 390))["b"]
    half = 1.959964 * (1 / 390 - 1 / 800 + 1 / 500 - 1 / 900) ** 0.5
    ratio = 390 / 800 / (500 / 900)
    katz = [ratio * math.exp(-half), ratio * math.exp(half)]
    assert [found["low"], found["high"]] == pytest.approx(katz, abs=0.003)


def test_every_exact_four_fifths_of_whole_numbers_is_recognised():
    found = [
        rows(count("a", 5 * n, 5 * k), count("b", 5 * n, 4 * k))["b"]["finding"]
        for n in range(1, 40)
        for k in range(1, n + 1)
    ]
    assert set(found) <= {four_fifths.AT_LEAST, four_fifths.UNSETTLED}


def test_a_group_under_two_percent_is_shown_and_sets_nothing():
    found = rows(count("a", 500, 250), count("b", 490, 200), count("c", 10, 10))
    assert found["c"]["finding"] == four_fifths.SMALL
    assert found["a"]["finding"] == four_fifths.REFERENCE


def test_with_nobody_selected_nothing_is_found():
    found = rows(count("a", 50, 0), count("b", 50, 0))
    assert {row["finding"] for row in found.values()} == {four_fifths.UNDEFINED}
    assert {row["ratio"] for row in found.values()} == {None}


def test_one_selection_in_all_can_always_be_reversed():
    assert rows(count("a", 50, 1), count("b", 50, 0))["b"]["finding"] == (
        four_fifths.UNDER_BUT_FLIPS
    )
