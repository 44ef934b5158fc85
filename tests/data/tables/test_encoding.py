"""Raw rows get the features that the prepared table has."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from plumbline import artifacts
from plumbline.data.base.sources import user_digest
from plumbline.data.tables.encoding import RawColumns
from plumbline.data.tables.prepare import prepare
from plumbline.errors import ArtifactError, DataError
from plumbline.params.data import TabularData

ROWS = 240


def own_table(root, *, missing="median", features="all"):
    """Prepare a CSV with a number, a category, a date and missing values of each."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "income": rng.normal(1000.123456789, 300, ROWS),
            "job": rng.choice(["nurse", "cook", "smith"], ROWS),
            "since": pd.date_range("2019-03-01", periods=ROWS).strftime("%Y-%m-%d"),
            "sex": rng.choice(["f", "m"], ROWS),
            "repaid": rng.choice(["no", "yes"], ROWS),
        }
    )
    for column, step in (("income", 7), ("job", 11), ("since", 13)):
        table[column] = table[column].mask(np.arange(ROWS) % step == 0)
    path = root / "loans.csv"
    table.to_csv(path, index=False, na_rep="n/a", sep=";", decimal=",")
    block = yaml.safe_load((artifacts_root() / "params.yaml").read_text())["data_tabular"]
    about = dict.fromkeys(
        ("title", "description", "licence", "citation", "address", "not_known"), "-"
    )
    block |= {
        "source": "csv",
        "target": "label",
        "csv": {
            "path": "loans.csv", "sha256": user_digest(path), "encoding": "utf-8", "about": about,
            "delimiter": ";", "decimal": ",", "thousands": None, "missing_values": ["n/a"],
            "target": "repaid", "positive": "yes", "rest": None, "types": {}, "features": features,
            "except": [], "attributes": {"sex": []}, "weight": None, "entity": None, "split": None,
            "time": None,
        },
    }  # fmt: skip
    block["encoding"]["missing_numbers"] = missing
    block["encoding"]["number_thresholds"] = 2
    prepare(TabularData(**block), seed=0, root=root).write(root / "tabular")
    return table, root / "tabular"


def artifacts_root():
    from pathlib import Path

    return Path(__file__).parents[3]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return own_table(tmp_path_factory.mktemp("own"))


def arrow(table):
    return {name: pa.Array.from_pandas(table[name]) for name in table}


def test_raw_rows_become_the_features_of_the_prepared_table_to_the_bit(prepared):
    table, folder = prepared
    columns = RawColumns.read(folder)
    found, unseen = columns.features(arrow(table), where="fnn")
    written = artifacts.read_split_table(folder)
    assert unseen == {}
    assert list(found) == list(artifacts.DatasetSchema.read(folder).features)
    assert {"income_missing", "job=(missing)", "since_missing"} <= set(found)
    for name, values in found.items():
        np.testing.assert_array_equal(values, written[name].to_numpy(), err_msg=name)


def test_rows_as_the_file_writes_them_are_read_in_its_dialect(prepared):
    _, folder = prepared
    columns = RawColumns.read(folder)
    text = pd.DataFrame(
        {"income": ["1000,5", "n/a"], "job": ["cook", "n/a"], "since": "2020-01-31"}
    )
    found, _ = columns.features(arrow(text), where="fnn")
    assert found["income"][0] == 1000.5
    assert found["income_missing"].tolist() == [0, 1]
    assert found["job=(missing)"].tolist() == [0, 1]
    assert found["since_month"].tolist() == [1, 1]


def test_categories_of_no_training_row_are_counted_and_have_no_feature(prepared):
    _, folder = prepared
    rows = pd.DataFrame({"income": 1, "job": ["pilot", "cook", "poet"], "since": "2020-01-31"})
    found, unseen = RawColumns.read(folder).features(arrow(rows), where="fnn")
    assert unseen == {"job": (2, "pilot")}
    assert [int(found[f"job={job}"][0]) for job in ("cook", "nurse", "smith")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"income": ["many"]}, "fnn: column 'income' must be numeric in every row, got: 'many'; "
         "correct it"),
        ({"income": [float("inf")]}, "fnn: column 'income' must be finite in every row, got "
         "infinite values in 1 rows; correct or remove them"),
        ({"income": None}, "fnn: columns must include ['income'], got ['job', 'since']; names are "
         "case-sensitive"),
    ],
)  # fmt: skip
def test_wrong_columns_and_types_are_named(prepared, change, message):
    rows = {"income": [1], "job": ["cook"], "since": ["2020-01-31"], **change}
    rows = {name: value for name, value in rows.items() if value is not None}
    with pytest.raises(DataError) as caught:
        RawColumns.read(prepared[1]).features(arrow(pd.DataFrame(rows)), where="fnn")
    assert str(caught.value) == message


def test_a_text_that_is_no_date_is_refused(prepared):
    rows = pd.DataFrame({"income": [1], "job": ["cook"], "since": ["31.01.2020"]})
    with pytest.raises(DataError, match="column 'since' must be date in every row, got: "):
        RawColumns.read(prepared[1]).features(arrow(rows), where="fnn")


def test_missing_values_are_refused_where_nothing_is_imputed(tmp_path):
    block = yaml.safe_load((artifacts_root() / "params.yaml").read_text())["data_tabular"]
    prepare(TabularData(**{**block, "attributes_as_features": True}), seed=0).write(tmp_path)
    columns = RawColumns.read(tmp_path)
    names = [(encoder.column, encoder.features) for encoder in columns.encoders]
    assert ("sex", ("sex_code",)) in names  # the name in the source
    rows = {name: pa.array([None], pa.float64()) for name in columns.names}
    with pytest.raises(DataError) as caught:
        columns.features(rows, where="fnn")
    assert str(caught.value) == (
        "fnn: column 'age' must have a value in every row, got 1 missing; correct or remove these "
        "rows"
    )


def test_a_damaged_encoding_is_refused(prepared, tmp_path):
    found = json.loads((prepared[1] / "encoding.json").read_text())
    artifacts.write_encoding(tmp_path, {**found, "more": 1})
    with pytest.raises(ArtifactError, match="keys must be"):
        RawColumns.read(tmp_path)
    del found["columns"][0]["kind"]
    artifacts.write_encoding(tmp_path, found)
    with pytest.raises(ArtifactError, match="columns must be those of encoders, got TypeError"):
        RawColumns.read(tmp_path)
