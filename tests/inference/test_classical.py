from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema
from plumbline.classical.estimators import load_estimator
from plumbline.classical.folders import fit_baseline, fit_ngram_model
from plumbline.data.tables.prepare import prepare
from plumbline.data.text.docstrings import Document
from plumbline.data.text.prepare import text_from_documents
from plumbline.errors import ArtifactError
from plumbline.inference.classical import (
    predict_baseline,
    predict_baselines,
    predict_ngram,
    predict_ngram_model,
)
from plumbline.params.data import TabularData, TextData
from plumbline.params.models import BaselineParams
from tests.data.tables.test_prepare import ENCODING
from tests.prepared_folders import BASELINE

CONTEXT = SimpleNamespace(seed=1)
PARAMETERS = BaselineParams(
    tabular=("logistic_regression", "decision_tree"),
    **BASELINE,
    ngram_orders=(2,),
)


def tabular(folder, target):
    parameters = TabularData(
        source="diabetes", target=target, attributes_as_features=False,
        val_fraction=0.2, test_fraction=0.2, encoding=ENCODING, csv=None,
        resample={}, label_noise={}, degrade={},
    )  # fmt: skip
    prepare(parameters, seed=1).write(folder / "tabular")
    fitted = fit_baseline(PARAMETERS, data=folder / "tabular", context=CONTEXT)
    fitted.save(folder / "baseline")
    return folder / "baseline", folder / "tabular", fitted.metrics


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return tabular(tmp_path_factory.mktemp("binary"), "above_median")


def test_predictions_of_the_validation_split_have_the_value_that_was_recorded(binary):
    model, data, values = binary
    for name in PARAMETERS.tabular:
        predictions = predict_baseline(model, data, model=name, split="val")
        predictions.check("baseline")
        found = roc_auc_score(predictions.table["y_true"], predictions.scores()[:, 1])
        assert found == pytest.approx(values[f"val/auroc/{name}"])


def test_test_predictions_join_the_table_by_id_and_survive_writing(binary, tmp_path):
    model, data, _ = binary
    predictions = predict_baseline(model, data)
    predictions.write(tmp_path / "baseline.parquet")
    read = artifacts.Predictions.read(tmp_path / "baseline.parquet")
    pd.testing.assert_frame_equal(
        read.table, predictions.table[predictions.columns()], check_dtype=False
    )
    table = artifacts.read_split_table(data).set_index("sample_id").loc[read.table["sample_id"]]
    assert set(table["split"]) == {"test"}
    assert (table["y"].to_numpy() == read.table["y_true"]).all()
    assert (table["sex"].to_numpy() == read.table["sex"]).all()
    assert (read.scores().argmax(axis=1) == read.table["y_pred"]).all()
    assert (read.model, read.kind, read.positive) == ("baseline", "classification", "above_median")
    assert read.attributes == ("sex", "age_band")


def test_the_scores_are_those_of_the_coefficients(binary):
    model, data, _ = binary
    predictions = predict_baseline(model, data, model="logistic_regression")
    scaler, linear = load_estimator(model / "logistic_regression.skops")
    table = artifacts.read_split_table(data).set_index("sample_id")
    features = list(DatasetSchema.read(data).features)
    x = table.loc[predictions.table["sample_id"], features].to_numpy(dtype=float)
    logit = (x - scaler.mean_) / scaler.scale_ @ linear.coef_[0] + linear.intercept_[0]
    np.testing.assert_allclose(predictions.scores()[:, 1], 1 / (1 + np.exp(-logit)))


def test_numbers_are_predicted_as_numbers(tmp_path):
    model, data, values = tabular(tmp_path, "value")
    predictions = predict_baseline(model, data, model="ridge_regression", split="val")
    predictions.check("baseline")
    assert predictions.kind == "regression"
    assert predictions.positive is None
    found = r2_score(predictions.table["y_true"], predictions.table["y_pred"])
    assert found == pytest.approx(values["val/r_squared/ridge_regression"])


def test_the_chosen_model_comes_first_and_the_others_are_its_references(binary):
    model, data, values = binary
    found = predict_baselines({"classics": model}, data, options=None, seed=0)
    chosen = max(PARAMETERS.tabular, key=lambda name: values[f"val/auroc/{name}"])
    (other,) = set(PARAMETERS.tabular) - {chosen}
    assert found.predictions.model == "classics"
    assert list(found.references) == [other]
    for name, predictions in {chosen: found.predictions, **found.references}.items():
        own = predict_baseline(model, data, model=name)
        np.testing.assert_array_equal(predictions.scores(), own.scores())


def test_other_models_features_and_classes_are_refused(binary, tmp_path):
    model, data, _ = binary
    with pytest.raises(ArtifactError) as error:
        predict_baseline(model, data, model="svm")
    assert str(error.value) == (
        "baseline: model must be one of decision_tree, logistic_regression, got 'svm'"
    )
    table = artifacts.read_split_table(data)
    schema = DatasetSchema.read(data)
    artifacts.write_table(tmp_path / "table.parquet", table.drop(columns="bmi"))
    artifacts.write_json(tmp_path / "schema.json", schema)
    with pytest.raises(ArtifactError) as error:
        predict_baseline(model, tmp_path)
    assert str(error.value) == (
        "baseline: features must be in the table, got none of ['bmi']; fit the model to this data"
    )
    artifacts.write_json(tmp_path / "schema.json", replace(schema, classes=("low", "high")))
    with pytest.raises(ArtifactError) as error:
        predict_baseline(model, tmp_path)
    assert str(error.value) == (
        "baseline: classes must be those of tabular ['low', 'high'], got "
        "['below_median', 'above_median']; fit the model to this data"
    )


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    rng = np.random.default_rng(0)
    words = ["mean", "error", "sample", "class", "over", "all"]
    documents = [
        Document(f"p.{part}.d{k}", part, " ".join(rng.choice(words, 90)))
        for k in range(30)
        for part in ("left", "right")
    ]
    parameters = TextData(
        source="sklearn_docs", min_document_characters=1, max_characters=100_000,
        min_character_count=1, shared_runs=1.0, max_containment=1.0, val_fraction=0.2,
        test_fraction=0.2, file=None,
)  # fmt: skip
    text_from_documents(documents, parameters=parameters).write(folder / "text")
    fitted = fit_ngram_model(PARAMETERS, data=folder / "text", context=CONTEXT)
    fitted.save(folder / "ngram")
    return folder, fitted.metrics


def test_blocks_of_the_validation_split_have_the_bits_that_were_recorded(text):
    folder, values = text
    predictions = predict_ngram(
        folder / "ngram", folder / "text", block_characters=100, split="val"
    )
    predictions.check("ngram")
    table = predictions.table
    bits = table["nll"].sum() / table["characters"].sum() / np.log(2)
    assert bits == pytest.approx(values["val/bits_per_character"])


def test_every_test_character_is_in_one_block(text):
    folder, _ = text
    predictions = predict_ngram(folder / "ngram", folder / "text", block_characters=64)
    documents = artifacts.read_split_table(folder / "text", name="documents.parquet")
    lengths = documents[documents["split"] == "test"].set_index("sample_id")["text"].str.len()
    found = predictions.table.groupby("document_id")["characters"].sum()
    assert found.to_dict() == lengths.to_dict()
    assert set(predictions.table["subpackage"]) == {"left", "right"}


def test_an_ngram_model_has_the_name_that_it_is_given(text):
    folder, _ = text
    options = SimpleNamespace(block_characters=64)
    found = predict_ngram_model(
        {"counts": folder / "ngram"}, folder / "text", options=options, seed=0
    )
    assert (found.predictions.model, found.references) == ("counts", {})
    assert found.predictions.table["characters"].max() == 64


def test_a_model_of_another_vocabulary_is_refused(text, tmp_path):
    folder, _ = text
    size = len(artifacts.read_vocabulary(folder / "text"))
    artifacts.write_json(tmp_path / "text/vocabulary.json", ["\ufffd", "a"])
    with pytest.raises(ArtifactError) as error:
        predict_ngram(folder / "ngram", tmp_path / "text", block_characters=64)
    assert str(error.value) == (
        f"ngram: vocabulary must have the 2 characters of text/vocabulary.json, got {size}; "
        "fit the model to this text"
    )
