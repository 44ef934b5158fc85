"""Local Law 144: rates and ratios by hand, small and unknown categories, nobody selected."""

import pytest

from plumbline.standards.local_law_144 import impact_tables


def count(attribute, group, n, selected):
    half = selected // 2
    return {"attribute": attribute, "group": group, "class": None, "n": n, "tp": half,
            "fp": selected - half, "tn": n - selected, "fn": 0}  # fmt: skip


def tables(*counts):
    return impact_tables(
        counts, sex="gender", race="ethnicity", unknown=("not stated",), confidence=0.95
    )


def test_rates_and_ratios_are_those_of_a_sum_by_hand():
    sex, race, crossed = tables(
        count("overall", "all", 500, 170),
        count("gender", "F", 300, 90),
        count("gender", "M", 200, 80),
        count("gender×ethnicity", "F×A", 100, 40),
        count("gender×ethnicity", "M×A", 100, 50),
    )
    assert [(r["group"], r["rate"], r["impact_ratio"]) for r in sex["rows"]] == [
        ("F", 0.3, pytest.approx(0.75)),
        ("M", 0.4, 1.0),
    ]
    assert (race["attribute"], race["rows"]) == (None, [])
    assert [r["impact_ratio"] for r in crossed["rows"]] == [0.8, 1.0]
    assert crossed["attribute"] == "gender×ethnicity"


def test_a_value_that_ends_like_an_unknown_one_is_a_category():
    sex, _, crossed = tables(
        count("gender", "x×not stated", 100, 40),
        count("gender", "M", 100, 50),
        count("gender×ethnicity", '"x×not stated"×A', 100, 40),
        count("gender×ethnicity", "M×not stated", 100, 50),
    )
    assert (len(sex["rows"]), sex["unknown"]) == (2, 0)
    assert (len(crossed["rows"]), crossed["unknown"]) == (1, 100)


def test_a_ratio_has_an_interval_and_that_of_the_highest_category_with_itself_has_none():
    sex, _, _ = tables(count("gender", "F", 300, 90), count("gender", "M", 200, 80))
    women, men = sex["rows"]
    assert women["low"] < 0.75 < women["high"]
    assert (men["impact_ratio"], men["low"], men["high"]) == (1.0, None, None)


def test_the_intersection_is_found_whichever_attribute_comes_first():
    assert tables(count("ethnicity×gender", "A×F", 10, 5))[2]["attribute"] == "ethnicity×gender"


def test_a_category_under_two_percent_keeps_its_count_and_rate_but_sets_no_ratio():
    _, race, _ = tables(
        count("ethnicity", "A", 490, 98),
        count("ethnicity", "B", 500, 50),
        count("ethnicity", "C", 10, 9),  # 1 % of the rows, with the highest rate
    )
    assert [(r["rate"], r["impact_ratio"], r["under_min_share"]) for r in race["rows"]] == [
        (0.2, 1.0, False),
        (0.1, 0.5, False),
        (0.9, None, True),
    ]


def test_unknown_categories_are_counted_and_left_out_also_in_an_intersection():
    sex, _, crossed = tables(
        count("gender", "F", 60, 30),
        count("gender", "not stated", 40, 40),
        count("gender×ethnicity", "F×A", 50, 30),
        count("gender×ethnicity", "F×not stated", 10, 0),
        count("gender×ethnicity", "not stated×A", 40, 40),
    )
    assert (sex["unknown"], [r["group"] for r in sex["rows"]]) == (40, ["F"])
    assert (crossed["unknown"], [r["group"] for r in crossed["rows"]]) == (50, ["F×A"])


def test_with_nobody_selected_a_ratio_is_undefined_and_not_zero():
    sex, _, _ = tables(count("gender", "F", 50, 0), count("gender", "M", 50, 0))
    assert [r["impact_ratio"] for r in sex["rows"]] == [None, None]


def test_the_lowest_ratio_is_fairlearns_demographic_parity_ratio():
    import numpy as np
    from fairlearn.metrics import demographic_parity_ratio

    rng = np.random.default_rng(4)
    group = rng.integers(0, 4, 4000)
    decided = (rng.random(4000) < np.array([0.2, 0.5, 0.35, 0.6])[group]).astype(int)
    sex, _, _ = tables(
        *(
            count("gender", str(g), int((group == g).sum()), int(decided[group == g].sum()))
            for g in range(4)
        )
    )
    theirs = demographic_parity_ratio(decided, decided, sensitive_features=group)
    assert min(row["impact_ratio"] for row in sex["rows"]) == pytest.approx(theirs, abs=1e-12)
