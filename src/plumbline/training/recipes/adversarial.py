"""Fit the conditional GAN to prepared images and keep the average of its generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from plumbline import artifacts, models, names
from plumbline.errors import DataError
from plumbline.models.gan import Generator
from plumbline.params import Params
from plumbline.params.models import GanParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.adversarial import AdversarialTask
from plumbline.training.data_modules.gan_images import GanDataModule
from plumbline.training.recipes.base import run_fit
from plumbline.training.recipes.fitted import FittedModel


def fit_gan(parameters: GanParams, *, data: Path, context: FitContext) -> FittedModel:
    """Fit the conditional GAN to the training images and keep its averaged generator.

    Parameters
    ----------
    parameters : GanParams
    data : Path
        Prepared images.
    context : FitContext

    Raises
    ------
    DataError
        If a class has no training image.
    TrainingError
        At the first loss of either network that is not finite.
    """
    images = GanDataModule(
        data,
        size=parameters.image_size,
        batch_size=parameters.batch_size,
        steps=parameters.steps,
        seed=context.seed,
    )
    shape = {
        "image_size": parameters.image_size,
        "channels": images.train.inputs.shape[1],
        "classes": len(images.schema.classes),
        "base_channels": parameters.base_channels,
    }
    arguments = {**shape, "latent_dim": parameters.latent_dim}
    torch.manual_seed(context.seed)
    generator: Any = models.build("generator", **arguments)
    discriminator: Any = models.build(
        "discriminator", spectral_norm=parameters.spectral_norm, **shape
    )
    task = AdversarialTask(generator, discriminator, settings=parameters)
    task.to(memory_format=torch.channels_last)  # faster for convolutions of few channels
    log_every = min(parameters.log_every, parameters.steps)
    result = run_fit(task, images, context=context, max_epochs=1, log_every=log_every)
    facts = {
        **task.steps._asdict(),
        "train_samples": len(images.train.targets),
        "weights": f"exponential average of decay {parameters.ema_decay:g}",
        **result.found,
    }
    config = _config(images.schema, arguments, task.average, facts)
    return FittedModel(task.average, config, result.history)


def check_test_images(params: Params, data: Path) -> None:
    """Check that enough test images are prepared to evaluate a generator.

    Parameters
    ----------
    params : Params
    data : Path
        Prepared images.

    Raises
    ------
    DataError
        If the test split has fewer than ``params.evaluate.images_needed`` images. The check runs
        before the generator is trained.
    """
    needed = params.evaluate.images_needed
    held_out = int((artifacts.read_split_table(data)["split"] == names.TEST).sum())
    if held_out < needed:
        raise DataError(
            f"{data.name}/table.parquet: test split must have >= {needed} images, two halves with "
            f"more than evaluate.nearest_neighbours, to evaluate a generator, got {held_out}; "
            f"raise data_{data.name}.test_fraction or add images"
        )


def _config(
    schema: artifacts.DatasetSchema,
    arguments: dict[str, Any],
    generator: Generator,
    facts: dict[str, Any],
) -> artifacts.ModelConfig:
    return artifacts.ModelConfig(
        model="gan",
        architecture="generator",
        arguments=arguments,
        kind=names.GENERATOR,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        inputs=(
            {"name": "latent", "dtype": "float32", "shape": [-1, generator.latent_dim]},
            {"name": "labels", "dtype": "int64", "shape": [-1]},
        ),
        outputs=({"name": "images", "dtype": "float32", "shape": [-1, *generator.image_shape]},),
        parameters=sum(parameter.numel() for parameter in generator.parameters()),
        facts=facts,
    )
