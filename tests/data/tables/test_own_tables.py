"""CSV and Parquet files of one's own: typed, split, encoded, and no test row teaches anything."""

import datetime
import json
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline import names
from plumbline.errors import DataError
from tests.data.table_files import parameters, prepare, write_csv

N = 100


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    return {
        "age": [int(v) for v in rng.integers(18, 80, N)],
        "city": [("Bonn", "Köln", "Ulm")[k % 3] for k in range(N)],
        "joined": [
            str(datetime.date(2020, 1, 1) + datetime.timedelta(days=7 * k)) for k in range(N)
        ],
        "sex": ["f" if k % 2 else "m" for k in range(N)],
        "y": ["no" if v < 0.5 else "yes" for v in rng.random(N)],
    }


def fault(folder, settings):
    with pytest.raises(DataError) as caught:
        prepare(folder, settings)
    left = [p.name for p in (folder / "out").rglob("*")] if (folder / "out").exists() else []
    assert left == []
    return str(caught.value)


@pytest.mark.parametrize(("column", "what"), [("sex", "values of 'sex'"), ("y", "classes of 'y'")])
def test_values_that_look_the_same_are_refused(tmp_path, columns, column, what):
    columns[column] = ["e\u0301" if k % 2 else "\u00e9" for k in range(N)]
    write_csv(tmp_path, columns)
    told = fault(tmp_path, parameters(attributes={"sex": ()}))
    assert told.startswith(f"csv: {what} must be in one Unicode form, got ")


def test_dates_of_the_first_and_the_last_year_become_numbers(tmp_path, columns):
    """9999-12-31 often stands for no end; its microseconds are no whole double."""
    columns["joined"][:2] = ["0001-01-01", "9999-12-31"]
    write_csv(tmp_path, columns)
    table, _ = prepare(tmp_path, parameters(attributes={"sex": ()}))
    days = [
        (datetime.date(*day) - datetime.date(1970, 1, 1)).days
        for day in ((1, 1, 1), (9999, 12, 31))
    ]
    ordered = table.sort_values("joined_days")[["joined_days", "joined_month", "joined_weekday"]]
    assert ordered.iloc[0].tolist() == [days[0], 1, 0]  # a Monday, in the proleptic calendar
    assert ordered.iloc[-1].tolist() == [days[1], 12, 4]  # a Friday


def test_types_are_inferred_and_columns_become_numbers(tmp_path, columns):
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(attributes={"sex": ()}))
    assert schema.features == (
        "age", "city=Bonn", "city=Köln", "city=Ulm", "joined_days", "joined_month", "joined_weekday"
    )  # fmt: skip
    assert schema.classes == ("no", "yes")
    assert schema.positive == "yes"
    assert schema.attributes == ("sex",)
    np.testing.assert_array_equal(table["age"], columns["age"])
    np.testing.assert_array_equal(table["city=Köln"], [c == "Köln" for c in columns["city"]])
    days = pd.to_datetime(columns["joined"])
    np.testing.assert_array_equal(table["joined_days"], (days - pd.Timestamp(0)).days)
    np.testing.assert_array_equal(table["joined_month"], days.month)
    np.testing.assert_array_equal(table["joined_weekday"], days.day_of_week)
    assert list(table["sex"]) == columns["sex"]
    np.testing.assert_array_equal(table["y"], [v == "yes" for v in columns["y"]])
    assert list(table["sample_id"][:2]) == ["csv-0000000", "csv-0000001"]


def test_parquet_gives_what_the_same_csv_gives(tmp_path, columns):
    write_csv(tmp_path, columns)
    whole = {**columns, "joined": [datetime.date.fromisoformat(d) for d in columns["joined"]]}
    pq.write_table(pa.table(whole), tmp_path / "mine.parquet")
    settings = parameters(attributes={"age": (30, 50)})
    one, first = prepare(tmp_path, settings)
    two, second = prepare(tmp_path, parameters(attributes={"age": (30, 50)}, path="mine.parquet"))
    pd.testing.assert_frame_equal(one, two)
    assert first == second


def test_declared_types_win_over_inferred_ones(tmp_path, columns):
    columns["code"] = [k % 4 for k in range(N)]
    write_csv(tmp_path, columns)
    settings = parameters(types={"code": "categorical"}, features=["code"], entity="joined")
    assert prepare(tmp_path, settings)[1].features == ("code=0", "code=1", "code=2", "code=3")
    assert fault_text(tmp_path, parameters(types={"city": "numeric"})).startswith(
        "csv: column 'city' must be numeric as declared, got: "
    )


def fault_text(folder, settings):
    with pytest.raises(DataError) as caught:
        prepare(folder, settings)
    return str(caught.value)


def test_one_late_value_makes_a_column_categorical(tmp_path, columns):
    columns["mixed"] = [*range(N - 1), "many"]
    write_csv(tmp_path, columns)
    table, _ = prepare(tmp_path, parameters(features=["mixed"], encoding={"max_categories": 3}))
    assert [c for c in table if c.startswith("mixed=")][-1] == "mixed=(other)"


def test_attributes_are_features_only_if_asked_for(tmp_path, columns):
    write_csv(tmp_path, columns)
    groups = {"sex": (), "age": (30, 50)}
    table, hidden = prepare(
        tmp_path, parameters(attributes=groups, features=["age", "city", "sex"])
    )
    assert hidden.features == ("city=Bonn", "city=Köln", "city=Ulm")
    assert set(table["age"]) == {"under 30", "30 to under 50", "50 and over"}
    table, shown = prepare(tmp_path, parameters(attributes=groups, attributes_as_features=True))
    assert {"age_value", "sex=f", "sex=m"} < set(shown.features)
    np.testing.assert_array_equal(table["age_value"], columns["age"])
    bands = pd.cut(table["age_value"], [0, 30, 50, 200], right=False, labels=False)
    names = np.array(["under 30", "30 to under 50", "50 and over"])
    assert (names[bands] == table["age"]).all()


def test_what_stands_in_held_out_rows_does_not_move_a_training_row(tmp_path, columns):
    """The fill value and the categories come from the training split alone."""
    columns["income"] = ["NA" if k % 7 == 0 else 1000 + k for k in range(N)]
    columns["person"] = [f"p{k}" for k in range(N)]
    write_csv(tmp_path, columns)
    settings = parameters(features=["income", "city"], entity="person")
    before, schema = prepare(tmp_path, settings)
    held_out = np.flatnonzero(before["split"] != "train")
    for row in held_out:
        columns["income"][row] = 10**9
        columns["city"][row] = "Atlantis"
    write_csv(tmp_path, columns)
    after, again = prepare(tmp_path, settings)
    assert again.features == schema.features
    train = (before["split"] == "train").to_numpy()
    assert (after["split"] == before["split"]).all()
    pd.testing.assert_frame_equal(before[train], after[train])
    # By hand: the median of the training rows that have a value.
    known = [1000 + k for k in np.flatnonzero(train) if k % 7]
    filled = before.loc[train & (np.arange(N) % 7 == 0), "income"]
    assert set(filled) == {float(np.median(known))}
    assert schema.about["encoded_columns"]["income"]["filled_with"] == np.median(known)
    assert (before["income_missing"] == (np.arange(N) % 7 == 0)).all()
    # A city that no training row has is none of the known ones.
    assert (after.loc[held_out, ["city=Bonn", "city=Köln", "city=Ulm"]] == 0).all(axis=None)


@pytest.mark.parametrize(
    ("policy", "features"),
    [("own", ("c=a", "c=b", "c=(missing)")), ("most_frequent", ("c=a", "c=b"))],
)
def test_missing_categories_follow_the_policy(tmp_path, columns, policy, features):
    columns["c"] = ["NA" if k % 5 == 0 else ("b" if k % 5 == 1 else "a") for k in range(N)]
    write_csv(tmp_path, columns)
    settings = parameters(features=["c"], encoding={"missing_categories": policy}, entity="joined")
    table, schema = prepare(tmp_path, settings)
    assert schema.features == features
    absent = table[np.arange(N) % 5 == 0]
    assert (absent[features[-1] if policy == "own" else "c=a"] == 1).all()


@pytest.mark.parametrize(
    ("column", "rule"), [("age", "missing_numbers"), ("city", "missing_categories")]
)
def test_missing_values_are_refused_where_the_policy_says_so(tmp_path, columns, column, rule):
    columns[column] = ["NA", *columns[column][1:]] * 1
    columns[column] = ["NA" if k % 2 else v for k, v in enumerate(columns[column])]
    write_csv(tmp_path, columns)
    told = fault(tmp_path, parameters(encoding={rule: "refuse"}))
    assert told.startswith(f"csv: column '{column}' must have a value in every row, got ")


def test_missing_values_of_held_out_rows_alone_are_counted_and_told(tmp_path, columns, caplog):
    """No training row lacks a value, so no column marks them: a file's last year is often so."""
    last = range(N - 10, N)  # the test split has 20 rows
    for row in last:
        columns["age"][row] = columns["city"][row] = "NA"
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(attributes={"sex": ()}, time="joined"))
    assert table["split"].iloc[last[0] :].eq("test").all()
    about = schema.about["encoded_columns"]
    assert about == {
        "age": {"missing_unmarked": 10, "filled_with": np.median(columns["age"][:60])},
        "city": {"missing_unmarked": 10},
    }
    told = "csv: Missing values that no feature marks: age (10), city (10). "
    assert [r for r in caplog.messages if r.startswith(told)]
    columns["age"] = columns["age"][: last[0]] + [30] * 10
    write_csv(tmp_path, columns)
    settings = parameters(
        attributes={"sex": ()}, time="joined", encoding={"missing_categories": "refuse"}
    )
    with pytest.raises(DataError) as caught:
        prepare(tmp_path, settings)
    assert str(caught.value) == (
        "csv: column 'city' must have a value in every row, got 0 missing in the training split "
        "and 10 in the others; correct them or choose another policy in data_tabular.encoding"
    )


def test_categories_of_held_out_rows_that_no_training_row_has_are_counted(
    tmp_path, columns, caplog
):
    columns["town"] = ["Bonn"] * 75 + ["Ulm"] * 25  # 60 rows train
    columns["batch"] = [f"b{k // 10}" for k in range(N)]
    write_csv(tmp_path, columns)
    _, schema = prepare(tmp_path, parameters(attributes={"sex": ()}, time="joined"))
    assert schema.about["encoded_columns"] == {
        "town": {"held_out_rows_of_unseen_categories": 25},
        "batch": {"held_out_rows_of_unseen_categories": 40},
    }
    assert [m for m in caplog.messages if "that no training row has" in m] == [
        f"csv: {rows} of the 40 held-out rows have a category of column '{name}' that no training "
        "row has; leave it out of features, or split in another way"
        for name, rows in (("town", 25), ("batch", 40))
    ]


def test_missing_values_that_a_frequent_category_replaces_are_counted(tmp_path, columns):
    columns["city"] = ["NA" if k % 5 == 0 else v for k, v in enumerate(columns["city"])]
    write_csv(tmp_path, columns)
    settings = parameters(encoding={"missing_categories": "most_frequent"})
    _, schema = prepare(tmp_path, settings)
    assert schema.about["encoded_columns"]["city"]["missing_unmarked"] == N // 5


def test_rare_categories_share_a_column(tmp_path, columns):
    columns["c"] = ["rare1", "rare2", *("common" if k % 2 else "usual" for k in range(N - 2))]
    write_csv(tmp_path, columns)
    table, schema = prepare(
        tmp_path, parameters(features=["c"], encoding={"max_categories": 2}, entity="joined")
    )
    assert schema.features[:2] == ("c=common", "c=usual")
    train = table["split"] == "train"
    if train[:2].any():
        assert table.loc[:1, "c=(other)"].tolist() == [1, 1]


@pytest.mark.parametrize("types", [{}, {"income": "categorical"}])
def test_numbers_with_a_decimal_comma_are_told_unless_declared(tmp_path, columns, caplog, types):
    columns["income"] = [f'"{1000 + k},50"' for k in range(N)]
    write_csv(tmp_path, columns)
    settings = {
        "features": ["age", "city", "income"], "types": types, "encoding": {"max_categories": 9}
    }  # fmt: skip
    _, schema = prepare(tmp_path, parameters(**settings))
    rare = schema.about["encoded_columns"]["income"]["categories_in_other"]
    first = schema.features[-10].removeprefix("income=")
    warnings = [
        "csv: column 'income' was read as a category: 100 of its 100 values look like numbers with "
        "a decimal comma, such as '1000,50'; set decimal to ','",
        f"csv: column 'income' was read as a category, such as {first!r}; {rare} of its values "
        "share one feature. A name belongs to the entity or is left out of features; else declare "
        "the type in types",
    ]
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == ([] if types else warnings)
    caplog.clear()
    table, schema = prepare(tmp_path, parameters(**{**settings, "types": {}}, decimal=","))
    assert schema.features[-1] == "income"
    assert sorted(table["income"])[:2] == [1000.5, 1001.5]
    assert caplog.records == []


def test_an_entity_is_in_one_split_only(tmp_path, columns):
    columns["patient"] = [f"p{k // 4}" for k in range(N)]
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(entity="patient"))
    where = table.assign(patient=columns["patient"]).groupby("patient")["split"].nunique()
    assert (where == 1).all()
    assert "patient" not in " ".join(schema.features)


def test_the_table_keeps_who_a_row_belongs_to_and_no_name(tmp_path, columns):
    columns["patient"] = [f"p{k // 4}" for k in range(N)]
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(entity="patient"))
    assert names.ENTITY not in (*schema.features, *schema.attributes)
    kept = table[names.ENTITY].tolist()
    # Four rows each, numbered in the order of the file: nothing to look a name up by.
    assert [kept[k] == kept[k - k % 4] for k in range(N)] == [True] * N
    assert len(set(kept)) == N // 4
    assert kept[::4] == [f"entity-{k:07d}" for k in range(N // 4)]
    assert "keeps a pseudonym, a number" in schema.about["entity"]
    assert names.WEIGHT not in table
    write_csv(tmp_path, columns)
    assert names.ENTITY not in prepare(tmp_path, parameters())[0]


def test_rows_with_equal_features_share_a_split_where_no_entity_is_declared(tmp_path, columns):
    doubled = {name: [v for v in values for _ in range(2)] for name, values in columns.items()}
    write_csv(tmp_path, doubled)
    table, _ = prepare(tmp_path, parameters())
    split = table["split"].to_numpy()
    assert (split[::2] == split[1::2]).all()


def test_a_weight_stands_beside_the_features(tmp_path, columns):
    columns["w"] = [0.5 + k for k in range(N)]
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(weight="w"))
    np.testing.assert_array_equal(table[names.WEIGHT], columns["w"])
    assert not {"w", names.WEIGHT} & set(schema.features)
    columns["w"][3] = -1
    write_csv(tmp_path, columns)
    assert fault_text(tmp_path, parameters(weight="w")) == (
        "csv: weight 'w' must be finite and >= 0 in every row, got another value"
    )
    columns["w"] = [float(k % 2 == 0) for k in range(N)]
    columns["sex"] = ["f" if k % 2 else "m" for k in range(N)]
    write_csv(tmp_path, columns)
    _, schema = prepare(tmp_path, parameters(weight="w", attributes={"sex": ()}))
    # A group whose rows weigh nothing is as good as absent.
    assert schema.about["absent_groups"] == {
        "sex": {"f": {"rows": N // 2, "absent_from": ["train", "val", "test"]}}
    }


def test_a_feature_may_be_named_as_a_column_of_ours(tmp_path, columns):
    columns[names.ENTITY] = [float(k) for k in range(N)]
    columns[names.WEIGHT] = columns.pop("age")
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(features=[names.ENTITY, names.WEIGHT]))
    assert schema.features == ("entity_value", "sample_weight_value")
    np.testing.assert_array_equal(table["entity_value"], columns[names.ENTITY])


def test_numbers_can_be_the_target(tmp_path, columns):
    columns["y"] = [float(k) for k in range(N)]
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(predict="value"))
    assert (schema.task, schema.classes) == ("regression", ())
    np.testing.assert_array_equal(table["y"], columns["y"])
    table, schema = prepare(tmp_path, parameters(predict="above_median"))
    cut = np.median(np.arange(N)[table["split"] == "train"])
    assert schema.about["median"] == cut
    np.testing.assert_array_equal(table["y"], np.arange(N) > cut)


def test_many_classes_and_a_chosen_positive(tmp_path, columns):
    columns["y"] = [k % 5 for k in range(N)]
    write_csv(tmp_path, columns)
    _, schema = prepare(tmp_path, parameters())
    assert (schema.task, schema.classes) == ("multiclass", ("0", "1", "2", "3", "4"))
    columns["y"] = [k % 2 for k in range(N)]
    write_csv(tmp_path, columns)
    _, schema = prepare(tmp_path, parameters(positive="0"))
    assert (schema.classes, schema.positive) == (("1", "0"), "0")


def test_small_groups_are_pooled(tmp_path, columns):
    columns["sex"] = ["x", "d", *columns["sex"][2:]]
    write_csv(tmp_path, columns)
    settings = parameters(attributes={"sex": ()}, features=["age"], encoding={"min_group_rows": 5})
    table, _ = prepare(tmp_path, settings)
    assert table["sex"].value_counts().to_dict() == {"f": 49, "m": 49, "(other)": 2}


def test_a_rare_group_may_be_absent_from_a_split_and_is_named(tmp_path, columns, caplog):
    """One row of a third sex stopped the preparation of everybody else's."""
    columns["sex"] = [*columns["sex"][:-1], "x"]
    write_csv(tmp_path, columns)
    table, schema = prepare(tmp_path, parameters(attributes={"sex": ()}))
    (own,) = table.loc[table["sex"] == "x", "split"]
    absent = [split for split in names.SPLITS if split != own]
    assert schema.about["absent_groups"] == {"sex": {"x": {"rows": 1, "absent_from": absent}}}
    (told,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert told == (
        "csv: Groups of sex without a row in a split: x (n = 1; none in "
        f"{' and '.join(absent)}). No metric describes a group without test rows, and no model "
        "has seen one without training rows."
    )
    columns["sex"] = ["f" if k % 2 else "m" for k in range(N)]
    write_csv(tmp_path, columns)
    assert "absent_groups" not in prepare(tmp_path, parameters(attributes={"sex": ()}))[1].about


REST = "merge it with another class, or leave its rows out of the file"
BINARY = "; data_tabular.csv.rest makes one class of all but the positive one"


@pytest.mark.parametrize(
    ("rows", "own", "advice"),
    [
        ([4, 40], {}, "add rows until it has 3 different rows, " + REST + BINARY),
        (
            [4, 5, 6, 7, 40], {"entity": "owner"},
            "add rows until it has 3 values of 'owner', " + REST + BINARY,
        ),
    ],
)  # fmt: skip
def test_a_class_that_a_split_lacks_is_refused_with_its_rows(tmp_path, columns, rows, own, advice):
    columns["y"] = ["maybe" if k in rows else y for k, y in enumerate(columns["y"])]
    columns["owner"] = [k // 4 for k in range(N)]
    write_csv(tmp_path, columns)
    told = fault(tmp_path, parameters(**own))
    got = ", ".join(str(row + 1) for row in rows)
    assert told.startswith("csv: class 'maybe' must have a sample in every split, got none in ")
    assert told.endswith(f" of its {len(rows)} (rows {got}); {advice}")


def test_the_fractions_that_a_small_class_needs_are_said_and_help(tmp_path, columns):
    columns["y"] = ["maybe" if k < 4 else y for k, y in enumerate(columns["y"])]
    write_csv(tmp_path, columns)
    told = fault(tmp_path, parameters(val_fraction=0.1, test_fraction=0.1))
    # Half a row goes up: of 4 rows an eighth is the least share that is a row.
    assert f"; set val_fraction and test_fraction to at least 0.13, add rows of it, {REST}" in told
    table, schema = prepare(tmp_path, parameters(val_fraction=0.13, test_fraction=0.13))
    found = table.loc[table["y"] == schema.classes.index("maybe"), "split"]
    assert sorted(found) == ["test", "train", "train", "val"]


@pytest.mark.parametrize("every", [3, N])
def test_rows_without_a_value_are_the_unknown_group_however_few(tmp_path, columns, every):
    columns["sex"] = ["NA" if k % every == 0 else s for k, s in enumerate(columns["sex"])]
    write_csv(tmp_path, columns)
    table, _ = prepare(tmp_path, parameters(attributes={"sex": ()}))
    assert ((table["sex"] == names.UNKNOWN) == (np.arange(N) % every == 0)).all()


def test_many_distinct_groups_are_numbered_in_one_pass(tmp_path):
    """60,000 values took a minute when each was looked for in a list."""
    count = 60_000
    shuffled = [f"g{k * 7919 % count:05d}" for k in range(count)]
    write_csv(tmp_path, {"g": shuffled, "x": range(count), "y": ["no", "yes"] * (count // 2)})
    start = time.process_time()
    told = fault_text(tmp_path, parameters(attributes={"g": ()}, features=["x"]))
    assert time.process_time() - start < 10
    assert told.startswith("csv: attribute 'g' must have at most 100 groups, got 60000; ")


def test_rows_without_a_target_are_refused_or_left_out(tmp_path, columns):
    columns["y"] = ["NA", *columns["y"][1:]]
    write_csv(tmp_path, columns)
    assert fault(tmp_path, parameters()) == (
        "csv: target 'y' must have a value in every row, got 1 missing; correct them or set "
        "data_tabular.encoding.missing_target to drop"
    )
    table, schema = prepare(tmp_path, parameters(encoding={"missing_target": "drop"}))
    assert list(table["sample_id"]) == [f"csv-{k:07d}" for k in range(1, N)]
    assert schema.about["rows_without_target_left_out"] == 1


def test_the_same_file_gives_the_same_bytes_and_counts(tmp_path, columns):
    from plumbline.data.tables.prepare import prepare

    write_csv(tmp_path, columns)
    made = []
    for name in ("one", "two"):
        table = prepare(parameters(attributes={"sex": ()}), root=tmp_path, seed=1)
        table.write(tmp_path / name, raw_files={"mine.csv": "f" * 64})
        made.append([(tmp_path / name / f).read_bytes() for f in ("table.parquet", "schema.json")])
        counts = table.counts()
    assert made[0] == made[1]
    assert json.loads(made[0][1])["about"]["raw_files"] == {"mine.csv": "f" * 64}
    assert sum(counts[f"{s}/rows"] for s in ("train", "val", "test")) == N
    assert counts["test/rows"] == counts["test/rows/sex/f"] + counts["test/rows/sex/m"]


@pytest.mark.parametrize(
    ("text", "settings", "sentence"),
    [
        ("", {}, "csv: mine.csv must have rows, got an empty file"),
        ("a,y\n", {}, "csv: mine.csv must have a row, got none"),
        (
            "a,a,y\n1,2,3\n",
            {},
            "csv: columns of mine.csv must have different names, got 'a' in columns 1, 2; rename",
        ),
        ("a,,y\n1,2,3\n", {}, "csv: every column of mine.csv must have a name, got none for"),
        ("a,z\n1,2\n", {}, "csv: columns must include ['y'], got ['a', 'z']; names are "),
        ("a,z\n1,2\n", {"predict": "value"}, "csv: columns must include ['y'], got ['a', 'z']; "),
        ("a,y\n1,2,3\n", {}, "csv: rows of mine.csv must have as many fields as the header (2), "),
        ("a,y\n1,no\n2,no\n", {}, "csv: target 'y' must have 2 to 1000 classes, got 1; "),
        (
            "a,y\n" + "".join(f"{k},{'no' if k % 2 else 'yes'}\n" for k in range(60)) + "inf,no\n",
            {},
            "csv: feature 'a' must be finite in every row, got ",
        ),
        ("a,y\n,no\n,yes\n", {}, "csv: columns must have a value to infer their type from, got "),
        ("a,y\n1,x\n2,z\n", {"predict": "value"}, "csv: target 'y' must be a number for "),
        ("a,b,y\n1,2,x\n2,,z\n", {"entity": "b"}, "csv: entity 'b' must have a value in every row"),
    ],
)
def test_bad_files_are_told_in_one_sentence(tmp_path, text, settings, sentence):
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    assert fault(tmp_path, parameters(**settings)).startswith(sentence)


def test_bytes_that_are_not_the_declared_encoding_are_refused(tmp_path, columns):
    path = write_csv(tmp_path, columns)
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    assert fault(tmp_path, parameters()) == (
        "csv: mine.csv must be text in utf-8, got the byte 0xf6; declare its encoding, such as "
        "latin-1 or utf-16"
    )
    _, schema = prepare(tmp_path, latin())
    assert "city=Köln" in schema.features


def latin():
    settings = parameters()
    return settings.model_copy(
        update={"csv": settings.csv.model_copy(update={"encoding": "latin-1"})}
    )


def test_a_file_that_is_not_parquet_is_refused(tmp_path):
    (tmp_path / "mine.parquet").write_bytes(b"PAR1 nonsense PAR1")
    assert fault(tmp_path, parameters(path="mine.parquet")).startswith(
        "csv: mine.parquet must be a readable parquet file, got "
    )


def test_thresholds_stand_beside_a_number_and_come_from_the_training_rows(tmp_path, columns):
    columns["v"] = [k // 10 for k in range(N)]  # 0 to 9
    write_csv(tmp_path, columns)
    settings = parameters(features=["v"], encoding={"number_thresholds": 2}, entity="joined")
    table, schema = prepare(tmp_path, settings)
    # The distinct values are 0 to 9; a third and two thirds of the way between them are 3 and 6.
    assert schema.features == ("v", "v>=3", "v>=6")
    np.testing.assert_array_equal(table["v>=3"], table["v"] >= 3)
    np.testing.assert_array_equal(table["v>=6"], table["v"] >= 6)
