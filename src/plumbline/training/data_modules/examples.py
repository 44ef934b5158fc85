"""Rows in memory as a LightningDataModule."""

from __future__ import annotations

from dataclasses import dataclass

from pytorch_lightning import LightningDataModule
from torch import Tensor

from plumbline.training.engine.loaders import Batch, Batches, MemoryBatches, Partners, Transform

_VALIDATION_BATCH = 512


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of one split, and weights with a mean of 1 where there are weights."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None


class MemoryDataModule(LightningDataModule):
    """A data module whose loaders keep their data in memory, on the GPU where they fit there.

    The data are read when the module is made, since networks are built from their shapes.
    """

    def place(self, batches: Batches[Batch]) -> Batches[Batch]:
        """Return a loader whose data are on the device of the trainer, where they fit there."""
        if self.trainer is not None:
            batches.place(self.trainer.strategy.root_device)
        return batches


class ExampleDataModule(MemoryDataModule):
    """Training and validation rows.

    Parameters
    ----------
    train, val : Examples
    batch_size : int
        Of training; validation does not depend on it.
    accumulate : int
        Batches per update; see `MemoryBatches`.
    seed : int
        Of the order of the training rows.
    transform : callable, optional
        Augmentation of training batches.
    mixup : callable, optional
        See `MemoryBatches`.
    """

    def __init__(
        self,
        train: Examples,
        val: Examples,
        *,
        batch_size: int,
        accumulate: int = 1,
        seed: int = 0,
        transform: Transform | None = None,
        mixup: Partners | None = None,
    ) -> None:
        super().__init__()
        self.train, self.val = train, val
        self.batch_size, self.accumulate = batch_size, accumulate
        self.seed, self.transform, self.mixup = seed, transform, mixup

    def train_dataloader(self) -> Batches[tuple[Tensor, ...]]:
        """Return the training rows, in a new order every epoch."""
        return self.place(
            MemoryBatches(
                self.train.inputs,
                self.train.targets,
                weights=self.train.weights,
                batch_size=self.batch_size,
                accumulate=self.accumulate,
                shuffle=True,
                seed=self.seed,
                transform=self.transform,
                mixup=self.mixup,
            )
        )

    def val_dataloader(self) -> Batches[tuple[Tensor, ...]]:
        """Return the validation rows."""
        return self.place(
            MemoryBatches(
                self.val.inputs,
                self.val.targets,
                weights=self.val.weights,
                batch_size=_VALIDATION_BATCH,
                shuffle=False,
            )
        )
