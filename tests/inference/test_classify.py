from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from plumbline import artifacts, models
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.errors import ArtifactError
from plumbline.inference import classify
from plumbline.inference.classify import predict_classifier, predict_network
from tests.prepared_folders import write_image_folder, write_table_folder

ARGUMENTS = {
    "image_size": 16,
    "image_channels": 1,
    "channels": [4],
    "feature_dim": 5,
    "outputs": 3,
    "dropout": 0.5,
    "mean": [0.3],
    "scale": [0.3],
}


@pytest.fixture
def cnn(tmp_path):
    torch.manual_seed(0)
    network = models.build("cnn", **ARGUMENTS).eval()
    config = ModelConfig(
        model="cnn",
        architecture="cnn",
        arguments=ARGUMENTS,
        kind="classification",
        dataset="images",
        source="made_up",
        classes=("bar0", "bar1", "bar2"),
        inputs=({"name": "images", "dtype": "uint8", "shape": [-1, 1, 16, 16]},),
    )
    artifacts.save_model(tmp_path / "cnn", network.state_dict(), config)
    return network, tmp_path / "cnn"


@pytest.fixture
def data(tmp_path):
    return write_image_folder(tmp_path / "images")


@pytest.mark.parametrize(("split", "rows"), [("test", 24), ("val", 24), ("train", 72)])
def test_the_table_holds_the_rows_of_the_split_in_order(cnn, data, split, rows):
    predictions = predict_classifier(cnn[1], data, split=split)
    predictions.check("cnn")
    table = artifacts.read_split_table(data)
    expected = table[table["split"] == split]
    assert predictions.table["sample_id"].tolist() == expected["sample_id"].tolist()
    assert predictions.table["y_true"].tolist() == expected["y"].tolist()
    assert predictions.table["thickness"].tolist() == expected["thickness"].tolist()
    assert len(predictions.table) == rows


def test_scores_are_the_softmax_of_the_networks_logits(cnn, data):
    network, folder = cnn
    predictions = predict_classifier(folder, data)
    table = artifacts.read_split_table(data)
    images = artifacts.read_images(data, 16, rows=len(table))[(table["split"] == "test").to_numpy()]
    with torch.no_grad():
        logits = network(torch.tensor(images)).double().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert predictions.scores() == pytest.approx(expected, abs=1e-6)
    assert predictions.table["y_pred"].tolist() == expected.argmax(axis=1).tolist()
    assert (predictions.model, predictions.dataset, predictions.source) == (
        "cnn",
        "images",
        "made_up",
    )


def test_predictions_have_the_name_that_the_network_is_given(cnn, data):
    found = predict_network({"reader": cnn[1]}, data, options=None, seed=0)
    own = predict_classifier(cnn[1], data)
    assert found.predictions == replace(own, model="reader", table=found.predictions.table)
    pd.testing.assert_frame_equal(found.predictions.table, own.table)
    assert found.references == {}


def test_batches_do_not_change_predictions(cnn, data, monkeypatch):
    whole = predict_classifier(cnn[1], data).scores()
    monkeypatch.setattr(classify, "BATCH", 5)
    assert predict_classifier(cnn[1], data).scores() == pytest.approx(whole, abs=1e-6)


def test_data_of_other_classes_are_refused(cnn, data):
    schema = DatasetSchema.read(data)
    artifacts.write_json(data / "schema.json", replace(schema, classes=("x", "y", "z")))
    message = (
        "cnn: classes must be those of images ['x', 'y', 'z'], got ['bar0', 'bar1', 'bar2']; "
        "fit the model to this data"
    )
    with pytest.raises(ArtifactError, match=f"^{re.escape(message)}$"):
        predict_classifier(cnn[1], data)


def test_a_table_without_the_models_features_is_refused(tmp_path):
    data = write_table_folder(tmp_path / "tabular")
    arguments = {
        "inputs": 2,
        "outputs": 2,
        "hidden": [],
        "activation": "relu",
        "dropout": 0.0,
        "norm": "none",
        "init": "default",
    }
    network = models.build("fnn", **arguments)
    config = ModelConfig(
        model="fnn",
        architecture="fnn",
        arguments=arguments,
        kind="classification",
        dataset="tabular",
        source="made_up",
        classes=("low", "high"),
        inputs=tuple({"name": n, "dtype": "float32", "shape": [-1]} for n in ("weight", "pulse")),
    )
    artifacts.save_model(tmp_path / "fnn", network.state_dict(), config)
    message = (
        "fnn: features must be in the table, got none of ['pulse']; fit the model to this data"
    )
    with pytest.raises(ArtifactError, match=f"^{re.escape(message)}$"):
        predict_classifier(tmp_path / "fnn", data)


def test_prediction_imports_no_lightning(cnn, data):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path\n"
        "from plumbline.inference.classify import predict_classifier\n"
        f"predict_classifier(Path({str(cnn[1])!r}), Path({str(data)!r}))\n"
        "assert not {'pytorch_lightning', 'timm', 'mlflow'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_predictions_carry_entities_and_weights_and_know_what_they_tell(cnn, tmp_path):
    data = write_image_folder(tmp_path / "images")
    table, _ = artifacts.read_table(data / "table.parquet")
    table["entity"] = [f"{split}-{k // 10}" for k, split in enumerate(table["split"])]
    table["sample_weight"] = 1.0 + np.arange(len(table)) % 4
    artifacts.write_table(data / "table.parquet", table)
    found = predict_classifier(cnn[1], data)
    test = table[table["split"] == "test"]
    assert found.columns()[:4] == ["sample_id", "split", "entity", "sample_weight"]
    every = np.ones(len(test), dtype=bool)
    assert found.entities(every).tolist() == test["entity"].tolist()
    assert found.weights(every).tolist() == test["sample_weight"].tolist()
    # One row of each: nothing varies together.
    assert found.entities(~test["entity"].duplicated().to_numpy()) is None
    found.write(tmp_path / "p.parquet")
    back = artifacts.Predictions.read(tmp_path / "p.parquet")
    assert back.table.equals(found.table[found.columns()])
    artifacts.write_table(data / "table.parquet", table.drop(columns=["entity", "sample_weight"]))
    plain = predict_classifier(cnn[1], data)
    assert (plain.entities(every), plain.weights(every)) == (None, None)
