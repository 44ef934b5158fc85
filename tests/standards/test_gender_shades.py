"""The Gender Shades table: errors by hand, binary and over classes."""

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.metrics.groups.confusions import contingency_to_counts
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.metrics.groups.rates import counts_to_rates
from plumbline.standards.gender_shades import error_table


def count(attribute, group, tp, fp, tn, fn, label=None):
    n = tp + fp + tn + fn
    return {"attribute": attribute, "group": group, "class": label, "n": n, "tp": tp, "fp": fp,
            "tn": tn, "fn": fn}  # fmt: skip


def test_error_is_one_minus_precision_and_the_widest_gap_is_between_intersections():
    counts = [
        count("overall", "all", 60, 20, 100, 20),
        count("sex", "F", 10, 10, 50, 10),
        count("sex", "M", 50, 10, 50, 10),
        count("sex×skin", "F×dark", 4, 6, 20, 5),
        count("sex×skin", "M×light", 40, 0, 30, 4),
        count("sex×skin", "M×dark", 0, 0, 5, 1),
    ]
    table = error_table(counts, confidence=0.95)
    assert table["binary"]
    errors = {row["group"]: row["error"]["value"] for row in table["rows"]}
    assert errors == {"all": 0.25, "F": 0.5, "M": pytest.approx(1 / 6), "F×dark": 0.6,
                      "M×light": 0.0, "M×dark": None}  # fmt: skip
    assert table["rows"][1]["true_positive_rate"]["value"] == 0.5
    assert table["rows"][1]["false_positive_rate"]["n"] == 60
    assert table["widest"] == {
        "attribute": "sex×skin", "lowest": "M×light", "highest": "F×dark", "value": 0.6,
    }  # fmt: skip


def test_over_classes_the_error_is_the_share_of_wrong_rows():
    """Ten rows of two classes: one 'a' is called 'b', so one of ten is wrong."""
    counts = [
        count("ink", "thin", 5, 0, 4, 1, "a"),
        count("ink", "thin", 4, 1, 5, 0, "b"),
        count("ink", "thick", 2, 0, 2, 0, "a"),
        count("ink", "thick", 2, 0, 2, 0, "b"),
    ]
    table = error_table(counts, confidence=0.95)
    assert [row["group"] for row in table["rows"]] == ["thin", "thick"]
    assert [row["error"]["value"] for row in table["rows"]] == [0.1, 0.0]
    assert [row["n"] for row in table["rows"]] == [10, 4]
    assert table["widest"]["value"] == 0.1


def test_over_classes_each_group_has_one_error_and_it_is_one_minus_accuracy():
    """Audits order their counts by class, then by group."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.integers(3, size=(300, 2)), columns=["y_true", "y_pred"])
    rows["ink"], rows["slant"] = rng.choice(["thin", "thick"], 300), rng.choice(["l", "r"], 300)
    found = table_to_contingency(
        rows, attributes=("ink", "slant"), classes=("a", "b", "c"), positive=None
    )
    counts = contingency_to_counts(found, max_order=2, overall=True)
    table = error_table(counts.to_dict("records"), confidence=0.95)
    errors = {(row["attribute"], row["group"]): row["error"]["value"] for row in table["rows"]}
    assert len(table["rows"]) == len(errors) == 1 + 2 + 2 + 4
    rates = counts_to_rates(counts, confidence=0.95)
    rates = rates[rates["metric"] == names.ACCURACY].set_index(["attribute", "group"])["value"]
    assert errors == pytest.approx((1 - rates).to_dict())
    assert table["widest"]["lowest"] != table["widest"]["highest"]
