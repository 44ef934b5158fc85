"""Audits of rows with weights and entities, against the same rows written out or taken once."""

import dataclasses

import numpy as np
import pytest

from plumbline import names
from plumbline.audit.build import predictions_to_audit
from plumbline.audit.document import audit_to_markdown
from plumbline.audit.options import AuditOptions
from tests.audit import tables

MADE = {
    "binary": lambda: tables.people(n=300, selection=(0.4, 0.5)),
    "many classes": lambda: tables.people(n=300, classes=("a", "b", "c"), positive=None),
    "regression": lambda: tables.numbers(n=300, bias=(0.1, -0.1)),
}


def audited(predictions):
    return predictions_to_audit(predictions, AuditOptions(**tables.OPTIONS))


def written_out(predictions, times, entity=None):
    table = predictions.table.loc[np.repeat(np.arange(len(predictions.table)), times)]
    if entity is not None:
        table = table.assign(entity=table["sample_id"])
    table = table.reset_index(drop=True)
    table["sample_id"] = [f"{name}/{k}" for k, name in enumerate(table["sample_id"])]
    return dataclasses.replace(predictions, table=table)


def rows_of(audit):
    return {(r["attribute"], r["group"], r["metric"]): r for r in audit["rows"]}


@pytest.mark.parametrize("kind", MADE)
def test_rows_of_one_entity_change_no_value_and_narrow_no_interval(kind):
    made = MADE[kind]()
    one, four = audited(made), audited(written_out(made, 4, entity=True))
    found, wanted = rows_of(four), rows_of(one)
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        other = found[key]
        assert other["value"] == pytest.approx(row["value"], nan_ok=True), key
        # Entities are worth a little less than as many rows: a value with just enough has too few.
        if row["metric"] != names.BALANCED_ACCURACY:
            assert other["verdict"] == row["verdict"], key
        # A gain of a factor of 2 is what four independent rows would have brought.
        if names.INSUFFICIENT not in (row["verdict"], other["verdict"]):
            width, wide = (r["high"] - r["low"] for r in (row, other))
            assert 0.93 * width < wide < 1.3 * width, key
    assert (four["n"], four["entities"]) == (1200, 300)
    verdicts = [
        [g["verdict"] for g in audit["gaps"] if g["metric"] != names.BALANCED_ACCURACY]
        for audit in (one, four)
    ]
    assert verdicts[0] == verdicts[1]
    assert any("Rows belong to 300 entities" in note for note in four["notes"])
    assert four["notes"][0].startswith("A group needs 10 entities, and each ")
    assert not {"entities", "weight"} & set(one)
    page = audit_to_markdown(four)
    assert "n = 1\u202f200 rows of 300 entities. Groups by: sex" in page
    if kind != "regression":
        accuracy = found["overall", "all", "accuracy"]
        assert accuracy["effective_n"] == pytest.approx(300, rel=0.02)
        assert "| n | effective n | verdict |" in page


@pytest.mark.parametrize("kind", MADE)
def test_a_row_of_weight_3_has_the_rates_of_three_rows_and_tells_less(kind):
    made = MADE[kind]()
    times = np.arange(300) % 3 + 1
    table = made.table.assign(sample_weight=times / 2)
    weighted = audited(dataclasses.replace(made, table=table))
    found, wanted = rows_of(weighted), rows_of(audited(written_out(made, times)))
    for key, row in wanted.items():
        assert found[key]["value"] == pytest.approx(row["value"], nan_ok=True), key
    assert weighted["weight"] == pytest.approx(times.sum() / 2)
    assert any(note.startswith("Rows count by their weight") for note in weighted["notes"])
    for metric in {m for _, _, m in wanted} & {names.ACCURACY, names.RMSE}:
        key = ("overall", "all", metric)
        assert found[key]["high"] - found[key]["low"] > wanted[key]["high"] - wanted[key]["low"]
        assert found[key]["n"] == 300


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_entities_in_several_groups_are_told(kind):
    made = MADE[kind]()
    table = made.table.assign(entity=[f"e{k // 2}" for k in range(300)])
    notes = audited(dataclasses.replace(made, table=table))["notes"]
    shared = "sex, age" if kind == "binary" else "sex"
    assert any(f"Some entities have rows in several groups of {shared}." in n for n in notes)


@pytest.mark.no_cover
def test_a_biased_entity_is_no_difference_between_groups():
    """Ten clinics of sixty rows, each off by its own bias: groups differ by which clinics."""
    told = {"rows": 0, "entities": 0}
    for seed in range(20):
        made = tables.numbers(n=600, seed=seed)
        clinic = np.arange(600) // 60
        off = np.random.default_rng(seed).normal(size=10)[clinic]
        table = made.table.assign(
            y_pred=made.table["y_true"] + off + 0.3 * (made.table["y_pred"] - made.table["y_true"]),
            sex=np.array(["female", "male"])[clinic % 2],
        )
        for unit, extra in (("rows", {}), ("entities", {"entity": [f"c{c}" for c in clinic]})):
            predictions = dataclasses.replace(made, table=table.assign(**extra))
            audit = predictions_to_audit(
                predictions, AuditOptions(**{**tables.OPTIONS, "min_group_size": 5})
            )
            (gap,) = [g for g in audit["gaps"] if g["metric"] == names.MEAN_RESIDUAL]
            told[unit] += gap["verdict"] == names.DIFFERENCE
    assert told["rows"] >= 12
    assert told["entities"] <= 4
