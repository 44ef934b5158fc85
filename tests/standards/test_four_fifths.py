"""The four-fifths rule against the example of its official answers, Fisher's tea, and SciPy."""

import pytest

from plumbline.standards import four_fifths
from plumbline.standards.four_fifths import four_fifths_tables


def count(group, n, selected, attribute="sex"):
    return {"attribute": attribute, "group": group, "class": None, "n": n, "tp": selected,
            "fp": 0, "tn": n - selected, "fn": 0}  # fmt: skip


def rows(*counts):
    (table,) = four_fifths_tables(counts, unknown=())
    return {row["group"]: row for row in table["rows"]}


def test_the_example_of_question_21_is_reversed_by_one_selection():
    """Three of twenty men and one of ten women: two thirds, but one person turns it around."""
    women = rows(count("men", 20, 3), count("women", 10, 1))["women"]
    assert women["ratio"] == pytest.approx(2 / 3)
    assert women["ratio_flipped"] == pytest.approx((2 / 10) / (2 / 20))
    assert women["finding"] == four_fifths.UNDER_BUT_FLIPS


def test_a_large_gap_in_large_groups_is_under_four_fifths():
    """48 of 80 and 12 of 40, the example of question 12 of the answers: 30 % over 60 %."""
    found = rows(count("white", 80, 48), count("black", 40, 12))
    assert found["black"]["ratio"] == pytest.approx(0.5)
    assert found["black"]["finding"] == four_fifths.UNDER
    assert found["white"]["finding"] == four_fifths.REFERENCE


def test_fishers_p_value_is_that_of_the_tea_tasting():
    """Three of four against one of four: 34/70 (Fisher, The Design of Experiments, 1935)."""
    milk = rows(count("first", 4, 3), count("last", 4, 1))["last"]
    assert milk["p_value"] == pytest.approx(34 / 70)


@pytest.mark.parametrize(("selected", "finding"), [(40, "AT_LEAST"), (39, "UNDER")])
def test_exactly_four_fifths_is_not_under_it(selected, finding):
    found = rows(count("a", 100, 50), count("b", 100, selected))
    assert found["b"]["finding"] == getattr(four_fifths, finding)


def test_every_exact_four_fifths_of_whole_numbers_is_recognised():
    found = [
        rows(count("a", 5 * n, 5 * k), count("b", 5 * n, 4 * k))["b"]["finding"]
        for n in range(1, 40)
        for k in range(1, n + 1)
    ]
    assert set(found) == {four_fifths.AT_LEAST}


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
