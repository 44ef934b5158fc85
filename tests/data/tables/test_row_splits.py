"""Splits that a file gives, by a column or by time: kept as they are, and leakage never silent."""

import datetime

import numpy as np
import pytest

from plumbline import names
from plumbline.errors import DataError
from tests.data.table_files import parameters, prepare, write_csv

N = 100


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    return {
        "x": [f"{v:.6f}" for v in rng.normal(size=N)],
        "part": ["train"] * 60 + ["val"] * 20 + ["test"] * 20,
        "day": [str(datetime.date(2020, 1, 1) + datetime.timedelta(days=k)) for k in range(N)],
        "owner": [f"o{k // 2}" for k in range(N)],
        "y": ["yes" if k % 3 else "no" for k in range(N)],
    }


def fault(folder, columns, **own):
    write_csv(folder, columns)
    with pytest.raises(DataError) as caught:
        prepare(folder, parameters(**own))
    return str(caught.value)


def shuffled(columns):
    order = np.random.default_rng(1).permutation(N)
    return {name: [values[k] for k in order] for name, values in columns.items()}, order


# --- a column ------------------------------------------------------------------------------------


def test_a_column_gives_the_split_in_any_common_word(tmp_path, columns):
    train, val, test = ("train", "Training"), ("dev", "validation"), ("TEST", " test")
    words = {"train": train, "val": val, "test": test}
    given = columns["part"]
    columns["part"] = [words[split][k % 2] for k, split in enumerate(given)]
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(split="part", entity="owner"))
    assert table["split"].tolist() == given
    assert not any(name.startswith("part") for name in schema.features)
    assert schema.about["split"] == (
        "by the column 'part' of the file ('dev' is val, 'test' is test, 'train' is train, "
        "'training' is train, 'validation' is val), not stratified"
    )


def test_a_split_that_the_column_lacks_is_divided_from_its_training_rows(tmp_path, columns):
    columns["part"] = ["train"] * 70 + ["test"] * 30
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(split="part", entity="owner", val_fraction=0.2))
    assert (table["split"][70:] == "test").all()
    assert table["split"][:70].value_counts().to_dict() == {"train": 56, "val": 14}
    assert (table[:70].groupby("entity")["split"].nunique() == 1).all()
    assert schema.about["split"].endswith(
        "; of its training rows the val split is divided by SHA-256 of the entity (owner), "
        "stratified by target and attributes"
    )


def test_words_that_are_no_split_and_missing_ones_are_refused_with_their_number(tmp_path, columns):
    columns["part"][3:6] = ["holdout", "holdout", "?"]
    assert fault(tmp_path, columns, split="part", missing_values=["NA"]) == (
        "csv: split 'part' must say train, val, test (or one of training, valid, validation, dev, "
        "testing), got '?' in 1 rows, 'holdout' in 2 rows; correct the column, or leave the rows "
        "out of the file"
    )
    columns["part"][3:6] = ["train", "NA", "NA"]
    assert fault(tmp_path, columns, split="part") == (
        "csv: split 'part' must have a value in every row, got 2 missing (rows 5, 6); correct them "
        "or leave the rows out of the file"
    )
    columns["part"] = ["train"] * N
    assert fault(tmp_path, columns, split="part") == (
        "csv: split 'part' must have training and held-out rows, got none for val and test; "
        "correct the column or set data_tabular.csv.split to null"
    )


def test_an_entity_that_the_column_divides_is_refused_with_its_rows(tmp_path, columns):
    columns["part"][1] = "test"
    columns["part"][99] = "train"
    assert fault(tmp_path, columns, split="part", entity="owner") == (
        "csv: split 'part' must keep the rows of one 'owner' together, got 2 entities in two "
        "splits (rows 1, 2, 99, 100); correct the column, or declare no entity"
    )


def test_a_class_that_the_column_leaves_out_of_a_split_is_refused(tmp_path, columns):
    columns["y"] = ["yes" if k < 80 and k % 3 else "no" for k in range(N)]
    told = fault(tmp_path, columns, split="part")
    assert told.startswith(
        "csv: class 'yes' must have a sample in every split, got none in test of its 53 (rows 2, "
        "3, 5, 6, 8, …); correct the column 'part', merge it with another class, "
    )


# --- time ----------------------------------------------------------------------------------------


def test_the_earliest_rows_train_and_the_last_test(tmp_path, columns):
    columns, order = shuffled(columns)
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(time="day", val_fraction=0.1, test_fraction=0.2))
    expected = ["train" if k < 70 else "val" if k < 80 else "test" for k in order]
    assert table["split"].tolist() == expected
    # 70 and 80 days after the first of January 2020.
    assert schema.about["split"] == (
        "by time, column 'day': train before 2020-03-11, val from then and before 2020-03-21, test "
        "from then; rows of one time are in one split; not stratified"
    )
    # Of a time to come nothing can be learnt: it is a feature only where it is named.
    assert not any(name.startswith("day") for name in schema.features)
    asked = prepare(tmp_path, parameters(time="day", features=["x", "day"]))[1]
    assert asked.features == ("x", "day_days", "day_month", "day_weekday")


def test_a_time_of_day_is_said_in_full(tmp_path, columns):
    columns["day"] = [f"2020-01-01 00:00:{k // 2:02d}.{k % 2 * 5}" for k in range(N)]
    write_csv(tmp_path, columns)
    _, schema = prepare(tmp_path, parameters(time="day", val_fraction=0.21, test_fraction=0.2))
    assert (
        "train before 2020-01-01T00:00:29.5, val from then and before 2020-01-01T00:00:40,"
        in (schema.about["split"])
    )


def test_rows_of_one_time_are_never_divided(tmp_path, columns):
    """In years of 30, 25, 30 and 15 rows no year begins at rows 60 and 80."""
    columns["year"] = np.repeat([2001, 2002, 2003, 2004], [30, 25, 30, 15]).tolist()
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(time="year", val_fraction=0.2, test_fraction=0.2))
    found = dict(zip(columns["year"], table["split"], strict=True))
    assert found == {2001: "train", 2002: "train", 2003: "val", 2004: "test"}
    assert schema.about["split"].startswith(
        "by time, column 'year': train before 2003, val from then and before 2004, test from then"
    )


def test_later_rows_of_a_known_entity_are_left_out_and_counted(tmp_path, columns, caplog):
    columns["owner"] = [f"o{k}" for k in range(N)]
    columns["owner"][65] = columns["owner"][5]  # trained on, then in validation
    columns["owner"][90] = columns["owner"][91] = columns["owner"][70]  # validation, then test
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(time="day", entity="owner"))
    assert len(table) == N - 3
    left = {65, 90, 91}
    assert table["sample_id"].tolist() == [f"csv-{k:07d}" for k in range(N) if k not in left]
    assert table["split"].value_counts().to_dict() == {"train": 60, "val": 19, "test": 18}
    assert schema.about["later_rows_of_known_entities_left_out"] == 3
    told = "csv: 3 of 100 rows are left out: their 'owner' has rows in an earlier split"
    assert caplog.messages.count(told) == 1
    assert schema.about["split"].endswith(
        "not stratified; of an entity only the rows in its earliest split are kept"
    )
    columns["owner"] = [f"o{k % 40}" for k in range(N)]
    assert fault(tmp_path, columns, time="day", entity="owner") == (
        "csv: split val must have a 'owner' without earlier rows, got none in its 20 rows; split "
        "by entity (data_tabular.csv.time: null), or declare no entity"
    )


def test_times_that_cannot_be_ordered_are_refused(tmp_path, columns):
    columns["day"][7] = "soon"
    assert fault(tmp_path, columns, time="day") == (
        "csv: time 'day' must be dates (YYYY-MM-DD) or numbers, got categories; correct the "
        "column, or declare its type"
    )
    columns["day"][7] = "NA"
    assert fault(tmp_path, columns, time="day") == (
        "csv: time 'day' must have a value in every row, got 1 missing (rows 8); correct them or "
        "leave the rows out of the file"
    )
    columns["day"] = [2001 + k % 2 for k in range(N)]
    assert fault(tmp_path, columns, time="day") == (
        "csv: time 'day' must have at least 3 values, got 2; rows of one time are in one split"
    )


def test_rows_without_a_target_do_not_move_the_numbers_of_rows(tmp_path, columns):
    columns["y"][0] = "NA"
    columns["part"][4] = "NA"
    told = fault(tmp_path, columns, split="part", encoding={"missing_target": "drop"})
    assert "got 1 missing (rows 5); " in told
    columns["part"][4] = "train"
    write_csv(tmp_path, columns)
    table, _ = prepare(tmp_path, parameters(split="part", encoding={"missing_target": "drop"}))
    assert table["split"].tolist() == columns["part"][1:]
    assert set(names.SPLITS) == set(table["split"])
