"""Fit the conditional GAN: a given number of batches, counted, and the averaged generator kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from plumbline import artifacts, models, names
from plumbline.errors import DataError
from plumbline.models.gan import Discriminator, Generator
from plumbline.params import Params
from plumbline.params.models import GanParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.adversarial import AdversarialTask
from plumbline.training.engine.loaders import Batches, fits, process_place
from plumbline.training.recipes.base import Examples, FittedModel, image_examples, run_fit


class StepBatches(Batches[tuple[Tensor, Tensor]]):
    """Iterable over a given number of equal batches; the samples are shuffled in every pass.

    The number of batches is the length of the fit: Lightning's own ``max_steps`` counts the updates
    of both optimisers and would end it early.

    Parameters
    ----------
    examples : Examples
        Images uint8 ``(N, C, S, S)`` and class codes.
    batch_size : int
        Of each process.
    steps : int
    seed : int
    """

    def __init__(self, examples: Examples, *, batch_size: int, steps: int, seed: int) -> None:
        super().__init__()
        self.examples, self.batch_size, self.steps, self.seed = examples, batch_size, steps, seed

    def place(self, device: torch.device) -> None:
        """Keep the images on a device, if they leave it room."""
        if fits(device, self.examples.inputs):
            inputs, targets = self.examples.inputs.to(device), self.examples.targets.to(device)
            self.examples = replace(self.examples, inputs=inputs, targets=targets)

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.steps

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches from number ``first`` on; those before it are drawn and left out."""
        rank, world = process_place()
        generator = torch.Generator().manual_seed(self.seed)
        together = self.batch_size * world
        order = torch.empty(0, dtype=torch.long)
        for step in range(self.steps):
            while len(order) < together:  # what is left of a pass stands before the next one
                fresh = torch.randperm(len(self.examples.targets), generator=generator)
                order = torch.cat([order, fresh])
            chosen, order = order[:together][rank::world], order[together:]
            if step < first:
                continue
            self.chosen = chosen
            there = chosen.to(self.examples.inputs.device)
            yield scale_pixels(self.examples.inputs[there]), self.examples.targets[there]


def scale_pixels(images: Tensor) -> Tensor:
    """Return pixels 0…255 as float32 in [-1, 1], the range of the generator's tanh."""
    return images.float() / 127.5 - 1


class LogEvery(Callback):
    """Write a history row with the mean of each value over every ``interval`` batches.

    Parameters
    ----------
    interval : int
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._values: dict[str, list[Tensor]] = {}

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the values of one batch; write them where a row is due."""
        for name, value in outputs.items():
            self._values.setdefault(name, []).append(value)
        batches = batch_idx + 1
        if batches % self._interval and batches != trainer.num_training_batches:
            return
        row = {
            names.metric(names.TRAIN, name): float(torch.stack(values).mean())
            for name, values in self._values.items()
        }
        row[names.LEARNING_RATE] = trainer.optimizers[0].param_groups[0]["lr"]
        self._values = {}
        if trainer.logger is not None:
            trainer.logger.log_metrics(row, step=batches)

    def state_dict(self) -> dict[str, Any]:
        """Return the values since the last row."""
        return {name: torch.stack(values) for name, values in self._values.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the values since the last row."""
        self._values = {name: list(values.unbind()) for name, values in state_dict.items()}


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
    schema = artifacts.DatasetSchema.read(data)
    examples = _training_images(data, schema, size=parameters.image_size)
    task = _build_task(parameters, schema, channels=examples.inputs.shape[1], seed=context.seed)
    batches = StepBatches(
        examples, batch_size=parameters.batch_size, steps=parameters.steps, seed=context.seed
    )
    result = run_fit(
        task, batches, context=context, max_epochs=1, callbacks=[LogEvery(parameters.log_every)]
    )
    facts = {
        **task.ledger._asdict(),
        "train_samples": len(examples.targets),
        "weights": f"exponential average of decay {parameters.ema_decay:g}",
    }
    return FittedModel(
        task.average, _config(parameters, schema, task.average, facts), result.history
    )


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


def _training_images(data: Path, schema: artifacts.DatasetSchema, *, size: int) -> Examples:
    table = artifacts.read_split_table(data)
    images = torch.from_numpy(artifacts.read_images(data, size, rows=len(table)))
    examples = image_examples(table, images, rows=table["split"] == names.TRAIN)
    counts = torch.bincount(examples.targets, minlength=len(schema.classes))
    if empty := [name for name, n in zip(schema.classes, counts, strict=True) if not n]:
        raise DataError(
            f"{data.name}/table.parquet: every class must have a training image, got none for "
            f"{', '.join(empty)}"
        )
    return examples


def _build_task(
    parameters: GanParams, schema: artifacts.DatasetSchema, *, channels: int, seed: int
) -> AdversarialTask:
    shape = {
        "image_size": parameters.image_size,
        "channels": channels,
        "classes": len(schema.classes),
        "base_channels": parameters.base_channels,
    }
    torch.manual_seed(seed)
    generator = models.build("generator", latent_dim=parameters.latent_dim, **shape)
    discriminator = models.build("discriminator", spectral_norm=parameters.spectral_norm, **shape)
    assert isinstance(generator, Generator)
    assert isinstance(discriminator, Discriminator)
    task = AdversarialTask(generator, discriminator, settings=parameters)
    # The layout in which convolutions of few channels run faster on CPUs and GPUs alike.
    task.to(memory_format=torch.channels_last)
    return task


def _config(
    parameters: GanParams,
    schema: artifacts.DatasetSchema,
    generator: Generator,
    facts: dict[str, Any],
) -> artifacts.ModelConfig:
    arguments = {
        "image_size": parameters.image_size,
        "channels": generator.image_shape[0],
        "classes": len(schema.classes),
        "latent_dim": parameters.latent_dim,
        "base_channels": parameters.base_channels,
    }
    return artifacts.ModelConfig(
        model="gan",
        architecture="generator",
        arguments=arguments,
        kind=names.GENERATOR,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        inputs=(
            {"name": "latent", "dtype": "float32", "shape": [-1, parameters.latent_dim]},
            {"name": "labels", "dtype": "int64", "shape": [-1]},
        ),
        outputs=({"name": "images", "dtype": "float32", "shape": [-1, *generator.image_shape]},),
        parameters=sum(parameter.numel() for parameter in generator.parameters()),
        facts=facts,
    )
