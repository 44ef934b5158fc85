"""Fits of image classifiers: our own network and those of timm."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import balanced_accuracy_score

from plumbline import artifacts, catalog, params
from plumbline.artifacts import ModelConfig
from plumbline.errors import ParamsError
from plumbline.inference.classify import predict_classifier
from plumbline.inference.restore import restore
from plumbline.params.models import CnnParams
from plumbline.training.recipes.images import fit_cnn
from tests.conftest import ROOT
from tests.prepared_folders import CNN_OFF, OFF, PLAIN, write_image_folder

CNN = {
    **CNN_OFF,
    "classification": PLAIN,
    "architecture": "convnet",
    "image_size": 16,
    "channels": [4, 8],
    "feature_dim": 8,
    "dropout": 0.0,
}


def test_a_fitted_image_network_reads_the_bars(tmp_path, context, optimisation):
    data = write_image_folder(tmp_path / "images")
    parameters = CnnParams(**CNN, optimisation=optimisation(max_epochs=6))
    fitted = fit_cnn(parameters, data=data, context=context())
    fitted.save(tmp_path / "cnn")
    table = predict_classifier(tmp_path / "cnn", data).table
    assert (table["y_true"] == table["y_pred"]).mean() >= 0.9
    config = ModelConfig.read(tmp_path / "cnn")
    assert config.inputs == ({"name": "images", "dtype": "uint8", "shape": [-1, 1, 16, 16]},)
    # All 72 training images are seen, labelled for fine-tuning or not.
    assert config.facts["train_samples"] == 72


def test_pixel_statistics_are_those_of_the_training_images(tmp_path, context, optimisation):
    data = write_image_folder(tmp_path / "images")
    parameters = CnnParams(**CNN, optimisation=optimisation(max_epochs=1))
    fitted = fit_cnn(parameters, data=data, context=context())
    table = artifacts.read_split_table(data)
    train = artifacts.read_images(data, 16, rows=len(table))[(table["split"] == "train").to_numpy()]
    assert fitted.config.arguments["mean"] == pytest.approx([train.mean() / 255])
    assert fitted.config.arguments["scale"] == pytest.approx([train.std() / 255])


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    block = params.load(ROOT / "params.yaml").data_images
    folder = tmp_path_factory.mktemp("data") / "images"
    prepare = catalog.load(catalog.dataset("images").prepare)
    prepare(block, seed=1).write(folder)
    return folder


def test_a_timm_network_is_fitted_restored_and_offers_features(
    digits, tmp_path, context, optimisation
):
    parameters = CnnParams(
        **{**CNN, "architecture": "timm:test_resnet"},
        optimisation=optimisation(max_epochs=3, batch_size=64, lr=0.005),
    )
    fit_cnn(parameters, data=digits, context=context()).save(tmp_path / "cnn")
    table = predict_classifier(tmp_path / "cnn", digits).table
    assert (table["y_true"] == table["y_pred"]).mean() > 0.6  # of ten classes
    config = ModelConfig.read(tmp_path / "cnn")
    assert (config.architecture, config.arguments["architecture"]) == ("timm", "test_resnet")
    network, _ = restore(tmp_path / "cnn")
    images = torch.from_numpy(np.load(digits / "images_16.npy")[:5])
    with torch.inference_mode():
        features = network.features(images)
        torch.testing.assert_close(network.head(features), network(images))
    assert features.shape[0] == 5


@pytest.mark.parametrize("name", ["resnet18", "timm:", ""])
def test_an_architecture_is_the_convnet_or_one_of_timm(name, optimisation):
    with pytest.raises(ValidationError, match=r"must be convnet or timm:<name of a timm network>"):
        CnnParams(**{**CNN, "architecture": name}, optimisation=optimisation())


def test_a_name_that_timm_does_not_know_is_refused(tmp_path, context, optimisation):
    data = write_image_folder(tmp_path / "images")
    parameters = CnnParams(
        **{**CNN, "architecture": "timm:no_such_network"}, optimisation=optimisation()
    )
    with pytest.raises(ValueError, match="architecture must be a network of timm, got"):
        fit_cnn(parameters, data=data, context=context())


def test_classes_of_images_have_weights_and_two_of_them_a_threshold(
    tmp_path, context, optimisation
):
    data = write_image_folder(tmp_path / "images", classes=2)
    how = {"class_weights": {"bar0": 1, "bar1": 3}, "decision": "balanced_accuracy"}
    parameters = CnnParams(
        **{**CNN, "classification": how}, optimisation=optimisation(max_epochs=2)
    )
    fitted = fit_cnn(parameters, data=data, context=context())
    fitted.save(tmp_path / "cnn")
    table = artifacts.read_split_table(data)
    share = table.loc[table["split"] == "train", "y"].mean()
    mean = 1 - share + 3 * share
    assert fitted.config.facts["class_weights"] == pytest.approx(
        {"bar0": 1 / mean, "bar1": 3 / mean}
    )
    found = predict_classifier(tmp_path / "cnn", data, split="val")
    decision = fitted.config.decision()
    assert found.decision == decision
    assert decision.rows == len(found.table) == 24
    true, decided = found.table["y_true"], found.table["y_pred"]
    assert balanced_accuracy_score(true, decided) == pytest.approx(decision.reached)
    assert [output["name"] for output in fitted.config.outputs] == ["logits", "decision"]


def test_three_classes_of_images_have_no_threshold(tmp_path, context, optimisation):
    data = write_image_folder(tmp_path / "images")
    how = {"class_weights": "none", "decision": 0.3}
    parameters = CnnParams(**{**CNN, "classification": how}, optimisation=optimisation())
    with pytest.raises(ParamsError, match="must be argmax for 3 classes"):
        fit_cnn(parameters, data=data, context=context())


def test_each_technique_changes_the_fit_of_images(tmp_path, context, optimisation):
    data = write_image_folder(tmp_path / "images", count=40)

    def fit(**changes):
        parameters = CnnParams(**{**CNN, **changes}, optimisation=optimisation(max_epochs=1))
        return fit_cnn(parameters, data=data, context=context())

    plain = fit()
    fits = {
        "spatial_dropout": fit(spatial_dropout=0.3),
        "drop_connect": fit(drop_connect=0.3),
        "augmentation": fit(augmentation={**CNN_OFF["augmentation"], "shift": 2}),
        **{
            name: fit(regularisation={**OFF, name: 0.3})
            for name in ("input_noise", "mixup", "prune")
        },
        "prune_epochs": fit(regularisation={**OFF, "prune": 0.3, "prune_epochs": 2}),
    }
    weights = {name: found.network.head.weight for name, found in {"": plain, **fits}.items()}
    for one, other in itertools.combinations(weights, 2):
        assert not torch.equal(weights[one], weights[other]), (one, other)
    facts = fits["prune"].config.facts["pruning"]
    assert facts["zeros"] == sum(
        int((value == 0).sum()) for value in fits["prune"].network.parameters() if value.ndim > 1
    )


@pytest.mark.parametrize("knob", ["spatial_dropout", "drop_connect"])
def test_a_network_of_timm_has_its_own_blocks(knob, optimisation):
    with pytest.raises(ValidationError, match=f"{knob} must be 0 with a network of timm, got 0.2"):
        CnnParams(
            **{**CNN, "architecture": "timm:test_resnet", knob: 0.2}, optimisation=optimisation()
        )
