"""Restored models score rows as their predictions tables do, and rows that no file has."""

from types import SimpleNamespace

import numpy as np
import pytest

from plumbline import artifacts
from plumbline.artifacts import DatasetSchema
from plumbline.classical.folders import fit_baseline
from plumbline.classical.tabular import GRIDS
from plumbline.data.tables.prepare import prepare
from plumbline.errors import ArtifactError
from plumbline.inference.classical import predict_baseline
from plumbline.inference.scoring import scorer
from plumbline.params.data import TabularData
from plumbline.params.models import BaselineParams
from tests.data.tables.test_prepare import ENCODING
from tests.prepared_folders import BASELINE


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    parameters = TabularData(
        source="diabetes", target="above_median", attributes_as_features=True, val_fraction=0.2,
        test_fraction=0.2, encoding=ENCODING, csv=None, resample={}, label_noise={}, degrade={},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("scoring") / "tabular"
    prepare(parameters, seed=1).write(folder)
    return folder


def fitted(data, folder, model):
    parameters = BaselineParams(
        tabular=(model,),
        **BASELINE,
        ngram_orders=(2,),
    )
    fit_baseline(parameters, data=data, context=SimpleNamespace(seed=3)).save(folder)
    return folder


@pytest.mark.parametrize("model", GRIDS)
def test_a_classical_model_gives_the_scores_of_its_predictions(data, tmp_path, model):
    folder = fitted(data, tmp_path / "baseline", model)
    table = artifacts.read_split_table(data)
    test = table[table["split"] == "test"]
    scores = scorer(folder)(test)
    np.testing.assert_array_equal(scores, predict_baseline(folder, data).scores())
    changed = scorer(folder)(test.assign(bmi=test["bmi"] + 5))
    assert np.abs(changed - scores).max() > 0.01


def test_a_network_gives_the_scores_of_its_predictions(data, tmp_path):
    import torch

    from plumbline import models
    from plumbline.artifacts import ModelConfig
    from plumbline.inference.classify import predict_classifier

    schema = DatasetSchema.read(data)
    arguments = {"inputs": len(schema.features), "outputs": 2, "hidden": [4], "activation": "relu",
                 "dropout": 0.5, "norm": "none", "init": "default"}  # fmt: skip
    torch.manual_seed(0)
    network = models.build("fnn", **arguments)
    config = ModelConfig(
        model="fnn", architecture="fnn", arguments=arguments, kind="classification",
        dataset="tabular", source="diabetes", classes=schema.classes,
        inputs=tuple({"name": n, "dtype": "float32", "shape": [-1]} for n in schema.features),
    )  # fmt: skip
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    artifacts.save_model(tmp_path / "fnn", weights, config)
    table = artifacts.read_split_table(data)
    scores = scorer(tmp_path / "fnn")(table[table["split"] == "test"])
    np.testing.assert_array_equal(scores, predict_classifier(tmp_path / "fnn", data).scores())
    with pytest.raises(ArtifactError, match="features must be in the table, got none of"):
        scorer(tmp_path / "fnn")(table[["sample_id"]])


def test_prepared_data_say_which_features_an_attribute_became(data):
    about = DatasetSchema.read(data).about
    assert about["attribute_features"] == {"sex": ["sex_code"], "age_band": ["age"]}
