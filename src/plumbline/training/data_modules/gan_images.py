"""Prepared images for a GAN as a LightningDataModule: a given number of equal batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import DataError
from plumbline.training.data_modules.examples import Examples, MemoryDataModule
from plumbline.training.data_modules.images import image_examples
from plumbline.training.engine.loaders import Batches, fits, process_place


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
        """Keep the images on a device, if they fit there."""
        if fits(device, self.examples.inputs):
            inputs, targets = self.examples.inputs.to(device), self.examples.targets.to(device)
            self.examples = replace(self.examples, inputs=inputs, targets=targets)

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.steps

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches from number ``first`` on; those before it are drawn and skipped."""
        rank, world = process_place()
        generator = torch.Generator().manual_seed(self.seed)
        size = self.batch_size * world
        order = torch.empty(0, dtype=torch.long)
        for step in range(self.steps):
            while len(order) < size:  # the rest of a pass comes before the next one
                fresh = torch.randperm(len(self.examples.targets), generator=generator)
                order = torch.cat([order, fresh])
            chosen, order = order[:size][rank::world], order[size:]
            if step < first:
                continue
            self.chosen = chosen
            there = chosen.to(self.examples.inputs.device)
            yield scale_pixels(self.examples.inputs[there]), self.examples.targets[there]


class GanDataModule(MemoryDataModule):
    """The training images of a prepared folder; a GAN has no validation.

    Parameters
    ----------
    folder : Path
        Prepared images.
    size : int
        Height and width, in pixels.
    batch_size, steps, seed
        See `StepBatches`.

    Raises
    ------
    DataError
        If a class has no training image.
    """

    def __init__(self, folder: Path, *, size: int, batch_size: int, steps: int, seed: int) -> None:
        super().__init__()
        self.schema = DatasetSchema.read(folder)
        table = artifacts.read_split_table(folder)
        images = torch.from_numpy(artifacts.read_images(folder, size, rows=len(table)))
        self.train = image_examples(table, images, rows=table["split"] == names.TRAIN)
        self.batch_size, self.steps, self.seed = batch_size, steps, seed
        self._check_classes(folder)

    def train_dataloader(self) -> Batches[tuple[Tensor, Tensor]]:
        """Return the batches of the whole fit."""
        batches = StepBatches(
            self.train, batch_size=self.batch_size, steps=self.steps, seed=self.seed
        )
        return self.place(batches)

    def _check_classes(self, folder: Path) -> None:
        classes = self.schema.classes
        counts = torch.bincount(self.train.targets, minlength=len(classes))
        if empty := [name for name, n in zip(classes, counts, strict=True) if not n]:
            raise DataError(
                f"{folder.name}/table.parquet: every class must have a training image, got none "
                f"for {', '.join(empty)}"
            )


def scale_pixels(images: Tensor) -> Tensor:
    """Return pixels 0…255 as float32 in [-1, 1], the range of the generator's tanh."""
    return images.float() / 127.5 - 1
