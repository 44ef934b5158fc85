"""The identity of Chouldechova (2017), by hand and on counts."""

import numpy as np
import pandas as pd
import pytest

from plumbline.metrics.groups.confusions import contingency_to_counts
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.studies.dilemma.impossibility import implied_fpr, implied_ppv, impossibility_table


def count(group, tp, fp, tn, fn, attribute="race"):
    return {"attribute": attribute, "group": group, "class": None, "n": tp + fp + tn + fn,
            "tp": tp, "fp": fp, "tn": tn, "fn": fn}  # fmt: skip


def table(*counts, replicates=400):
    return impossibility_table(
        counts, "race", Resampling(0.95, replicates, 0)
    )  # fmt: skip


def test_the_identity_by_hand():
    """Of 100 with base rate 0.5, PPV 0.8 and FNR 0.2: 40 found, 10 wrongly, of 50 negatives."""
    assert implied_fpr(0.5, 0.8, 0.2) == pytest.approx(10 / 50)
    assert implied_ppv(0.5, 0.2, 0.2) == pytest.approx(0.8)


def test_every_confusion_matrix_keeps_the_identity():
    rng = np.random.default_rng(1)
    tp, fp, tn, fn = rng.integers(1, 500, size=(4, 1000)).astype(float)
    n, fnr = tp + fp + tn + fn, fn / (tp + fn)
    base, ppv, fpr = (tp + fn) / n, tp / (tp + fp), fp / (fp + tn)
    np.testing.assert_allclose(implied_fpr(base, ppv, fnr), fpr, rtol=1e-12)
    np.testing.assert_allclose(implied_ppv(base, fpr, fnr), ppv, rtol=1e-12)


def test_equal_predictive_values_force_unequal_false_positive_rates():
    """Base rates 0.5 and 0.2 with the common PPV and FNR: the odds 1 and 1/4 set the ratio."""
    found = table(count("A", 400, 100, 400, 100), count("B", 160, 40, 760, 40))
    a, b = found["rows"]
    assert (a["base_rate"], b["base_rate"]) == (0.5, 0.2)
    assert a["identity_error"] < 1e-12
    assert found["common"]["ppv"] == pytest.approx(560 / 700)
    assert a["fpr_if_equal"] / b["fpr_if_equal"] == pytest.approx(4)
    gap = found["gaps"]["fpr"]
    assert gap["value"] == pytest.approx(a["fpr_if_equal"] - b["fpr_if_equal"])
    assert 0 < gap["low"] < gap["value"] < gap["high"]


def test_the_gap_of_small_groups_may_be_none():
    gap = table(count("A", 5, 2, 5, 3), count("B", 4, 2, 6, 3))["gaps"]["fpr"]
    assert gap["low"] < 0 < gap["high"]


def test_equal_base_rates_force_nothing():
    found = table(count("A", 40, 10, 40, 10), count("B", 400, 100, 400, 100))
    assert found["gaps"]["fpr"]["value"] == pytest.approx(0, abs=1e-12)
    assert found["gaps"]["ppv"]["value"] == pytest.approx(0, abs=1e-12)


def test_groups_of_one_class_are_left_out_and_one_group_says_nothing():
    only = count("C", 0, 5, 5, 0)
    assert table(count("A", 4, 1, 4, 1), only) is None
    assert len(table(count("A", 4, 1, 4, 1), count("B", 4, 1, 4, 1), only)["rows"]) == 2
    assert table(count("A", 0, 1, 4, 1), count("B", 0, 1, 4, 1)) is None


def test_a_group_that_may_lack_a_class_has_a_gap_without_an_upper_end():
    """Of four rows with three positives (3/4)^4 = 0.32 of the draws have no negative.

    COMPAS has such a group; the interpolation of its infinite draws warned and gave NaN.
    """
    gaps = table(count("A", 2, 0, 1, 1), count("B", 40, 10, 40, 10), replicates=2000)["gaps"]
    assert np.isfinite(
        [gaps["fpr"]["value"], gaps["fpr"]["low"], *gaps["base_rate"].values()]
    ).all()
    assert gaps["fpr"]["high"] == np.inf


def test_two_groups_that_may_lack_a_class_have_a_gap_without_ends():
    """A lacks negatives in (3/4)^4 = 0.32 of the draws, B in (4/6)^6 = 0.09: ∞, -∞, and ∞ - ∞."""
    small = count("A", 2, 0, 1, 1), count("B", 2, 1, 1, 2)
    gap = table(*small, count("C", 60, 10, 18, 12), replicates=2000)["gaps"]["fpr"]
    assert (gap["low"], gap["high"]) == (-np.inf, np.inf)
    assert np.isfinite(gap["value"])


def decisions(n=400, seed=0):
    rng = np.random.default_rng(seed)
    race = rng.choice(["A", "B"], n)
    y = (rng.random(n) < np.where(race == "A", 0.6, 0.3)).astype(int)
    decided = np.where(rng.random(n) < 0.75, y, 1 - y)
    return pd.DataFrame({"race": race, "y_true": y, "y_pred": decided})


def designed(frame, **design):
    counted = table_to_contingency(
        frame, attributes=["race"], classes=["0", "1"], positive="1", **design
    )
    counts = contingency_to_counts(counted, max_order=1).to_dict("records")
    return impossibility_table(counts, "race", Resampling(0.95, 2000, 0), contingency=counted)


def test_whole_weights_force_what_repeated_rows_force():
    frame, times = decisions(), np.random.default_rng(1).integers(1, 4, 400)
    order = np.repeat(np.arange(400), times)
    repeated = frame.iloc[order].reset_index(drop=True)
    weighted, entities = designed(frame, weight=times), designed(repeated, entity=order)
    plain = impossibility_table(
        contingency_to_counts(
            table_to_contingency(repeated, attributes=["race"], classes=["0", "1"], positive="1"),
            max_order=1,
        ).to_dict("records"),
        "race", Resampling(0.95, 2000, 0),
    )  # fmt: skip
    keys = ("base_rate", "ppv", "fnr", "fpr", "fpr_if_equal", "ppv_if_equal")
    for one, two, three in zip(weighted["rows"], entities["rows"], plain["rows"], strict=True):
        assert [one[k] for k in keys] == pytest.approx([two[k] for k in keys])
        assert [one[k] for k in keys] == pytest.approx([three[k] for k in keys])
    widths = [
        found["gaps"]["fpr"]["high"] - found["gaps"]["fpr"]["low"]
        for found in (weighted, entities, plain)
    ]
    assert widths[0] == pytest.approx(widths[1], rel=0.12)
    # Rows that stand for two, on average, are taken for as many by a count of them.
    assert widths[2] < 0.85 * widths[1]


def test_a_group_whose_rows_of_a_class_weigh_nothing_is_left_out():
    frame = decisions()
    nothing = (frame["race"] == "A") & (frame["y_true"] == 1)
    assert designed(frame, weight=np.where(nothing, 0.0, 1.0)) is None
