"""Counts and rates by group against fairlearn, by hand, and under what must not matter."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.groups import confusions
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.groups.contingency import table_to_contingency

KEYS = ["attribute", "group", "metric"]

# fairlearn's printed example (user guide, "Perform a Fairness Assessment"): four groups' worth of
# rates that can be counted by eye.
TOY = {
    "y_true": [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    "y_pred": [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0],
    "group": list("bbabbcccaacabccbcc"),
    "by_group": {
        "a": {"tpr": 0.5, "fpr": 1.0, "sel": 0.75, "n": 4},
        "b": {"tpr": 0.6, "fpr": 0.0, "sel": 0.5, "n": 6},
        "c": {"tpr": 0.4, "fpr": 2 / 3, "sel": 0.5, "n": 8},
    },
}


def toy():
    folder = os.environ.get("PLUMBLINE_TEST_DATA")
    path = Path(folder or ".") / "oracles/fairlearn_toy.json"
    return json.loads(path.read_text()) if folder and path.is_file() else TOY


def counts_of(table, *, max_order=1, overall=False, **kind):
    return confusions.contingency_to_counts(
        table_to_contingency(table, **kind), max_order=max_order, overall=overall
    )


def rates(table, *, positive="yes", classes=("no", "yes"), max_order=2, attributes=("sex", "age")):
    counts = counts_of(
        table, attributes=attributes, classes=classes, positive=positive, max_order=max_order
    )
    return groups.counts_to_rates(counts, confidence=0.95).set_index(KEYS).sort_index()


def people(n=600, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y_true": rng.integers(classes, size=n),
            "y_pred": rng.integers(classes, size=n),
            "sex": rng.choice(["female", "male"], n),
            "age": rng.choice(["<40", "40-60", "60+"], n, p=[0.05, 0.45, 0.5]),
        }
    )


def test_rates_equal_fairlearn_to_twelve_digits():
    from fairlearn import metrics as peer
    from sklearn.metrics import accuracy_score, precision_score

    table = people()
    functions = {
        names.SELECTION_RATE: peer.selection_rate,
        names.TPR: peer.true_positive_rate,
        names.FPR: peer.false_positive_rate,
        names.TNR: peer.true_negative_rate,
        names.FNR: peer.false_negative_rate,
        names.PPV: precision_score,
        names.ACCURACY: accuracy_score,
    }
    frame = peer.MetricFrame(
        metrics=functions,
        y_true=table["y_true"],
        y_pred=table["y_pred"],
        sensitive_features=table[["sex", "age"]],
    )
    ours = rates(table)["value"]
    for (sex, age), row in frame.by_group.iterrows():
        for metric, expected in row.items():
            assert ours["sex×age", f"{sex}×{age}", metric] == pytest.approx(expected, abs=1e-12)
    alone = peer.MetricFrame(
        metrics=functions,
        y_true=table["y_true"],
        y_pred=table["y_pred"],
        sensitive_features=table["sex"],
    )
    for sex, row in alone.by_group.iterrows():
        for metric, expected in row.items():
            assert ours["sex", sex, metric] == pytest.approx(expected, abs=1e-12)


def test_rates_equal_fairlearns_printed_example():
    oracle = toy()
    table = pd.DataFrame({key: oracle[key] for key in ("y_true", "y_pred", "group")})
    ours = rates(table, attributes=("group",))
    for group, expected in oracle["by_group"].items():
        for key, metric in (("tpr", names.TPR), ("fpr", names.FPR), ("sel", names.SELECTION_RATE)):
            assert ours.loc[("group", group, metric), "value"] == pytest.approx(expected[key])
        assert ours.loc[("group", group, names.ACCURACY), "n"] == expected["n"]


def test_a_group_without_positives_has_an_undefined_true_positive_rate():
    table = pd.DataFrame(
        {"y_true": [0, 0, 1, 1], "y_pred": [0, 1, 1, 0], "sex": ["a", "a", "b", "b"]}
    )
    ours = rates(table, attributes=("sex",))
    row = ours.loc[("sex", "a", names.TPR)]
    assert row[["value", "low", "high"]].isna().all()
    assert row["n"] == 0
    assert ours.loc[("sex", "b", names.TPR), "value"] == 0.5


def test_an_intersection_without_rows_is_a_row_with_no_rows():
    table = pd.DataFrame(
        {"y_true": [0, 1, 1], "y_pred": [0, 1, 1], "sex": ["f", "m", "m"], "age": ["x", "x", "y"]}
    )
    counts = counts_of(
        table, attributes=("sex", "age"), classes=("no", "yes"), positive="yes", max_order=2
    )
    both = counts[counts["attribute"] == "sex×age"].set_index("group")
    assert both["n"].to_dict() == {"f×x": 1, "f×y": 0, "m×x": 1, "m×y": 1}
    assert list(counts.columns) == confusions.COUNT_COLUMNS


def test_renaming_groups_renames_their_rows():
    table = people()
    renamed = table.assign(sex=table["sex"].map({"female": "z", "male": "b"}))
    before, after = rates(table, attributes=("sex",)), rates(renamed, attributes=("sex",))
    for old, new in (("female", "z"), ("male", "b")):
        pd.testing.assert_frame_equal(before.xs(old, level="group"), after.xs(new, level="group"))


def test_many_classes_are_counted_one_against_the_rest():
    from sklearn.metrics import balanced_accuracy_score, multilabel_confusion_matrix

    table = people(classes=4)
    counts = counts_of(
        table, attributes=("sex",), classes=tuple("abcd"), positive=None, overall=True
    )
    for sex, part in table.groupby("sex"):
        own = counts[(counts["attribute"] == "sex") & (counts["group"] == sex)]
        matrices = multilabel_confusion_matrix(part["y_true"], part["y_pred"])
        ours = own[["tn", "fp", "fn", "tp"]].to_numpy()
        np.testing.assert_array_equal(ours, matrices.reshape(4, 4))
    rows = groups.counts_to_rates(counts, confidence=0.95).set_index(KEYS).sort_index()
    values = rows["value"]
    overall = values[names.OVERALL, names.EVERYONE]
    assert overall[names.ACCURACY] == pytest.approx((table["y_true"] == table["y_pred"]).mean())
    assert overall[names.BALANCED_ACCURACY] == pytest.approx(
        balanced_accuracy_score(table["y_true"], table["y_pred"])
    )


def test_balanced_accuracy_over_other_classes_is_not_compared():
    table = pd.DataFrame(
        {"y_true": [0, 1, 2, 0, 1], "y_pred": [0, 1, 2, 0, 0], "sex": ["a", "a", "a", "b", "b"]}
    )
    ours = rates(table, attributes=("sex",), classes=("x", "y", "z"), positive=None)
    assert ours.loc[("sex", "a", names.BALANCED_ACCURACY), "value"] == 1
    assert np.isnan(ours.loc[("sex", "b", names.BALANCED_ACCURACY), "value"])
    assert ours.loc[("sex", "b", names.ACCURACY), "value"] == 0.5


def test_the_balanced_accuracy_interval_covers_what_it_says():
    """400 draws of three classes with 20 to 40 rows each; 0.95 ± 3·sqrt(0.95·0.05/400)."""
    rng = np.random.default_rng(0)
    n, p = np.array([20, 30, 40]), np.array([0.9, 0.6, 0.75])
    tp = rng.binomial(n, p, size=(400, 3))
    counts = pd.DataFrame(
        {
            "attribute": "draw",
            "group": np.repeat(np.arange(400), 3).astype(str),
            "class": np.tile(list("abc"), 400),
            "n": 90,
            "tp": tp.ravel(),
            "fp": 0,
            "tn": 0,
            "fn": (n - tp).ravel(),
        }
    )
    rows = groups.counts_to_rates(counts, confidence=0.95)
    rows = rows[rows["metric"] == names.BALANCED_ACCURACY]
    held = ((rows["low"] <= p.mean()) & (p.mean() <= rows["high"])).mean()
    assert held == pytest.approx(0.95, abs=0.035)


def test_no_attribute_leaves_nothing_to_compare():
    table = people(n=5)
    counts = counts_of(table, attributes=(), classes=("no", "yes"), positive="yes")
    assert counts.empty
    assert list(groups.counts_to_rates(counts, confidence=0.95).columns) == groups.RATE_COLUMNS


def test_unfit_tables_are_named():
    table = people(n=5)
    with pytest.raises(MetricError) as error:
        groups.combination_groups(table, ("race",))
    assert str(error.value) == "groups: table must have the attribute 'race', got no column"
    with pytest.raises(MetricError) as error:
        rates(table, positive="maybe")
    assert str(error.value) == "groups: positive must be one of ['no', 'yes'], got 'maybe'"
