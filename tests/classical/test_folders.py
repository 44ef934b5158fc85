from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema, Decision, ModelConfig
from plumbline.classical.folders import fit_baseline, fit_ngram_model, restore_model
from plumbline.data.text.docstrings import Document
from plumbline.data.text.prepare import text_from_documents
from plumbline.params.classification import Classification
from plumbline.params.data import TextData
from plumbline.params.models import BaselineParams
from tests.prepared_folders import BASELINE

CONTEXT = SimpleNamespace(seed=3)
PARAMETERS = BaselineParams(
    tabular=("logistic_regression", "decision_tree"),
    **BASELINE,
    ngram_orders=(3,),
)


@pytest.fixture(scope="module")
def table_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "tabular"
    rng = np.random.default_rng(5)
    x = rng.normal(size=(120, 2))
    table = pd.DataFrame(
        {
            "sample_id": [f"s{k:03d}" for k in range(120)],
            "split": ["train"] * 60 + ["val", "test"] * 30,
            "y": (x @ [1.0, -0.8] + 0.3 * rng.normal(size=120) > 0).astype(int),
            "a": x[:, 0],
            "b": x[:, 1],
            "group": ["g", "h"] * 60,
        }
    )
    schema = DatasetSchema(
        "tabular", "diabetes", "binary", ("no", "yes"), ("group",), ("a", "b"), {}
    )
    artifacts.write_table(folder / "table.parquet", table)
    artifacts.write_json(folder / "schema.json", schema)
    return folder


def test_the_folder_holds_every_fitted_model(table_folder, tmp_path):
    fitted = fit_baseline(PARAMETERS, data=table_folder, context=CONTEXT)
    fitted.save(tmp_path / "baseline")
    assert sorted(path.name for path in (tmp_path / "baseline").iterdir()) == [
        "config.json", "decision_tree.skops", "logistic_regression.skops",
    ]  # fmt: skip
    features = artifacts.read_split_table(table_folder)[["a", "b"]].to_numpy()
    for model in fitted.models:
        restored, config = restore_model(tmp_path / "baseline", model.name)
        np.testing.assert_array_equal(restored.scores(features), model.scores(features))
        assert restored.settings == model.settings
    assert restore_model(tmp_path / "baseline")[0].name == config.arguments["chosen"]
    values = fitted.metrics
    assert values["val/auroc"] == max(values.values())
    assert set(values) == {
        "val/auroc", "val/auroc/logistic_regression", "val/auroc/decision_tree",
    }  # fmt: skip


def test_the_config_names_the_chosen_model_and_the_signature(table_folder, tmp_path):
    fitted = fit_baseline(PARAMETERS, data=table_folder, context=CONTEXT)
    fitted.save(tmp_path / "baseline")
    values = fitted.metrics
    config = ModelConfig.read(tmp_path / "baseline")
    assert config.arguments["chosen"] == "logistic_regression"
    assert set(config.arguments["models"]) == {"logistic_regression", "decision_tree"}
    assert config.facts["val/auroc"]["decision_tree"] == pytest.approx(
        values["val/auroc/decision_tree"]
    )
    assert [item["name"] for item in config.inputs] == ["a", "b"]
    assert config.outputs == ({"name": "probabilities", "dtype": "float64", "shape": [-1, 2]},)
    assert config.parameters == 3  # two coefficients and an intercept
    assert config.weights_file == "logistic_regression.skops"


def test_two_fits_write_the_same_bytes(table_folder, tmp_path):
    for name in ("one", "two"):
        fit_baseline(PARAMETERS, data=table_folder, context=CONTEXT).save(tmp_path / name)
    assert artifacts.digest(tmp_path / "one") == artifacts.digest(tmp_path / "two")


def test_rows_that_are_drawn_and_weights_of_classes_are_facts(table_folder):
    changes = {
        "max_rows": 100, "classification": Classification(class_weights="balanced", decision=0.4),
    }  # fmt: skip
    config = fit_baseline(
        PARAMETERS.model_copy(update=changes), data=table_folder, context=CONTEXT
    ).config
    assert "fitted_rows" not in config.facts  # 60 training rows
    y = artifacts.read_split_table(table_folder).query("split == 'train'")["y"]
    expected = dict(zip(("no", "yes"), (60 / (2 * np.bincount(y))).tolist(), strict=True))
    assert config.facts["class_weights"] == pytest.approx(expected)
    assert config.decision("decision_tree") == Decision(0.4, "yes")
    few = PARAMETERS.model_copy(update={"max_rows": 40})
    facts = fit_baseline(few, data=table_folder, context=CONTEXT).config.facts
    assert facts["train_samples"] == 60
    assert facts["fitted_rows"] == {"logistic_regression": 40, "decision_tree": 40}


def test_the_ngram_folder_restores_what_was_fitted(tmp_path):
    words = [
        "the",
        "mean",
        "of",
        "the",
        "squared",
        "error",
        "over",
        "all",
        "samples",
        "of",
        "a",
        "class",
    ]
    rng = np.random.default_rng(0)
    documents = [
        Document(f"p.part{k % 2}.d{k}", f"part{k % 2}", " ".join(rng.choice(words, 120)))
        for k in range(40)
    ]
    parameters = TextData(
        source="sklearn_docs", min_document_characters=1, max_characters=100_000,
        min_character_count=1, shared_runs=1.0, max_containment=1.0, val_fraction=0.2,
        test_fraction=0.2, file=None,
)  # fmt: skip
    prepared = text_from_documents(documents, parameters=parameters)
    prepared.write(tmp_path / "text")
    fitted = fit_ngram_model(PARAMETERS, data=tmp_path / "text", context=CONTEXT)
    fitted.save(tmp_path / "ngram")
    values = fitted.metrics
    config = ModelConfig.read(tmp_path / "ngram")
    size = len(prepared.vocabulary)
    assert config.arguments == {"order": 3, "vocabulary_size": size}
    assert config.kind == "language"
    weights = artifacts.load_weights(tmp_path / "ngram")
    assert config.facts["different_ngrams"]["order_3"] == len(weights["counts_3"])
    # Ten words of four letters and a blank on average, drawn evenly: log2(10) / 5 bits per
    # character at best, and letters that mostly tell the word after one or two.
    assert 0.4 < values["val/bits_per_character"] < 1.2
