"""Fitting the GAN: batches counted, history rows, faults, what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from plumbline import artifacts, models, names
from plumbline.errors import DataError, MetricError, TrainingError
from plumbline.metrics.generative.halves import half_sample_rounds
from plumbline.params import check
from plumbline.params.models import GanParams
from plumbline.runs.fit_context import FitContext
from plumbline.training.data_modules.examples import Examples
from plumbline.training.data_modules.gan_images import StepBatches, scale_pixels
from plumbline.training.recipes.adversarial import check_test_images, fit_gan
from plumbline.training.recipes.fitted import FittedModel
from tests.conftest import ROOT
from tests.prepared_folders import write_image_folder
from tests.training.recipes.test_language import TRAINER


def settings(**changes: Any) -> GanParams:
    return GanParams(
        **{
            "image_size": 16,
            "latent_dim": 4,
            "base_channels": 4,
            "loss": "hinge",
            "spectral_norm": True,
            "ema_decay": 0.5,
            "batch_size": 8,
            "steps": 25,
            "discriminator_updates": 2,
            "lr_generator": 1e-3,
            "lr_discriminator": 1e-3,
            "beta1": 0.5,
            "beta2": 0.999,
            "log_every": 10,
            **changes,
        }
    )


def fitted(folder: Path, work: Path, **changes: Any) -> FittedModel:
    sink: list[int] = []
    context = FitContext(
        stage="train_gan",
        work=work,
        seed=3,
        trainer=TRAINER,
        sink=lambda values, *, step: sink.append(step),
    )
    found = fit_gan(settings(**changes), data=folder, context=context)
    assert sink == list(found.history.rows)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_folder(tmp_path_factory.mktemp("data") / "images")


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return fitted(folder, tmp_path_factory.mktemp("work"))


def test_the_facts_are_the_step_counts(model: FittedModel) -> None:
    facts = model.config.facts
    assert facts["batches"] == 25
    assert facts["discriminator_updates"] == 25
    assert facts["generator_updates"] == 12
    assert facts["train_samples"] == 72


def test_the_history_has_a_row_every_so_many_batches_and_one_for_the_rest(
    model: FittedModel,
) -> None:
    assert list(model.history.rows) == [10, 20, 25]
    assert model.history.columns() == [
        "learning_rate",
        "train/discriminator_loss",
        "train/fake_score",
        "train/generator_loss",
        "train/real_score",
    ]


def test_the_saved_generator_is_restored_from_its_folder(
    model: FittedModel, tmp_path: Path
) -> None:
    model.save(tmp_path / "gan")
    config = artifacts.ModelConfig.read(tmp_path / "gan")
    assert config == model.config
    assert (config.kind, config.classes) == ("generator", ("bar0", "bar1", "bar2"))
    network = models.build(config.architecture, **config.arguments)
    weights = artifacts.load_weights(tmp_path / "gan")
    network.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    latent, labels = torch.randn(3, 4), torch.tensor([0, 1, 2])
    expected = model.network.eval()(latent, labels)
    torch.testing.assert_close(network.eval()(latent, labels), expected)
    assert config.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_equal_seeds_give_equal_weights(folder: Path, tmp_path: Path) -> None:
    one, two = (fitted(folder, tmp_path / name, steps=5) for name in ("a", "b"))
    for name, weight in one.network.state_dict().items():
        assert torch.equal(weight, two.network.state_dict()[name])


@pytest.mark.parametrize(
    ("rate", "fault"),
    [
        # The generator is judged by the discriminator that the same batch has just spoilt.
        ("lr_discriminator", "generator_loss must be finite, got nan at batch 1 (epoch 0)"),
        ("lr_generator", "discriminator_loss must be finite, got nan at batch 2 (epoch 0)"),
    ],
)
def test_the_first_loss_of_either_network_that_is_not_finite_stops_the_fit(
    folder: Path, tmp_path: Path, rate: str, fault: str
) -> None:
    with pytest.raises(TrainingError) as caught:
        fitted(folder, tmp_path, spectral_norm=False, discriminator_updates=1, **{rate: 1e38})
    assert str(caught.value).startswith(f"train_gan: training {fault}; ")


def test_a_class_without_a_training_image_is_refused(tmp_path: Path) -> None:
    folder = write_image_folder(tmp_path / "images")
    table, _ = artifacts.read_table(folder / "table.parquet")
    table.loc[(table["y"] == 1) & (table["split"] == "train"), "split"] = "val"
    artifacts.write_table(folder / "table.parquet", table)
    with pytest.raises(DataError) as caught:
        fitted(folder, tmp_path / "work")
    assert str(caught.value) == (
        "images/table.parquet: every class must have a training image, got none for bar1"
    )


def test_batches_are_equal_in_size_and_every_sample_is_seen_equally_often() -> None:
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1).expand(10, 1, 8, 8)
    batches = StepBatches(Examples(images, torch.arange(10)), batch_size=4, steps=5, seed=0)
    found = list(batches)
    assert len(found) == len(batches) == 5
    assert [len(labels) for _, labels in found] == [4] * 5
    seen = torch.cat([labels for _, labels in found])
    assert seen.bincount().tolist() == [2] * 10
    assert seen[:10].tolist() != seen[10:].tolist()
    pixels = torch.cat([inputs[:, 0, 0, 0] for inputs, _ in found])
    torch.testing.assert_close(pixels, seen / 127.5 - 1)


def test_pixels_are_scaled_to_the_range_of_tanh() -> None:
    pixels = torch.tensor(np.array([0, 51, 255], dtype=np.uint8))
    torch.testing.assert_close(scale_pixels(pixels), torch.tensor([-1.0, -0.6, 1.0]))


@pytest.mark.parametrize("neighbours", [1, 3])
def test_too_few_held_out_images_are_refused_before_training_as_they_would_be_after(
    tmp_path, neighbours
):
    root = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    root["evaluate"]["nearest_neighbours"] = neighbours
    params = check(root)
    options = params.evaluate
    folder = write_image_folder(tmp_path / "images")
    table = artifacts.read_split_table(folder)
    generated = np.random.default_rng(0).normal(size=(options.generated_samples, 4))
    for count in (options.images_needed - 1, options.images_needed):
        split = np.where(np.arange(len(table)) < count, names.TEST, names.TRAIN)
        split[-1] = names.VAL
        artifacts.write_table(folder / "table.parquet", table.assign(split=split))
        judge = {"neighbours": neighbours, "splits": 2, "seed": 0}
        if count == options.images_needed:
            check_test_images(params, folder)
            half_sample_rounds(generated, generated[:count], **judge)
            continue
        with pytest.raises(MetricError):
            half_sample_rounds(generated, generated[:count], **judge)
        with pytest.raises(DataError) as error:
            check_test_images(params, folder)
        assert str(error.value) == (
            f"images/table.parquet: test split must have >= {count + 1} images, two halves with "
            f"more than evaluate.nearest_neighbours, to evaluate a generator, got {count}; "
            "raise data_images.test_fraction or add images"
        )
