import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.errors import ArtifactError


def message(call, *args, **kwargs):
    with pytest.raises(ArtifactError) as error:
        call(*args, **kwargs)
    return str(error.value)


# Bytes


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep/file.txt"
    artifacts.write_text(path, "old\n")

    def fail():
        with artifacts.atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_bytes() == b"old\n"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_text_keeps_its_line_ends_and_is_readable_by_all(tmp_path):
    artifacts.write_text(tmp_path / "a", "é\nb\r\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\nb\r\n"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_a_folders_digest_depends_on_names_and_contents_alone(tmp_path):
    for name in ("one", "two"):
        for file in sorted(["b/x", "a"], reverse=name == "two"):
            artifacts.write_text(tmp_path / name / file, file)
    artifacts.write_text(tmp_path / "two/__pycache__/a.pyc", "ignored")
    one, two = (artifacts.digest(tmp_path / name) for name in ("one", "two"))
    assert one == two
    artifacts.write_text(tmp_path / "two/b/x", "changed")
    assert artifacts.digest(tmp_path / "two") != one
    (tmp_path / "one/b/x").rename(tmp_path / "one/b/y")
    assert artifacts.digest(tmp_path / "one") != one


def test_a_files_digest_is_that_of_hashlib(tmp_path):
    artifacts.write_text(tmp_path / "a", "abc")
    assert artifacts.digest(tmp_path / "a", "md5") == "900150983cd24fb0d6963f7d28e17f72"


# JSON


def test_json_has_sorted_keys_ten_digits_and_null_for_what_is_undefined():
    value = {"b": (1, True), "a": np.float64(1 / 3), 3: [math.nan, -math.inf, None], "é": "ü"}
    text = artifacts.dump_json(value)
    assert text == (
        '{\n  "3": [\n    null,\n    null,\n    null\n  ],\n  "a": 0.3333333333,\n'
        '  "b": [\n    1,\n    true\n  ],\n  "é": "ü"\n}\n'
    )


def test_arrays_and_dataclasses_become_lists_and_mappings():
    assert artifacts.plain(np.array([[1, 2]], dtype=np.int8)) == [[1, 2]]
    schema = DatasetSchema("text", "toy", "language")
    assert artifacts.plain(schema)["classes"] == []
    with pytest.raises(TypeError) as error:
        artifacts.plain({1, 2})
    assert str(error.value) == "artifacts.plain: value must be JSON-like, got set"


def test_json_that_is_missing_or_broken_is_named(tmp_path):
    assert message(artifacts.read_json, tmp_path / "a.json") == (
        f"a.json: file must exist, got none at {tmp_path.as_posix()}/; run the stage that makes it"
    )
    artifacts.write_text(tmp_path / "a.json", "{")
    assert message(artifacts.read_json, tmp_path / "a.json").startswith(
        "a.json: content must be JSON, got Expecting property name"
    )


# Tables


def test_equal_tables_give_equal_bytes_and_come_back(tmp_path):
    table = pd.DataFrame({"x": [1.5, 2.0], "s": ["a", "b"]}, index=[7, 9])
    for name in ("one", "two"):
        artifacts.write_table(tmp_path / name, table, {"note": [1], "at": name == "none"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    back, meta = artifacts.read_table(tmp_path / "one")
    assert meta == {"note": [1], "at": False}
    assert back.to_dict("list") == table.to_dict("list")


def test_a_table_that_is_no_parquet_is_named(tmp_path):
    artifacts.write_text(tmp_path / "t.parquet", "no table at all")
    assert message(artifacts.read_table, tmp_path / "t.parquet").startswith(
        "t.parquet: content must be Parquet, got "
    )


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


def test_an_entity_or_a_weight_is_no_feature(tmp_path):
    for wrong in ({"features": ("x", "sample_weight")}, {"attributes": ("sample_weight",)}):
        artifacts.write_json(
            tmp_path / "t/schema.json", DatasetSchema("tabular", "toy", "binary", **wrong)
        )
        assert message(DatasetSchema.read, tmp_path / "t") == (
            "t/schema.json: features and attributes must not be entity or sample_weight, got "
            "['sample_weight']; rename the column"
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


# Text


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


# Schemas and models


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


def test_a_model_folder_restores_arrays_and_config(tmp_path):
    weights = {"b": np.arange(6, dtype=np.uint64).reshape(2, 3), "a": np.float32([[1], [2]]).T}
    config = ModelConfig(
        model="fnn", architecture="fnn", arguments={"hidden": [3]}, kind="classification",
        dataset="tabular", source="toy", classes=("no", "yes"),
        inputs=({"name": "x", "dtype": "float32", "shape": [-1]},),
    )  # fmt: skip
    artifacts.save_model(tmp_path / "m", weights, config)
    assert ModelConfig.read(tmp_path / "m") == config
    for name, array in artifacts.load_weights(tmp_path / "m").items():
        np.testing.assert_array_equal(array, weights[name])
        assert array.dtype == weights[name].dtype
    assert set(load_file(tmp_path / "m/model.safetensors")) == {"a", "b"}


def test_weights_are_byte_stable_and_take_tensors(tmp_path):
    import torch

    array = np.arange(4, dtype=np.float32)
    artifacts.write_weights(tmp_path / "one", {"w": array, "v": array})
    artifacts.write_weights(tmp_path / "two", {"v": torch.tensor(array), "w": torch.tensor(array)})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_broken_weights_are_named(tmp_path):
    artifacts.write_text(tmp_path / "model.safetensors", "nothing")
    assert message(artifacts.load_weights, tmp_path).startswith(
        "model.safetensors: content must be safetensors, got "
    )


# Predictions


def classification(**changes):
    table = pd.DataFrame(
        {
            "sample_id": ["a", "b"],
            "split": ["test", "test"],
            "y_true": [0, 1],
            "y_pred": [0, 0],
            "score_no": [0.75, 0.5],
            "score_yes": [0.25, 0.5],
            "sex": ["f", "m"],
        }
    ).assign(**changes)
    return Predictions(
        table=table, model="fnn", kind="classification", dataset="tabular", source="toy",
        classes=("no", "yes"), positive="yes", attributes=("sex",),
    )  # fmt: skip


def test_a_predictions_table_comes_back_equal(tmp_path):
    predictions = classification(extra=[1, 2])
    predictions.write(tmp_path / "fnn.parquet")
    back = Predictions.read(tmp_path / "fnn.parquet")
    assert list(back.table.columns) == predictions.columns()
    assert replace(back, table=predictions.table) == predictions
    np.testing.assert_array_equal(back.scores(), [[0.75, 0.25], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"sample_id": ["a", "a"]}, "sample_id must be unique, got repeated ids"),
        ({"sex": ["f", None]}, "column sex must be defined, got missing values"),
        ({"score_no": [np.nan, 0.5]}, "column score_no must be defined, got missing values"),
        ({"score_no": [np.inf, 0.5]}, "column score_no must be finite, got infinite values"),
        ({"y_true": [0, 2]}, "y_true must be a code in 0…1, got 0…2"),
        ({"y_pred": [0.0, 0.5]}, "y_pred must be a code in 0…1, got 0.0…0.5"),
        ({"score_no": [0.7, 0.5]}, "scores must be >= 0 and sum to 1 in every row"),
        ({"score_no": [-0.2, 0.5], "score_yes": [1.2, 0.5]},
         "scores must be >= 0 and sum to 1 in every row"),
    ],
)  # fmt: skip
def test_each_broken_rule_has_its_sentence(changes, rule):
    assert message(classification(**changes).check, "t") == f"t: {rule}"


def test_missing_columns_unknown_kinds_and_empty_tables_are_refused():
    good = classification()
    lacking = replace(good, table=good.table.drop(columns=["sex", "y_pred"]))
    assert message(lacking.check, "t") == (
        "t: columns must include ['y_pred', 'sex'], got none of them"
    )
    assert message(replace(good, kind="ranking").check, "t") == (
        "t: kind must be one of ('classification', 'regression', 'language', 'generator'), "
        "got 'ranking'"
    )
    empty = replace(good, table=good.table.iloc[:0])
    assert message(empty.check, "t") == "t: table must have a row, got none"


def test_columns_follow_the_kind():
    good = classification()
    regression = replace(good, kind="regression", classes=())
    assert regression.columns() == ["sample_id", "split", "y_true", "y_pred", "sex"]
    language = replace(good, kind="language", classes=())
    assert language.columns() == [
        "sample_id", "split", "document_id", "nll", "characters", "sex",
    ]  # fmt: skip
    features = {f"feature_{k}": [float(k), 0.0] for k in (10, 2, 0)}
    generator = replace(classification(**features), kind="generator")
    assert generator.columns()[6:9] == ["feature_0", "feature_2", "feature_10"]
    np.testing.assert_array_equal(generator.features(), [[0, 2, 10], [0, 0, 0]])
    generator.check("t")


def test_a_table_without_a_header_is_no_predictions_table(tmp_path):
    artifacts.write_table(tmp_path / "t.parquet", classification().table)
    assert message(Predictions.read, tmp_path / "t.parquet") == (
        "t.parquet: file must hold a predictions table, got no complete header ('classes')"
    )
