"""The whole audit: verdicts, reasons, and what must not change it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from plumbline import names
from plumbline.artifacts import dump_json
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.options import AuditOptions
from plumbline.errors import MetricError
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
    assert (gap["low"], gap["margin"], gap["within_margin"]) == (0.0, 0.1, False)
    assert gap["high"] > 0.1
    assert gap["reason"] == (
        "every interval holds 0, one pair compared; a difference between male and female of "
        f"{gap['detectable']:.3g} would have been shown in 80 % of samples."
    )


def test_a_gap_is_equivalent_if_its_whole_interval_is_within_the_margin():
    audit = audited(tables.people(n=8000), max_order=1)
    gap = gap_of(audit, "sex", names.SELECTION_RATE)
    assert gap["verdict"] == names.EQUIVALENT
    assert gap["high"] < gap["margin"] == 0.1
    assert gap["within_margin"] is True
    assert gap["reason"] == "the whole interval is within the margin of 0.1, one pair compared."
    ratio = gap_of(audit, "sex", names.SELECTION_RATE, "ratio")
    assert (ratio["verdict"], ratio["high"]) == (names.EQUIVALENT, 1.0)
    assert ratio["low"] > ratio["margin"] == 0.8
    assert ratio["reason"].startswith("the whole interval is within the margin of 0.8 to 1.25,")
    assert row_of(audit, "sex", "male", names.SELECTION_RATE)["verdict"] == names.EQUIVALENT
    # The same table without a declared margin is inconclusive: nothing says what is little.
    none = gap_of(audited(tables.people(n=8000), max_order=1, margins=()), "sex", "selection_rate")
    assert (none["verdict"], none["margin"]) == (names.INCONCLUSIVE, None)
    assert none["within_margin"] is None


def test_a_difference_within_the_margin_is_a_difference_and_says_so():
    audit = audited(tables.people(n=40_000, selection=(0.5, 0.54)), max_order=1)
    gap = gap_of(audit, "sex", names.SELECTION_RATE)
    assert gap["verdict"] == names.DIFFERENCE
    assert gap["within_margin"] is True
    assert gap["reason"].endswith("; but the whole interval is within the margin of 0.1.")


def test_many_rows_in_a_small_share_are_compared():
    """4,470 people, 1.5 % of 300,000, are selected at .097 against .50: a difference."""
    n, few = 300_000, 4470
    table = pd.DataFrame({"sample_id": np.arange(n).astype(str), "split": names.TEST})
    table["sex"] = np.where(np.arange(n) < few, "few", "many")
    table["y_true"] = np.arange(n) // 7 % 2
    table["y_pred"] = np.where(np.arange(n) < few, np.arange(n) < 434, np.arange(n) % 2).astype(int)
    audit = audited(tables.classified(table, attributes=("sex",)))
    gap = gap_of(audit, "sex", names.SELECTION_RATE)
    assert gap["verdict"] == names.DIFFERENCE
    assert gap["value"] == pytest.approx(0.5 - 434 / few, abs=0.01)
    assert audit["excluded"] == {"groups": 0, "of": 2, "rows": 0}


def test_rows_without_a_value_are_described_and_not_compared():
    predictions = tables.people(selection=(0.3, 0.6))
    predictions.table.loc[:99, "sex"] = None
    predictions.table.loc[:99, "y_pred"] = 1
    audit = audited(predictions)
    row = row_of(audit, "sex", names.UNKNOWN, names.SELECTION_RATE)
    assert (row["value"], row["n"], row["verdict"]) == (1.0, 100, names.INSUFFICIENT)
    gap = gap_of(audit, "sex", names.SELECTION_RATE)
    assert (gap["lowest"], gap["highest"]) == ("female", "male")
    assert gap["reason"].endswith("; 1 group excluded: unknown (unknown attribute).")
    assert audit["excluded"] == {"groups": 1, "of": 6, "rows": 100}
    assert "described but not compared" in audit["notes"][0]
    compared = gap_of(audited(predictions, compare_unknown=True), "sex", names.SELECTION_RATE)
    assert compared["highest"] == names.UNKNOWN


def test_a_reference_group_takes_part_in_every_comparison_of_its_attribute():
    predictions = tables.people(selection=(0.3, 0.6))
    every, one = audited(predictions), audited(predictions, reference={"age": "60+"}, pairs=True)
    wanted = gap_of(one, "age", names.SELECTION_RATE)
    assert "2 pairs, simultaneous intervals" in wanted["reason"]
    assert "3 pairs, simultaneous intervals" in gap_of(every, "age", "selection_rate")["reason"]
    assert "pairs" not in every
    listed = [p for p in one["pairs"] if p["attribute"] == "age" and p["metric"] == "accuracy"]
    assert {(p["group"], p["other"]) for p in listed} == {("40-60", "60+"), ("<40", "60+")}
    sex = [p for p in one["pairs"] if (p["attribute"], p["metric"]) == ("sex", "selection_rate")]
    assert [(p["comparison"], p["verdict"]) for p in sex] == [
        ("difference", names.DIFFERENCE), ("ratio", names.DIFFERENCE),
    ]  # fmt: skip
    gap = gap_of(one, "sex", names.SELECTION_RATE)
    assert (sex[0]["value"], sex[0]["low"]) == (gap["value"], gap["low"])
    assert sex[0]["p_adjusted"] == pytest.approx(gap["p_adjusted"])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("other", "audit: reference must be a group of sex, age, sex×age, got 'other'; groups are "
         "sex: female, male; age: 40-60, 60+, <40; sex×age: female×40-60, female×60+, female×<40, "
         "male×40-60, male×60+, male×<40"),
        ({"sex": "other"}, "audit: reference of 'sex' must be one of its groups, got 'other'; "
         "groups are sex: female, male"),
        ({"race": "x"},
         "audit: reference must be of an attribute, sex, age, sex×age, got 'race'"),
    ],
)  # fmt: skip
def test_an_unknown_reference_is_refused(reference, message):
    with pytest.raises(MetricError) as caught:
        audited(tables.people(n=50), reference=reference)
    assert str(caught.value) == message


@pytest.mark.no_cover
def test_alarms_on_equal_groups_are_rare():
    """20 tables without any effect, selection rate by sex: 5 % and three standard errors.

    Of a hundred tables, `test_multiplicity` allows five with any alarm at all.
    """
    quick = {"max_order": 1, "replicates": 10}
    alarms = [
        gap_of(audited(tables.people(n=200, seed=seed), **quick), "sex", names.SELECTION_RATE)
        for seed in range(20)
    ]
    rate = np.mean([gap["verdict"] == names.DIFFERENCE for gap in alarms])
    assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20)


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
        "only one group has enough data for true positive rate; 1 group excluded: male (0 "
        "positives, under 10)."
    )
    assert gap_of(audit, "sex", names.SELECTION_RATE)["verdict"] != names.INSUFFICIENT


@pytest.mark.parametrize(("attribute", "labels", "metric", "cases"), [
    ("male", [1] * 3, names.TPR, "3 positives"), ("male", [1], names.FNR, "1 positive"),
    ("male", [0] * 9, names.FPR, "9 negatives"), ("male", [0] * 9, names.TNR, "9 negatives"),
])  # fmt: skip
def test_a_rate_needs_as_many_cases_as_a_group_needs_rows(attribute, labels, metric, cases):
    predictions = tables.people()
    own = np.flatnonzero(predictions.table["sex"] == attribute)
    predictions.table.loc[own, "y_true"] = 1 - labels[0]
    predictions.table.loc[own[: len(labels)], "y_true"] = labels[0]
    audit = audited(predictions)
    assert gap_of(audit, "sex", metric)["reason"].endswith(f"{attribute} ({cases}, under 10).")
    assert row_of(audit, "sex", attribute, metric)["verdict"] == names.INSUFFICIENT
    assert row_of(audit, "sex", attribute, names.ACCURACY)["verdict"] != names.INSUFFICIENT
    area = gap_of(audit, "sex", names.AUROC)["reason"]
    rows = "row" if len(labels) == 1 else "rows"
    assert area.endswith(f"({len(labels)} {rows} of the rarer label, under 10).")
    entry = next(e for e in audit["left_out"] if e["metric"] == metric and e["attribute"] == "sex")
    assert (entry["n"], entry["reason"]) == (len(labels), f"{cases}, under 10")


def test_small_groups_are_named_and_take_no_part():
    """Nine of 600 are under ten rows."""
    few = 9
    predictions = tables.people()
    predictions.table["age"] = "60+"
    predictions.table.loc[: few - 1, "age"] = "<40"
    predictions.table.loc[few : few + 199, "age"] = "40-60"
    predictions.table.loc[: few - 1, "y_pred"] = 1
    audit = audited(predictions)
    assert row_of(audit, "age", "<40", names.SELECTION_RATE)["verdict"] == names.INSUFFICIENT
    assert row_of(audit, "age", "<40", names.SELECTION_RATE)["value"] == 1
    gap = gap_of(audit, "age", names.SELECTION_RATE)
    assert "<40" not in (gap["lowest"], gap["highest"])
    assert gap["reason"].endswith("; 1 group excluded: <40 (9 rows, under 10).")
    assert audit["excluded"] == {"groups": 1, "of": 5, "rows": 9}


def test_a_ratio_of_nothing_to_nothing_is_insufficient():
    audit = audited(tables.people(selection=(0, 0)))
    gap = gap_of(audit, "sex", names.SELECTION_RATE, "ratio")
    assert gap["verdict"] == names.INSUFFICIENT
    assert gap["reason"] == (
        "the selection rate is 0 in every group, so that their ratio is undefined."
    )
    assert gap_of(audit, "sex", names.SELECTION_RATE)["verdict"] == names.EQUIVALENT


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
        "a and b differ, one pair compared; p < 0.0001; 1 group excluded: c (3 documents, under "
        "10)."
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
    assert gap["reason"] == (
        "every interval holds 0, 2 groups, simultaneous intervals; a difference of thin of "
        f"{gap['detectable']:.3g} would have been shown in 80 % of samples."
    )


def test_the_audit_is_json_and_says_what_it_left_out():
    audit = audited(tables.people(n=60))
    assert "NaN" not in dump_json(audit)
    accuracy = [row for row in audit["rows"] if row["metric"] == names.ACCURACY]
    assert audit["notes"][0] == (
        "A group needs 10 rows, and each of its metrics 10 cases that it is counted from "
        "(positives of a true positive rate); "
        f"{[row['verdict'] for row in accuracy].count(names.INSUFFICIENT)}"
        " of 11 groups have fewer rows and are called insufficient. Rows without a value of an "
        "attribute are the group unknown, which is counted and described but not compared."
    )
    assert set(audit) == {
        "model", "kind", "dataset", "source", "split", "n", "confidence", "attributes", "rows",
        "counts", "gaps", "family", "confidence_of_each", "causes",
        "roc", "left_out", "excluded", "worst", "notes", "remarks", "margins",
    }  # fmt: skip
    assert set(audit["rows"][0]) == {
        "attribute", "group", "metric", "value", "low", "high", "n", "verdict",
    }  # fmt: skip


def test_the_notes_define_n_and_count_hypotheses_and_undefined_values():
    notes = audited(tables.people(n=60))["notes"]
    assert notes[1] == "n: cases that a value is counted from; for AUROC, those of the rarer label."
    documents = audited(tables.documents({"a": [1.0, 2.0] * 6, "b": [2.0, 3.0] * 6}))["notes"]
    assert documents[1] == "n: cases that a value is counted from."
    assert documents[2].startswith("1 hypothesis of the form ")
    assert not any("undefined" in note for note in documents)
    people = tables.people(n=60)
    rows = people.table[(people.table["sex"] == "female") | (people.table["y_true"] == 0)]
    found = audited(dataclasses.replace(people, table=rows))
    undefined = [
        row for row in found["rows"] if row["value"] is None or row["value"] != row["value"]
    ]
    assert undefined  # no man is positive
    assert found["notes"][2] == (
        f"{len(undefined)} of {len(found['rows'])} values are undefined: the group has no case, "
        "or too few, that they are counted from. Undefined values are null, never 0."
    )
