"""Folds of a prepared table: what is held out, kept together, chosen on and refused."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from plumbline import names, params
from plumbline.errors import DataError
from plumbline.runs import dvc_files
from plumbline.studies.cross_validation.parts import Scheme, check_listed, fold_parts

CLASSES = ("low", "high")


def prepared(count=120, **columns):
    """Return a table with one test row in six and the class of every third row ``high``."""
    split = [[names.TEST, names.VAL, *[names.TRAIN] * 4][k % 6] for k in range(count)]
    y = [int(k % 3 == 1) for k in range(count)]
    ids = [f"row {k}" for k in range(count)]
    return pd.DataFrame({"sample_id": ids, "split": split, "y": y, **columns})


def every(table, scheme, classes=CLASSES):
    return [
        fold_parts(table, scheme, fold, classes=classes, salt="s") for fold in range(scheme.folds)
    ]


@pytest.mark.parametrize("kind", ["k_fold", "stratified"])
def test_each_training_or_validation_row_is_held_out_once_and_no_test_row_ever(kind):
    table = prepared()
    found = every(table, Scheme(kind, 4))
    held = np.concatenate([parts.held_out for parts in found])
    others = np.flatnonzero(table["split"] != names.TEST)
    assert sorted(held.tolist()) == others.tolist()
    for parts in found:
        together = np.concatenate([parts.fitted, parts.chosen_on, parts.held_out])
        assert sorted(together.tolist()) == others.tolist()


def test_a_stratified_fold_has_its_share_of_each_class_within_one_row():
    table = prepared()  # 100 rows of which 40 are high: 20 and 8 to a fold of five ...
    for parts in every(table, Scheme("stratified", 5)):
        counts = Counter(table["y"].to_numpy()[parts.held_out].tolist())
        assert counts == {0: 12, 1: 8}
        inner = Counter(table["y"].to_numpy()[parts.chosen_on].tolist())
        assert abs(inner[0] - 48 / 5) < 1  # ... and a fifth of the other four to choose on
        assert abs(inner[1] - 32 / 5) < 1


def test_rows_of_a_group_are_fitted_chosen_on_or_held_out_together():
    table = prepared(patient=[f"patient {k // 7}" for k in range(120)])
    seen = Counter()
    for parts in every(table, Scheme("grouped", 5, group="patient")):
        patients = [set(table["patient"].to_numpy()[rows]) for rows in vars(parts).values()]
        assert sum(map(len, patients)) == len(set.union(*patients))
        seen.update(patients[2])
    assert set(seen.values()) == {1}
    assert len(seen) == 18


def test_forward_chaining_chooses_after_what_it_fits_and_scores_after_both():
    table = prepared(day=[119 - k for k in range(120)])
    day = table["day"].to_numpy()
    last = -1
    for parts in every(table, Scheme("forward_chaining", 3, order="day")):
        assert day[parts.fitted].max() < day[parts.chosen_on].min()
        assert day[parts.chosen_on].max() < day[parts.held_out].min()
        assert day[parts.held_out].min() > last
        last = day[parts.held_out].max()
    assert last == day[table["split"] != names.TEST].max()


def test_the_order_of_the_rows_decides_nothing():
    table = prepared()
    back = table.iloc[::-1].reset_index(drop=True)
    for parts, others in zip(
        every(table, Scheme("stratified", 3)), every(back, Scheme("stratified", 3)), strict=True
    ):
        for rows, same in zip(vars(parts).values(), vars(others).values(), strict=True):
            assert set(table["sample_id"][rows]) == set(back["sample_id"][same])


@pytest.mark.parametrize(
    ("table", "scheme", "classes", "sentence"),
    [
        (
            prepared(),
            Scheme("stratified", 3),
            (),
            "kind must be one without classes, got 'stratified' for a target that is a number; "
            "use k_fold",
        ),
        (
            prepared(),
            Scheme("grouped", 3, group="patient"),
            CLASSES,
            "group must be a column of the prepared table (sample_id, split, y), got 'patient'",
        ),
        (
            prepared(day=[None, 1, *[2.0] * 118]),
            Scheme("forward_chaining", 3, order="day"),
            CLASSES,
            "order 'day' must have a value in every row, got 1 rows without",
        ),
        (
            prepared(half=[k < 60 for k in range(120)]),
            Scheme("grouped", 2, group="half"),
            CLASSES,
            "training part of fold 0 must have at least 2 values of half, got 1; settings are "
            "chosen on one of them",
        ),
        (
            prepared(12),
            Scheme("stratified", 4),
            CLASSES,
            "fitted part of fold 0 must have at least 5 rows of class 'low', got 3; ask for fewer "
            "folds, or stratified ones",
        ),
        (
            prepared(120, class_day=[(k % 3 == 1) * 120 + k for k in range(120)]),
            Scheme("forward_chaining", 2, order="class_day"),
            CLASSES,
            "fitted part of fold 0 must have at least 5 rows of class 'high', got 0; ask for fewer "
            "folds, or stratified ones",
        ),
        (
            prepared(12),
            Scheme("k_fold", 8),
            (),
            "choosing part of fold 0 must have at least 2 rows, got 1; ask for fewer folds",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_divided_is_told_before_anything_is_fitted(table, scheme, classes, sentence):
    with pytest.raises(DataError) as caught:
        every(table, scheme, classes)
    assert str(caught.value) == f"cross_validation: {sentence}"


def test_a_fold_that_there_is_not_is_named():
    with pytest.raises(DataError) as caught:
        fold_parts(prepared(), Scheme("k_fold", 3), 3, classes=CLASSES, salt="s")
    assert str(caught.value) == "cross_validation: fold must be in 0…2, got 3"


def test_the_stages_of_the_pipeline_are_the_folds_of_its_parameters(root):
    study = params.load_study(root, "fairness")
    check_listed(dvc_files.items(root, "fold"), study.cross_validation.folds)
    assert dvc_files.items(root, "cross_validate") == []
    with pytest.raises(DataError) as caught:
        check_listed(["0", "1"], 3)
    assert str(caught.value) == (
        "dvc.yaml: folds of stage fold must be 0…2 (cross_validation.folds is 3), got 0, 1; "
        "change the list or the parameter"
    )


def patients(count=120):
    """A prepared table of patients with three rows each, in one split each."""
    table = prepared(count)
    split = [table["split"][k // 3 % 6] for k in range(count)]
    return table.assign(split=split, entity=[f"p{k // 3}" for k in range(count)])


def sides(table, parts):
    columns = (parts.fitted, parts.chosen_on, parts.held_out)
    return [set(table["entity"].to_numpy()[rows]) for rows in columns]


@pytest.mark.parametrize("kind", ["k_fold", "stratified"])
def test_every_kind_keeps_an_entity_in_one_part(kind):
    table = patients()
    held = Counter()
    for parts in every(table, Scheme(kind, 4)):
        found = sides(table, parts)
        assert sum(map(len, found)) == len(set.union(*found))
        held.update(found[2])
        assert len(parts.held_out) == 3 * len(found[2])  # whole entities
    assert set(held.values()) == {1}
    assert len(held) == table.loc[table["split"] != names.TEST, "entity"].nunique()


def test_stratified_folds_share_out_entities_by_the_class_of_most_of_their_rows():
    table = patients()
    # Of three rows two are of the entity's class: every other one is high, half of the entities.
    table["y"] = [(k // 3 % 2) ^ (k % 3 == 0) for k in range(120)]
    others = table[table["split"] != names.TEST]
    high = others.groupby("entity")["y"].sum().gt(1)
    for parts in every(table, Scheme("stratified", 4)):
        held = high[sorted(sides(table, parts)[2])]
        assert abs(held.sum() - high.sum() / 4) < 1
        assert abs((~held).sum() - (~high).sum() / 4) < 1


def test_forward_chaining_leaves_out_what_it_knows_of_those_it_scores():
    # Six days of eight rows; Ann has the first row of each day, everybody else one row only.
    table = pd.DataFrame(
        {
            "sample_id": [f"row {k}" for k in range(56)],
            "split": [names.TRAIN] * 48 + [names.TEST] * 8,
            "y": [0.5 * k for k in range(56)],
            "day": [k // 8 for k in range(56)],
            "entity": ["Ann" if k % 8 == 0 and k < 48 else f"p{k}" for k in range(56)],
        }
    )
    first, second = every(table, Scheme("forward_chaining", 2, order="day"), ())
    # Two blocks of days each: 0 and 1, of which day 1 is chosen on, before 2 and 3.
    assert first.held_out.tolist() == list(range(16, 32))
    assert first.chosen_on.tolist() == list(range(9, 16))
    assert first.fitted.tolist() == list(range(1, 8))
    assert first.left_out.tolist() == [0, 8]
    assert first.sizes() == {"fitted": 7, "chosen_on": 7, "held_out": 16, "left_out": 2}
    assert second.held_out.tolist() == list(range(32, 48))
    assert set(second.left_out.tolist()) == {0, 8, 16, 24}
    for parts in (first, second):
        found = sides(table, parts)
        assert sum(map(len, found)) == len(set.union(*found))


def test_groups_that_divide_an_entity_are_refused():
    table = patients().assign(hospital=[f"h{k % 2}" for k in range(120)])
    with pytest.raises(DataError) as caught:
        every(table, Scheme("grouped", 2, group="hospital"))
    assert str(caught.value) == (
        "cross_validation: group 'hospital' must not divide an entity, got 33 of 33 entities with "
        "rows in several groups; group by entity"
    )
    whole = table.assign(hospital=[f"h{k // 3 % 7}" for k in range(120)])
    for scheme in (Scheme("grouped", 3, group="hospital"), Scheme("grouped", 3, group="entity")):
        for parts in every(whole, scheme):
            found = sides(whole, parts)
            assert sum(map(len, found)) == len(set.union(*found))


def test_rows_with_equal_features_are_one_unit_where_no_entity_is_declared():
    table = prepared(length=[float(k) for k in range(120)])
    before = every(table, Scheme("stratified", 4))
    pair = [k for k in range(120) if table["split"][k] != names.TEST][:2]
    table.loc[pair[1], "length"] = table["length"][pair[0]]
    for fold, parts in enumerate(before):
        own = fold_parts(
            table, Scheme("stratified", 4), fold, classes=CLASSES, salt="s", features=["length"]
        )
        for rows in (own.fitted, own.chosen_on, own.held_out):
            assert len({*pair} & {*rows.tolist()}) in (0, 2)
        single = fold_parts(
            prepared(length=range(120)), Scheme("stratified", 4), fold, classes=CLASSES, salt="s",
            features=["length"],
        )  # fmt: skip
        for name in ("fitted", "chosen_on", "held_out"):  # no equal rows: the folds of the ids
            assert getattr(single, name).tolist() == getattr(parts, name).tolist()
