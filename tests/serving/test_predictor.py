"""Raw samples get the predictions of the pipeline."""

import math

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.errors import ArtifactError, DataError
from plumbline.inference.classical import ngram_likelihoods, predict_baseline
from plumbline.inference.classify import predict_classifier
from plumbline.inference.generate import generate
from plumbline.inference.language import network_likelihoods
from plumbline.serving.predictor import columns_of, load
from tests.serving import folders


def predicted(folder, frame, **options):
    predictor = load(folder)
    return predictor.predict(columns_of(frame, predictor.interface), **options)


@pytest.mark.parametrize("make", [folders.fnn, folders.baseline])
def test_rows_of_the_file_get_the_scores_and_decisions_of_the_pipeline(tmp_path, make):
    folder, data = make(tmp_path)
    predict = predict_baseline if folder.name == "baseline" else predict_classifier
    want = predict(folder, data)
    found = predicted(folder, folders.raw_rows(data))
    assert list(found) == ["score_low", "score_high", "decision"]
    np.testing.assert_array_equal(found[["score_low", "score_high"]].to_numpy(), want.scores())
    decided = [("low", "high")[code] for code in want.table["y_pred"]]
    assert found["decision"].tolist() == decided


def test_a_threshold_decides(tmp_path):
    folder, data = folders.fnn(tmp_path, decision=True)
    found = predicted(folder, folders.raw_rows(data))
    want = np.where(found["score_high"] >= 0.9, "high", "low")
    assert found["decision"].tolist() == want.tolist()


def test_a_regression_gives_values(tmp_path):
    folder, data = folders.baseline(tmp_path, "regression")
    found = predicted(folder, folders.raw_rows(data))
    want = predict_baseline(folder, data).table["y_pred"]
    np.testing.assert_array_equal(found["value"], want)


def test_pictures_get_the_scores_of_the_pipeline(tmp_path):
    folder, data = folders.cnn(tmp_path)
    table = artifacts.read_split_table(data)
    test = (table["split"] == names.TEST).to_numpy()
    pictures = artifacts.read_images(data, 16, rows=len(table))[test][:, 0]
    found = predicted(folder, pd.DataFrame({"image": list(pictures)}))
    want = predict_classifier(folder, data).scores()
    np.testing.assert_array_equal(found.iloc[:, :3].to_numpy(), want)


@pytest.mark.parametrize("make", [folders.rnn, folders.ngram])
def test_texts_get_the_likelihoods_of_the_pipeline(tmp_path, make):
    folder, data = make(tmp_path)
    likelihoods = ngram_likelihoods if folder.name == "ngram" else network_likelihoods
    documents, nll = likelihoods(folder, data, split=names.TEST)
    found = predicted(folder, documents.reset_index(drop=True))
    assert found["characters"].tolist() == [len(text) for text in documents["text"]]
    np.testing.assert_array_equal(found["nll"], [one.sum() for one in nll])
    bits = [one.mean() / math.log(2) for one in nll]
    np.testing.assert_allclose(found["bits_per_character"], bits)


def test_a_generator_draws_the_pictures_of_the_pipeline(tmp_path):
    folder, _ = folders.gan(tmp_path)
    want, _ = generate(folder, n=3, seed=7, labels=[2, 0, 2])
    found = predicted(folder, pd.DataFrame({"class": ["bar2", "bar0", "bar2"]}), seed=7)
    np.testing.assert_array_equal(np.array(found["image"].tolist()), want[:, 0])


@pytest.mark.parametrize("model", folders.ALL)
def test_every_model_takes_its_example_and_gives_the_columns_it_declares(tmp_path, model):
    predictor = load(folders.ALL[model](tmp_path)[0])
    frame = pd.DataFrame({c.name: [c.example] for c in predictor.interface.inputs})
    found = predictor.predict(columns_of(frame, predictor.interface))
    assert len(found) == 1
    assert list(found) == list(predictor.interface.outputs)


@pytest.mark.parametrize("model", folders.ALL)
def test_an_empty_table_and_wrong_columns_are_refused(tmp_path, model):
    folder, _ = folders.ALL[model](tmp_path)
    predictor = load(folder)
    columns = [column.name for column in predictor.interface.inputs]
    with pytest.raises(DataError) as caught:
        predicted(folder, pd.DataFrame(columns=columns, dtype="float64"))
    assert str(caught.value) == f"{model}: input must have a row, got none"
    with pytest.raises(DataError) as caught:
        predicted(folder, pd.DataFrame({"other": [1]}))
    assert str(caught.value) == (
        f"{model}: columns must include {columns}, got []; names are case-sensitive"
    )


@pytest.mark.parametrize(
    ("model", "column", "value", "message"),
    [
        ("fnn", "raw weight", ["heavy"], "fnn: column 'raw weight' must be numeric in every row, "
         "got: 'heavy'; correct it"),
        ("rnn", "text", [None], "rnn: text 0 must be a text with a character, got None; correct "
         "it or leave it out"),
        ("gan", "class", ["cat"], "gan: class must be one of bar0, bar1, bar2, got 'cat'"),
    ],
)  # fmt: skip
def test_an_unfit_value_is_named(tmp_path, model, column, value, message):
    folder, data = folders.ALL[model](tmp_path)
    frame = folders.raw_rows(data).head(1) if model == "fnn" else pd.DataFrame(index=[0])
    with pytest.raises(DataError) as caught:
        predicted(folder, frame.assign(**{column: value}))
    assert str(caught.value) == message


def test_a_column_of_several_types_is_refused(tmp_path):
    folder, data = folders.fnn(tmp_path)
    rows = folders.raw_rows(data).head(2).assign(**{"raw height": ["tall", 3]})
    with pytest.raises(DataError, match="'raw height' must be numeric in every row, got values"):
        predicted(folder, rows)


def test_a_model_without_the_encoding_of_its_data_is_refused(tmp_path):
    folder, data = folders.fnn(tmp_path)
    (data / "encoding.json").unlink()
    with pytest.raises(ArtifactError, match=r"encoding.json: file must exist"):
        load(folder)
    data.rename(tmp_path / "gone")
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    assert str(caught.value) == (
        "fnn: data set 'tabular' must be prepared beside the model, got none in prepared/ nor in "
        "data/prepared/tabular; run plumbline repro prepare@tabular"
    )


def test_encoders_of_other_features_are_refused(tmp_path):
    folder, data = folders.fnn(tmp_path)
    found = artifacts.read_json(data / "encoding.json")
    found["columns"] = found["columns"][:1]
    artifacts.write_encoding(data, found)
    with pytest.raises(ArtifactError, match=r"features must come from the columns .* \['height'\]"):
        load(folder)
