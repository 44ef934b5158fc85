import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema
from plumbline.errors import ArtifactError


def message(call, *args, **kwargs):
    with pytest.raises(ArtifactError) as error:
        call(*args, **kwargs)
    return str(error.value)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"entity": ["a", "b", "b"]}, "an entity must be in one split only, got 'b' in two"),
        ({"entity": ["a", None, "b"]}, "entity must be known in every row, got 1 rows without"),
        (
            {"sample_weight": [1.0, math.nan, 2.0]},
            "sample_weight must be finite and >= 0 in every row, got another value",
        ),
        (
            {"sample_weight": [1.0, 0.0, 2.0]},
            "sample_weight must be above 0 in some row of split val, got none",
        ),
    ],
)
def test_entities_and_weights_that_cannot_be_are_refused(tmp_path, columns, sentence):
    rows = {"sample_id": ["a", "b", "c"], "split": ["train", "val", "test"], **columns}
    artifacts.write_table(tmp_path / "tabular/table.parquet", pd.DataFrame(rows))
    assert message(artifacts.read_split_table, tmp_path / "tabular") == (
        f"tabular/table.parquet: {sentence}"
    )


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"features": ("x", "sample_weight")}, "sample_weight"),
        ({"attributes": ("sample_weight",)}, "sample_weight"),
        ({"attributes": ("sex", "overall")}, "overall"),
        ({"attributes": ("score_yes",), "classes": ("no", "yes")}, "score_yes"),
    ],
)
def test_features_and_attributes_have_names_of_their_own(tmp_path, wrong, name):
    artifacts.write_json(
        tmp_path / "t/schema.json", DatasetSchema("tabular", "toy", "binary", **wrong)
    )
    assert message(DatasetSchema.read, tmp_path / "t") == (
        "t/schema.json: features and attributes must have names of their own, got "
        f"['{name}']; rename the columns"
    )


def test_repeated_ids_and_missing_splits_are_refused(tmp_path):
    folder = tmp_path / "images"
    table = pd.DataFrame({"sample_id": ["a", "b", "c"], "split": ["train", "val", "test"]})
    artifacts.write_table(folder / "table.parquet", table)
    assert artifacts.read_split_table(folder)["split"].tolist() == ["train", "val", "test"]
    artifacts.write_table(folder / "table.parquet", table.assign(sample_id=["a", "b", "b"]))
    assert message(artifacts.read_split_table, folder) == (
        "images/table.parquet: sample_id must be unique, got 'b' more than once"
    )
    artifacts.write_table(folder / "table.parquet", table.assign(split=["train", "val", "dev"]))
    assert message(artifacts.read_split_table, folder) == (
        "images/table.parquet: splits must be ('train', 'val', 'test'), got ['dev', 'train', 'val']"
    )


def test_images_of_another_type_shape_or_format_are_refused(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    right = np.zeros((3, 1, 4, 4), dtype=np.uint8)
    np.save(folder / "images_4.npy", right)
    np.testing.assert_array_equal(artifacts.read_images(folder, 4, rows=3), right)
    rule = "images/images_4.npy: images must be uint8 (3, C, 4, 4), got "
    for wrong, got in [
        (right.astype(float), "float64 (3, 1, 4, 4)"),
        (right[:2], "uint8 (2, 1, 4, 4)"),
        (right[:, 0], "uint8 (3, 4, 4)"),
    ]:
        np.save(folder / "images_4.npy", wrong)
        assert message(artifacts.read_images, folder, 4, rows=3) == rule + got
    np.save(folder / "images_4.npy", np.array([{}], dtype=object))
    assert message(artifacts.read_images, folder, 4, rows=3).startswith(
        "images/images_4.npy: content must be a NumPy array, got none ("
    )


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="abcdé\n\U0001f600x"))
def test_known_characters_survive_coding_and_others_become_the_rare_one(text):
    vocabulary = ("\ufffd", "\n", "a", "b", "é", "\U0001f600")
    codes = artifacts.encode_text(text, vocabulary)
    assert codes.dtype == np.int64
    assert codes.tolist() == [vocabulary.index(c) if c in vocabulary else 0 for c in text]
    known = "".join(c if c in vocabulary else "\ufffd" for c in text)
    assert artifacts.decode_text(codes, vocabulary) == known


@pytest.mark.parametrize(
    "found", [["a", "b"], ["\ufffd", "ab"], ["\ufffd", "a", "a"], {"a": 1}, []]
)
def test_a_broken_vocabulary_is_refused(tmp_path, found):
    artifacts.write_json(tmp_path / "text/vocabulary.json", found)
    assert message(artifacts.read_vocabulary, tmp_path / "text") == (
        "text/vocabulary.json: content must be a list of different characters that begins with "
        f"U+FFFD, got {found}"
    )


def test_only_binary_tasks_have_a_positive_class():
    binary = DatasetSchema("tabular", "toy", "binary", ("no", "yes"))
    assert binary.positive == "yes"
    assert replace(binary, task="multiclass").positive is None


def test_a_schema_comes_back_equal_and_unknown_or_missing_keys_are_refused(tmp_path):
    schema = DatasetSchema("images", "digits", "multiclass", ("0", "1"), ("slant",), (), {"a": [1]})
    path = tmp_path / "schema.json"
    artifacts.write_json(path, schema)
    assert DatasetSchema.read(tmp_path) == schema
    raw = json.loads(path.read_text())
    artifacts.write_json(path, {**raw, "colour": "red"})
    assert message(DatasetSchema.read, tmp_path) == (
        "schema.json: keys must be among ['about', 'attributes', 'classes', 'dataset', 'features', "
        "'source', 'task'], got ['colour']"
    )
    artifacts.write_json(path, [1])
    assert message(DatasetSchema.read, tmp_path).endswith("got list")
    artifacts.write_json(path, {"dataset": "images"})
    assert message(DatasetSchema.read, tmp_path).startswith(
        "schema.json: keys must be complete, got "
    )


def test_absent_groups_are_told_by_attribute_and_not_all_of_very_many():
    one = {"x": {"rows": 2, "absent_from": ["val", "test"]}}
    many = {f"g{k:02d}": {"rows": 1, "absent_from": ["test"]} for k in range(12)}
    rest = (
        " No metric describes a group without test rows, and no model has seen one without "
        "training rows."
    )
    first, second = artifacts.absent_group_notes({"absent_groups": {"sex": one, "town": many}})
    assert (
        first == "Groups of sex without a row in a split: x (n = 2; none in val and test)." + rest
    )
    assert second.startswith("Groups of town without a row in a split: g00 (n = 1; none in test), ")
    assert second.endswith("g09 (n = 1; none in test) and 2 more." + rest)
    assert artifacts.absent_group_notes({}) == []


def test_values_that_no_feature_marks_are_told_by_column_and_not_all_of_very_many():
    columns = {f"c{k:02d}": {"missing_unmarked": k + 1} for k in range(12)}
    columns["marked"] = {"missing": 7, "filled_with": 1.5}
    (told,) = artifacts.unmarked_value_notes({"encoded_columns": columns})
    assert told.startswith("Missing values that no feature marks: c00 (1), c01 (2), ")
    assert told.endswith(
        ", c09 (10) and 2 more. They were imputed from training rows, or belong to no category of "
        "these."
    )
    assert artifacts.unmarked_value_notes({"encoded_columns": {"marked": {"missing": 7}}}) == []
    assert artifacts.unmarked_value_notes({}) == []
