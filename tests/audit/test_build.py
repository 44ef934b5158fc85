"""The whole audit: verdicts, reasons, and what must not change it."""

import dataclasses

import numpy as np
import pytest

from plumbline import names
from plumbline.artifacts import dump_json
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from tests.audit import tables


def audited(predictions, **changes):
    return predictions_to_audit(predictions, AuditOptions(**{**tables.OPTIONS, **changes}))


def gap_of(audit, attribute, metric, comparison="difference"):
    (found,) = [
        gap
        for gap in audit["gaps"]
        if (gap["attribute"], gap["metric"], gap["comparison"]) == (attribute, metric, comparison)
    ]
    return found


def row_of(audit, attribute, group, metric):
    (found,) = [
        row
        for row in audit["rows"]
        if (row["attribute"], row["group"], row["metric"]) == (attribute, group, metric)
    ]
    return found


def test_a_planted_difference_is_found_with_its_sign_and_size():
    audit = audited(tables.people(n=2000, selection=(0.3, 0.6)))
    gap = gap_of(audit, "sex", names.SELECTION_RATE)
    assert gap["verdict"] == names.DIFFERENCE
    assert (gap["lowest"], gap["highest"]) == ("female", "male")
    assert gap["low"] < 0.3 < gap["high"]
    assert gap["reason"] == (
        "female and male differ, one pair compared; p < 0.0001, adjusted < 0.0001 (family of "
        "24 hypotheses)."
    )
    assert row_of(audit, "sex", "male", names.SELECTION_RATE)["verdict"] == names.DIFFERENCE
    assert audit["worst"]["attribute"] == "sex"


def test_no_difference_is_never_called_equal():
    gap = gap_of(audited(tables.people()), "sex", names.SELECTION_RATE)
    assert gap["verdict"] == "inconclusive"
    assert gap["reason"] == (
        "every interval holds 0, one pair compared; groups of these sizes with one rate would "
        f"differ by up to {gap['by_chance']:.3g}."
    )


def test_alarms_on_equal_groups_are_rare():
    """40 tables without any effect, selection rate by sex: 5 % and three standard errors."""
    quick = {"max_order": 1, "replicates": 10}
    alarms = [
        gap_of(audited(tables.people(n=200, seed=seed), **quick), "sex", names.SELECTION_RATE)
        for seed in range(40)
    ]
    rate = np.mean([gap["verdict"] == names.DIFFERENCE for gap in alarms])
    assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def test_a_group_without_positives_is_insufficient_and_left_out():
    predictions = tables.people()
    male = predictions.table["sex"] == "male"
    predictions.table.loc[male, "y_true"] = 0
    audit = audited(predictions)
    row = row_of(audit, "sex", "male", names.TPR)
    assert np.isnan(row["value"])
    assert (row["n"], row["verdict"]) == (0, names.INSUFFICIENT)
    gap = gap_of(audit, "sex", names.TPR)
    assert gap["verdict"] == names.INSUFFICIENT
    assert gap["value"] is None
    assert gap["reason"] == (
        "only one group has enough data for true positive rate; 1 group excluded, too few "
        "cases: male (n = 0)."
    )
    assert gap_of(audit, "sex", names.SELECTION_RATE)["verdict"] != names.INSUFFICIENT


@pytest.mark.parametrize(("changes", "few"), [({"min_group_size": 10}, 9), ({}, 11)])
def test_small_groups_are_named_and_take_no_part(changes, few):
    """Nine of 600 are under ten rows, eleven are under 2 %."""
    predictions = tables.people()
    predictions.table["age"] = "60+"
    predictions.table.loc[: few - 1, "age"] = "<40"
    predictions.table.loc[few : few + 199, "age"] = "40-60"
    predictions.table.loc[: few - 1, "y_pred"] = 1
    audit = audited(predictions, **changes)
    assert row_of(audit, "age", "<40", names.SELECTION_RATE)["verdict"] == names.INSUFFICIENT
    assert row_of(audit, "age", "<40", names.SELECTION_RATE)["value"] == 1
    gap = gap_of(audit, "age", names.SELECTION_RATE)
    assert "<40" not in (gap["lowest"], gap["highest"])
    assert f"1 group excluded, too few cases: <40 (n = {few})." in gap["reason"]


def test_a_ratio_of_nothing_to_nothing_is_insufficient():
    audit = audited(tables.people(selection=(0, 0)))
    gap = gap_of(audit, "sex", names.SELECTION_RATE, "ratio")
    assert gap["verdict"] == names.INSUFFICIENT
    assert gap["reason"] == (
        "the selection rate is 0 in every group, so that their ratio is undefined."
    )
    assert gap_of(audit, "sex", names.SELECTION_RATE)["verdict"] == names.INCONCLUSIVE


@pytest.mark.parametrize(
    "predictions",
    [
        tables.people(n=200),
        tables.people(n=200, classes=("a", "b", "c"), positive=None),
        tables.numbers(n=100),
        tables.documents({"a": [1.0] * 12, "b": [2.0] * 15}),
    ],
    ids=["binary", "many classes", "regression", "language"],
)
def test_row_order_changes_nothing(predictions):
    shuffled = dataclasses.replace(
        predictions, table=predictions.table.sample(frac=1, random_state=0)
    )
    assert dump_json(audited(predictions)) == dump_json(audited(shuffled))


def test_renaming_groups_renames_them_and_nothing_else():
    predictions = tables.people(selection=(0.3, 0.6))
    renamed = dataclasses.replace(
        predictions,
        table=predictions.table.assign(
            sex=predictions.table["sex"].map({"female": "a-female", "male": "b-male"})
        ),
    )
    text = dump_json(audited(renamed))
    assert text.replace("a-female", "female").replace("b-male", "male") == dump_json(
        audited(predictions)
    )


def test_classes_are_compared_by_accuracy_and_counted_one_by_one():
    audit = audited(tables.people(classes=("a", "b", "c"), positive=None))
    assert {row["metric"] for row in audit["rows"]} == {names.ACCURACY, names.BALANCED_ACCURACY}
    assert audit["worst"]["metric"] == names.ACCURACY
    own = [c for c in audit["counts"] if (c["attribute"], c["group"]) == ("sex", "male")]
    assert [count["class"] for count in own] == ["a", "b", "c"]
    assert all(c["tp"] + c["fp"] + c["tn"] + c["fn"] == c["n"] for c in audit["counts"])


def test_a_regression_is_compared_by_bias_and_by_error():
    audit = audited(tables.numbers(n=600, bias=(0.0, 0.5), spread=(1.0, 2.0)))
    bias = gap_of(audit, "sex", names.MEAN_RESIDUAL)
    assert bias["verdict"] == names.DIFFERENCE
    assert bias["low"] < 0.5 < bias["high"]
    assert audit["worst"] == gap_of(audit, "sex", names.RMSE)
    assert audit["counts"] == []
    assert not [g for g in audit["gaps"] if g["metric"] == names.MEAN_RESIDUAL
                and g["comparison"] == "ratio"]  # fmt: skip


def test_text_is_compared_by_part_over_documents():
    audit = audited(tables.documents({"a": [1.0] * 20, "b": [2.0] * 20, "c": [9.0] * 3}))
    gap = gap_of(audit, "part", names.BITS_PER_CHARACTER)
    assert gap["verdict"] == names.DIFFERENCE
    assert (gap["lowest"], gap["highest"]) == ("a", "b")
    assert gap["reason"] == (
        "a and b differ, one pair compared; p < 0.0001; 1 group excluded, too few cases: c (n = 3)."
    )


def test_a_generator_that_leaves_a_style_out_is_told():
    audit = audited(tables.images(thin=(0.2, 0.5)))
    gap = gap_of(audit, "thickness", names.REPRESENTATION_GAP)
    assert gap["verdict"] == names.DIFFERENCE
    assert (gap["lowest"], gap["highest"]) == ("thin", "thick")
    assert abs(gap["value"]) == pytest.approx(0.3, abs=0.1)
    assert gap["reason"].endswith(
        "real images, 2 groups, simultaneous intervals; p < 0.0001, adjusted < 0.0001 (family of "
        "4 hypotheses)."
    )
    assert audit["worst"] == gap
    assert row_of(audit, "thickness", "thin", "kid/cnn")["verdict"] is None
    assert not [g for g in audit["gaps"] if g["metric"].startswith("kid")]


def test_a_generator_like_the_data_shows_no_difference():
    gap = gap_of(audited(tables.images()), "thickness", names.REPRESENTATION_GAP)
    assert gap["verdict"] == names.INCONCLUSIVE
    assert gap["reason"] == "every interval holds 0, 2 groups, simultaneous intervals."


def test_the_audit_is_json_and_says_what_it_left_out():
    audit = audited(tables.people(n=60))
    assert "NaN" not in dump_json(audit)
    accuracy = [row for row in audit["rows"] if row["metric"] == names.ACCURACY]
    assert audit["notes"][0] == (
        "A group needs 10 rows and 2 % of them; "
        f"{[row['verdict'] for row in accuracy].count(names.INSUFFICIENT)}"
        " of 11 groups have fewer and are called insufficient."
    )
    assert set(audit) == {
        "model", "kind", "dataset", "source", "split", "n", "confidence", "attributes", "rows",
        "counts", "gaps", "family", "confidence_of_each", "causes",
        "roc", "left_out", "detectable", "worst", "notes", "remarks",
    }  # fmt: skip
    assert set(audit["rows"][0]) == {
        "attribute", "group", "metric", "value", "low", "high", "n", "verdict",
    }  # fmt: skip
