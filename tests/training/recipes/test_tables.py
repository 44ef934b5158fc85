from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from plumbline import artifacts, models
from plumbline.artifacts import ModelConfig
from plumbline.inference.classify import predict_classifier
from plumbline.params.models import FnnParams
from plumbline.training.recipes.tables import fit_fnn
from tests.prepared_folders import FNN_OFF, OFF, PLAIN, write_table_folder

FNN = {
    **FNN_OFF,
    "classification": PLAIN,
    "hidden": [8],
    "activation": "relu",
    "dropout": 0.0,
    "norm": "batch",
    "init": "he_normal",
}


@pytest.fixture
def fit_table(tmp_path, context, optimisation):
    def fit(task: str = "binary", **changes):
        data = write_table_folder(tmp_path / task, task=task)
        settings = optimisation(max_epochs=20, patience=20, **changes)
        return fit_fnn(FnnParams(**FNN, optimisation=settings), data=data, context=context()), data

    return fit


def test_a_fitted_table_network_tells_the_classes_apart(fit_table, tmp_path):
    fitted, data = fit_table()
    fitted.save(tmp_path / "fnn")
    table = predict_classifier(tmp_path / "fnn", data).table
    assert (table["y_true"] == table["y_pred"]).mean() >= 0.9


def test_the_config_of_a_table_network_is_honest(fit_table, tmp_path):
    fitted, _ = fit_table()
    fitted.save(tmp_path / "fnn")
    config = ModelConfig.read(tmp_path / "fnn")
    assert (config.model, config.architecture, config.kind) == ("fnn", "fnn", "classification")
    assert (config.dataset, config.source, config.classes) == (
        "tabular",
        "made_up",
        ("low", "high"),
    )
    assert [entry["name"] for entry in config.inputs] == ["weight", "height"]
    assert config.outputs == ({"name": "logits", "dtype": "float32", "shape": [-1, 2]},)
    assert config.parameters == 2 * 8 + 2 * 8 + (8 * 2 + 2)  # no bias before batch norm
    # 60 rows in batches of at most 16: four steps an epoch.
    assert config.facts["steps"] == 4 * config.facts["epochs"]
    assert (config.facts["train_samples"], config.facts["val_samples"]) == (60, 20)
    assert config.facts["chosen_by"] == "lowest val/loss"
    rebuilt = models.build(config.architecture, **config.arguments)
    assert set(rebuilt.state_dict()) == set(artifacts.load_weights(tmp_path / "fnn"))


def test_the_history_has_a_row_per_epoch_and_the_best_one_is_the_lowest(fit_table):
    fitted, _ = fit_table()
    lines = fitted.history.csv().splitlines()
    assert lines[0] == (
        "epoch,step,learning_rate,train/loss,val/accuracy,val/auroc,val/balanced_accuracy,val/loss"
    )
    losses = [row["val/loss"] for row in fitted.history.rows.values()]
    assert len(losses) == fitted.config.facts["epochs"]
    assert int(np.argmin(losses)) == fitted.config.facts["best_epoch"]
    assert losses[-1] < losses[0]


def test_equal_seeds_give_equal_bytes_and_other_seeds_others(
    tmp_path, context, optimisation, fit_table
):
    data = write_table_folder(tmp_path / "data")
    parameters = FnnParams(**{**FNN, "dropout": 0.3}, optimisation=optimisation(max_epochs=2))

    def fit(seed: int, name: str) -> bytes:
        torch.rand(seed)  # whatever was drawn before
        fit_fnn(parameters, data=data, context=context(seed=seed)).save(tmp_path / name)
        return (tmp_path / name / "model.safetensors").read_bytes()

    assert fit(1, "a") == fit(1, "b") != fit(2, "c")


def test_the_parameters_of_a_fit_are_kept_with_its_model(fit_table, tmp_path, optimisation):
    fitted, _ = fit_table()
    fitted.with_hyperparameters(optimisation(max_epochs=2)).save(tmp_path / "fnn")
    facts = artifacts.ModelConfig.read(tmp_path / "fnn").facts
    assert facts["settings"] == optimisation(max_epochs=2).model_dump(mode="json")
    assert facts["steps"] == fitted.config.facts["steps"]


def test_regression_answers_in_the_units_of_the_target(fit_table, tmp_path):
    fitted, data = fit_table("regression")
    fitted.save(tmp_path / "fnn")
    predictions = predict_classifier(tmp_path / "fnn", data)
    predictions.check("fnn")
    assert (predictions.kind, predictions.classes) == ("regression", ())
    residual = predictions.table["y_true"] - predictions.table["y_pred"]
    assert residual.std() < 0.5 * predictions.table["y_true"].std()
    assert fitted.config.outputs == ({"name": "value", "dtype": "float32", "shape": [-1, 1]},)
    assert "val/root_mean_squared_error" in fitted.history.columns()


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_weights_enter_the_fit_and_equal_ones_change_nothing(tmp_path, context, optimisation, task):
    settings = FnnParams(**FNN, optimisation=optimisation(max_epochs=15, patience=15))

    def fit(name, weight):
        data = write_table_folder(tmp_path / name, task=task)
        table, _ = artifacts.read_table(data / "table.parquet")
        # The targets of every other training row are turned round.
        wrong = (np.arange(len(table)) % 2 == 0) & (table["split"] == "train").to_numpy()
        turned = table["y"].max() + table["y"].min() - table["y"]
        table["y"] = np.where(wrong, turned, table["y"])
        if weight is not None:
            table["sample_weight"] = np.where(wrong, weight, 2.5)
        artifacts.write_table(data / "table.parquet", table)
        return fit_fnn(settings, data=data, context=context())

    def last(fitted):
        values = [entry[0] for entry in fitted.history.entries]
        return [found["val/loss"] for found in values if "val/loss" in found][-1]

    plain, equal, weighted = fit("plain", None), fit("equal", 2.5), fit("weighted", 0.0)
    assert "weighted_by" not in plain.config.facts
    assert equal.config.facts["weighted_by"] == "sample_weight"
    for name, value in plain.network.state_dict().items():
        assert torch.allclose(value, equal.network.state_dict()[name], atol=1e-4), name
    assert last(weighted) < 0.6 * last(plain)


def test_each_technique_changes_the_fit_and_pruned_weights_stay_zero(
    tmp_path, context, optimisation
):
    data = write_table_folder(tmp_path / "data")

    def fit(settings=None, **changes):
        parameters = FnnParams(
            **{**FNN, **changes}, optimisation=optimisation(max_epochs=1, **(settings or {}))
        )
        return fit_fnn(parameters, data=data, context=context())

    plain = fit()
    fits = {
        "l1": fit({"l1": 0.01}),
        "step": fit({"schedule": "step"}),
        "drop_connect": fit(drop_connect=0.3),
        **{
            name: fit(regularisation={**OFF, name: 0.3})
            for name in ("input_noise", "mixup", "prune")
        },
        "prune_epochs": fit(regularisation={**OFF, "prune": 0.3, "prune_epochs": 2}),
    }
    weights = {name: found.network.head.weight for name, found in {"": plain, **fits}.items()}
    for one, other in itertools.combinations(weights, 2):
        assert not torch.equal(weights[one], weights[other]), (one, other)
    assert "pruning" not in plain.config.facts
    facts = fits["prune"].config.facts["pruning"]
    assert (facts["weights"], facts["zeros"]) == (2 * 8 + 8 * 2, 5 + 5)
    fits["prune"].save(tmp_path / "fnn")
    saved = artifacts.load_weights(tmp_path / "fnn")
    zeros = sum(int((saved[name] == 0).sum()) for name in ("body.0.weight", "head.weight"))
    assert zeros == facts["zeros"]
    lowest = min(row["val/loss"] for row in fits["prune"].history.rows.values())
    assert facts["val_loss_before"] == pytest.approx(lowest, rel=1e-5)
    trained = fits["prune_epochs"].config.facts["pruning"]
    assert trained["zeros"] == facts["zeros"]
    assert trained["epochs"] == 2
    assert trained["val_loss_trained"] < trained["val_loss_pruned"] == facts["val_loss_pruned"]
    fits["prune_epochs"].save(tmp_path / "trained")
    again = artifacts.load_weights(tmp_path / "trained")
    for name in ("body.0.weight", "head.weight"):
        assert torch.equal(torch.as_tensor(again[name]) == 0, torch.as_tensor(saved[name]) == 0)
