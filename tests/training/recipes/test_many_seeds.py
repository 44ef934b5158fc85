from __future__ import annotations

import re

import pytest
import torch

from plumbline import artifacts, names
from plumbline.errors import TrainingError
from plumbline.params.models import FnnParams
from plumbline.training.data_modules.tables import TableDataModule
from plumbline.training.recipes.many_seeds import fit_fnn_seeds
from plumbline.training.recipes.tables import fit_fnn
from tests.prepared_folders import FNN_OFF, PLAIN, write_table_folder

FNN = {
    **FNN_OFF,
    "classification": PLAIN,
    "hidden": [8, 6],
    "activation": "relu",
    "dropout": 0.3,
    "norm": "none",
    "init": "default",
}


TECHNIQUES = {
    "drop_connect": 0.2,
    "regularisation": {"input_noise": 0.2, "mixup": 0.4, "prune": 0.5, "prune_epochs": 3},
}
BALANCED = {"class_weights": "balanced", "decision": "f1"}


@pytest.mark.parametrize(
    ("task", "network", "settings"),
    [
        ("binary", {}, {}),
        ("binary", {"norm": "layer"}, {"label_smoothing": 0.1, "gradient_clip": 0.05}),
        ("binary", {"dropout": 0.0}, {"optimizer": "sgd", "gradient_clip": 0.0}),
        ("binary", {}, {"accumulate": 3}),
        ("binary", {"classification": BALANCED}, {"label_smoothing": 0.1}),
        ("regression", {}, {"schedule": "constant"}),
        ("binary", {"norm": "batch", "activation": "prelu"}, {}),
        ("regression", {"norm": "batch", "activation": "rrelu"}, {"optimizer": "adam"}),
        ("binary", TECHNIQUES, {"l1": 0.003, "label_smoothing": 0.1, "schedule": "step"}),
        ("regression", TECHNIQUES, {"l1": 0.003, "accumulate": 2, "schedule": "exponential"}),
    ],
)
def test_every_seed_comes_to_what_it_comes_to_alone(
    tmp_path, context, optimisation, task, network, settings
):
    data = write_table_folder(tmp_path / "data", task=task)
    options = optimisation(max_epochs=8, patience=2, **settings)
    parameters = FnnParams(**{**FNN, **network}, optimisation=options)
    seeds = (3, 9, 4)
    together = fit_fnn_seeds(parameters, data=data, seeds=seeds)
    rows = TableDataModule(data, batch_size=9).val.inputs
    assert [one.seed for one in together] == list(seeds)
    for one in together:
        alone = fit_fnn(parameters, data=data, context=context(seed=one.seed))
        assert one.best_epoch == alone.config.facts["best_epoch"]
        losses = alone.history.rows[one.best_epoch]
        assert one.val_loss == pytest.approx(losses["val/loss"], rel=1e-5)
        mine = one.network.state_dict()
        for name, value in alone.network.state_dict().items():
            assert torch.allclose(mine[name], value, rtol=1e-4, atol=1e-5), name
        outputs = (fitted.network.eval()(rows) for fitted in (one, alone))
        torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
    first, second = (one.network.head.weight for one in together[:2])
    assert not torch.allclose(first, second, atol=1e-2)


def test_weighted_rows_weigh_as_they_do_alone(tmp_path, context, optimisation):
    data = write_table_folder(tmp_path / "data")
    table, meta = artifacts.read_table(data / "table.parquet")
    weighted = table.assign(**{names.WEIGHT: 1.0 + table.index % 5})
    parameters = FnnParams(**FNN, optimisation=optimisation(max_epochs=3))
    (plain,) = fit_fnn_seeds(parameters, data=data, seeds=[3])
    artifacts.write_table(data / "table.parquet", weighted, meta)
    (found,) = fit_fnn_seeds(parameters, data=data, seeds=[3])
    alone = fit_fnn(parameters, data=data, context=context(seed=3)).network.head.weight
    assert torch.allclose(found.network.head.weight, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(plain.network.head.weight, alone, atol=1e-3)


def test_patience_ends_each_seed_at_its_own_epoch(tmp_path, context, optimisation):
    data = write_table_folder(tmp_path / "data")
    table, meta = artifacts.read_table(data / "table.parquet")
    # Labels that say nothing: the validation loss soon rises.
    artifacts.write_table(data / "table.parquet", table.assign(y=table["y"].sample(
        frac=1, random_state=0).to_numpy()), meta)  # fmt: skip
    options = optimisation(max_epochs=20, patience=2)
    parameters = FnnParams(**FNN, optimisation=options)
    together = fit_fnn_seeds(parameters, data=data, seeds=range(6))
    ends = [
        fit_fnn(parameters, data=data, context=context(seed=one.seed)).config.facts
        for one in together
    ]
    assert [one.best_epoch for one in together] == [facts["best_epoch"] for facts in ends]
    assert len({facts["epochs"] for facts in ends}) > 1


def test_a_loss_that_is_not_finite_names_its_seed(tmp_path, optimisation):
    data = write_table_folder(tmp_path / "data", task="regression")
    options = optimisation(optimizer="sgd", lr=1e30, gradient_clip=0.0, warmup_fraction=0.0)
    parameters = FnnParams(**FNN, optimisation=options)
    pattern = (
        "many_seeds: training loss of seed 5 must be finite, got (nan|inf) (epoch 0); "
        "lower the learning rate, or clip gradients"
    )
    with pytest.raises(TrainingError, match=f"^{re.escape(pattern)}$".replace(
        re.escape("(nan|inf)"), "(nan|inf)")):  # fmt: skip
        fit_fnn_seeds(parameters, data=data, seeds=[5])
