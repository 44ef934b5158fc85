"""The four-fifths sheet by hand."""

import pandas as pd
import pytest

from plumbline.audit.four_fifths import counts_to_sheet


def sheet(selected, n, compared=None, **options):
    groups = [chr(97 + i) for i in range(len(n))]
    counts = pd.DataFrame({"attribute": "sex", "group": groups, "n": n, "tp": selected, "fp": 0})
    counts = counts.assign(tn=counts["n"] - counts["tp"], fn=0)
    large = pd.DataFrame({"attribute": "sex", "group": compared or groups})
    return {row["group"]: row for row in counts_to_sheet(counts, large, **options)}


def test_the_rule_and_the_flip_of_one():
    """48 of 80 are 0.6, 9 of 20 are 0.45: 0.75 of it; one more, 10 of 20, would be 0.83."""
    rows = sheet([48, 9], [80, 20])
    assert rows["a"]["ratio"] == 1
    assert rows["a"]["below_four_fifths"] is False
    assert rows["a"]["flip_one"] is None
    assert rows["b"]["ratio"] == pytest.approx(0.75)
    assert rows["b"]["below_four_fifths"] is True
    assert rows["b"]["flip_one"] is True
    from scipy.stats import fisher_exact

    assert rows["b"]["p"] == pytest.approx(fisher_exact([[9, 11], [48, 32]]).pvalue)


def test_exactly_four_fifths_is_not_below():
    """40 of 100 against 50 of 100: in floating point 0.4 / 0.5 is 0.8, and 0.24 / 0.3 is not."""
    assert sheet([40, 50], [100, 100])["a"]["below_four_fifths"] is False
    assert sheet([24, 30], [100, 100])["a"]["below_four_fifths"] is False
    assert sheet([23, 30], [100, 100])["a"]["below_four_fifths"] is True


def test_where_nobody_is_selected_no_ratio_is_defined():
    rows = sheet([0, 0], [10, 20])
    assert all(row["ratio"] is None and row["p"] is None for row in rows.values())


def test_a_small_group_is_shown_and_not_compared():
    rows = sheet([10, 8, 1], [20, 20, 1], compared=["a", "b"])
    assert rows["c"]["rate"] == 1
    assert rows["c"]["ratio"] is None
    assert rows["a"]["ratio"] == 1


def test_not_being_selected_can_be_what_is_good_to_get():
    rows = sheet([60, 30], [100, 100], favourable_selected=False)
    assert rows["a"]["rate"] == 0.4
    assert rows["a"]["ratio"] == pytest.approx(0.4 / 0.7)
