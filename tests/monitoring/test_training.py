"""The summary counts the training rows, of the table or from the file beside a model."""

import logging
import shutil

import numpy as np
import pytest

from plumbline import artifacts, names
from plumbline.errors import ArtifactError
from plumbline.monitoring import training
from plumbline.runs import records
from tests.monitoring import tables
from tests.serving import folders


def test_every_column_group_and_class_of_training_rows_is_counted(tmp_path):
    rows = tables.raw(50, seed=1)
    rows.loc[2, "city"] = None
    data = tables.prepare(tmp_path / "tabular", rows)
    split = artifacts.read_split_table(data)["split"] == names.TRAIN
    train, found = rows[split.to_numpy()], training.summarise(data)
    ages = np.sort(train["age"].dropna())
    assert found["rows"] == len(train)
    assert found["columns"]["age"] == {
        "kind": "numeric",
        "missing": int(train["age"].isna().sum()),
        "edges": ages.tolist(),
        "below": list(range(len(ages))),
        "at_most": list(range(1, len(ages) + 1)),
    }
    visits = train["visits"].value_counts().sort_index()
    assert found["columns"]["visits"]["edges"] == visits.index.tolist()
    assert found["columns"]["visits"]["at_most"] == visits.cumsum().tolist()
    assert found["columns"]["city"] == {
        "kind": "categorical",
        "missing": 1,
        "counts": train["city"].value_counts().to_dict(),
        "other": None,
    }
    days = (train["entered"] - np.datetime64("1970-01-01")).dt.days
    assert found["columns"]["entered"]["edges"] == sorted(set(days.astype(float)))
    assert found["groups"] == {"sex": train["sex"].value_counts().to_dict()}
    assert found["classes"] == train["label"].value_counts().to_dict()


def test_missing_and_rare_categories_are_told_apart_whatever_the_rules(tmp_path):
    rows = tables.raw(50, seed=1)
    rows.loc[[2, 3], "city"] = None
    rules = tables.RULES.model_copy(
        update={"missing_categories": "most_frequent", "max_categories": 2}
    )
    data = tables.prepare(tmp_path / "tabular", rows, rules=rules)
    split = artifacts.read_split_table(data)["split"] == names.TRAIN
    train, found = rows[split.to_numpy()], training.summarise(data)["columns"]["city"]
    counts = train["city"].value_counts()
    assert found["missing"] == train["city"].isna().sum() == 2
    assert found["counts"] == counts[:2].to_dict()
    assert found["other"] == counts[2:].sum()


def test_a_summary_is_read_as_it_was_written_and_damage_is_named(tmp_path):
    data = tables.prepare(tmp_path / "tabular", tables.raw(400, seed=1))
    found = training.summarise(data)
    training.write(tmp_path, found)
    assert training.read(tmp_path) == found
    (tmp_path / training.FILE).write_text("{}")
    with pytest.raises(ArtifactError) as caught:
        training.read(tmp_path)
    assert str(caught.value).endswith(
        "/training_summary.json: keys must be ['classes', 'columns', 'groups', 'rows'], got []"
    )
    with pytest.raises(ArtifactError, match=r"must hold training_summary\.json or"):
        training.read(tmp_path / "tabular" / "none")


def record_of(root, model):
    record = records.open_record(root, "train@fnn")
    record.update(model=model)
    return record


def test_a_record_of_a_trained_model_of_a_table_keeps_the_summary(tmp_path):
    folders.fnn(tmp_path)
    folders.cnn(tmp_path)
    inputs = {"src/x.py": "1", "data/prepared/tabular": "2", "data/prepared/images": "3"}
    record = record_of(tmp_path, {"path": "data/models/fnn"})
    training.keep(record, inputs, tmp_path)
    kept = {p.relative_to(record.folder / "files").as_posix() for p in
            record.folder.rglob("files/**/*") if p.is_file()}  # fmt: skip
    assert kept == {"data/prepared/tabular/training_summary.json"}
    prepared = record.folder / "files/data/prepared/tabular"
    assert training.read(prepared) == training.summarise(tmp_path / "data/prepared/tabular")
    other = record_of(tmp_path, None)
    training.keep(other, inputs, tmp_path)
    assert not (other.folder / "files").exists()


def test_a_fault_in_the_data_costs_a_trained_model_nothing(tmp_path, caplog):
    _, data = folders.fnn(tmp_path)
    shutil.copy(data / "encoding.json", data / "table.parquet")
    record = record_of(tmp_path, {"path": "data/models/fnn"})
    with caplog.at_level(logging.WARNING):
        training.keep(record, {"data/prepared/tabular": "2"}, tmp_path)
    assert "table.parquet: file must be a prepared table, got: " in caplog.text
