"""Fitting the character network: learning, determinism, loaders, what is written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plumbline import artifacts
from plumbline.errors import DataError, TrainingError
from plumbline.models.streams import PADDING
from plumbline.params.models import RnnParams, TrainerParams
from plumbline.runs.fit_context import FitContext
from plumbline.training.data_modules.text import StreamBatches, read_documents
from plumbline.training.recipes.fitted import FittedModel
from plumbline.training.recipes.language import fit_language_model
from tests.prepared_folders import write_text_folder

OPTIMISATION = {
    "optimizer": "adamw",
    "lr": 0.03,
    "weight_decay": 0.0,
    "batch_size": 4,
    "accumulate": 1,
    "max_epochs": 6,
    "patience": 6,
    "schedule": "cosine",
    "warmup_fraction": 0.1,
    "gradient_clip": 1.0,
    "label_smoothing": 0.0,
    "l1": 0.0,
    "beta2": 0.999,
}
TRAINER = TrainerParams(
    accelerator="cpu",
    devices=1,
    num_nodes=1,
    strategy="auto",
    precision="32-true",
    deterministic=True,
    threads=1,
    kernels="portable",
    checkpoint_seconds=10,
    trace=False,
    diagnostics=False,
)


def settings(*, optimisation: dict[str, Any] | None = None, **changes: Any) -> RnnParams:
    return RnnParams(
        **{
            "cell": "gru",
            "embedding_dim": 8,
            "hidden_dim": 16,
            "layers": 1,
            "dropout": 0.0,
            "tied": False,
            "sequence_length": 16,
            "optimisation": {**OPTIMISATION, **(optimisation or {})},
            **changes,
        }
    )


def fitted(folder: Path, work: Path, parameters: RnnParams | None = None) -> FittedModel:
    context = FitContext(stage="train@rnn", work=work, seed=5, trainer=TRAINER)
    return fit_language_model(
        parameters or settings(), data=folder, context=context, architecture="rnn"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_folder(tmp_path_factory.mktemp("data") / "text")


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return fitted(folder, tmp_path_factory.mktemp("work"))


def test_the_network_learns_what_can_be_known_and_no_more(model: FittedModel) -> None:
    # One fair choice in every four characters: a quarter of a bit per character at best.
    rows = model.history.rows
    assert rows[0]["train/loss"] > 0.5
    assert 0.25 < model.config.facts["val_bits_per_character"] < 0.34


def test_val_loss_bits_and_perplexity_are_one_number_in_three_units(model: FittedModel) -> None:
    for row in model.history.rows.values():
        assert row["val/bits_per_character"] == pytest.approx(row["val/loss"] / math.log(2))
        assert row["val/perplexity"] == pytest.approx(math.exp(row["val/loss"]))


def test_the_history_has_a_row_per_epoch_and_the_best_epoch_is_kept(model: FittedModel) -> None:
    assert model.history.columns() == [
        "learning_rate",
        "train/loss",
        "val/bits_per_character",
        "val/loss",
        "val/perplexity",
    ]
    losses = [row["val/loss"] for row in model.history.rows.values()]
    assert len(losses) == 6
    assert model.config.facts["best_epoch"] == int(np.argmin(losses))


def test_equal_seeds_give_equal_weights(folder: Path, tmp_path: Path) -> None:
    short = settings(optimisation={"max_epochs": 1}, dropout=0.2)
    one, two = (fitted(folder, tmp_path / name, short) for name in ("a", "b"))
    for name, weight in one.network.state_dict().items():
        assert torch.equal(weight, two.network.state_dict()[name])
    assert one.history.csv() == two.history.csv()


def test_the_config_says_what_was_trained_on_what(model: FittedModel) -> None:
    config = model.config
    assert (config.model, config.architecture, config.kind) == ("rnn", "rnn", "language")
    assert (config.dataset, config.source) == ("text", "made_up")
    assert config.arguments == {
        "vocabulary_size": 7,
        "cell": "gru",
        "embedding_dim": 8,
        "hidden_dim": 16,
        "layers": 1,
        "dropout": 0.0,
        "tied": False,
    }
    assert config.parameters == 8 * 8 + 3 * 16 * (8 + 16 + 2) + 7 * 16 + 7
    assert config.facts["steps"] == config.facts["epochs"] * config.facts["chunks_per_epoch"]


def test_the_first_loss_that_is_not_finite_stops_the_fit(folder: Path, tmp_path: Path) -> None:
    wild = settings(optimisation={"lr": 1e38, "gradient_clip": 0.0, "warmup_fraction": 0.0})
    with pytest.raises(TrainingError) as caught:
        fitted(folder, tmp_path, wild)
    assert str(caught.value).startswith("train@rnn: training loss must be finite, got nan at batch")


def test_an_empty_document_is_refused(tmp_path: Path) -> None:
    folder = write_text_folder(tmp_path / "text")
    table, _ = artifacts.read_table(folder / "documents.parquet")
    table.loc[3, "text"] = ""
    artifacts.write_table(folder / "documents.parquet", table)
    with pytest.raises(DataError) as caught:
        read_documents(folder, artifacts.read_vocabulary(folder))
    assert str(caught.value) == (
        "text/documents.parquet: every document must have a character, got none in 'document-03'"
    )


def test_every_epoch_has_its_own_order_of_the_same_documents(folder: Path) -> None:
    documents = read_documents(folder, artifacts.read_vocabulary(folder))["train"]
    batches = StreamBatches(documents, streams=3, length=16, begin=7, shuffle=True, seed=1)

    def targets(epoch: int) -> torch.Tensor:
        batches.sampler.set_epoch(epoch)
        found = list(batches)
        assert len(found) == len(batches)
        return torch.cat([chunk.targets for chunk in found])

    first, second = targets(0), targets(1)
    assert torch.equal(first, targets(0))
    assert not torch.equal(first, second)
    everything = np.sort(np.concatenate(documents)).tolist()
    for found in (first, second):
        assert sorted(found[found != PADDING].tolist()) == everything


def test_an_l1_penalty_makes_the_weights_of_a_language_model_small(
    folder: Path, tmp_path: Path
) -> None:
    def total(name: str, l1: float) -> float:
        parameters = settings(optimisation={"max_epochs": 1, "l1": l1})
        network = fitted(folder, tmp_path / name, parameters).network
        return sum(float(value.detach().abs().sum()) for value in network.parameters())

    assert total("on", 0.1) < 0.9 * total("off", 0.0)
