"""Several small updates in one pass of Lightning's loop, which costs more than such an update.

The bits are those of a pass for each (`SupervisedTask.make_own_updates`). Between the updates of a
bundle nothing else happens: no checkpoint, no hook, no other process. A fit that asks for one of
these is given a pass for each batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch
from pytorch_lightning import Trainer

from plumbline.models import count_parameters
from plumbline.params.models import Optimisation, TrainerParams
from plumbline.tasks.classify import Batch, SupervisedTask
from plumbline.training.engine.loaders import Batches, MemoryBatches

MOST = 64  # then a pass costs Lightning's part of it little enough
WORK = 10**9  # weights × rows of a bundle: a fraction of a second, within which Ctrl-C still works


class Bundle(list[Batch]):
    """Successive batches, moved as one: Lightning would take them apart tensor by tensor."""

    def to(self, device: torch.device) -> Bundle:
        """Return the same batches on a device."""
        return Bundle(tuple(part.to(device) for part in batch) for batch in self)


class Bundles(Batches[Bundle]):
    """Successive batches of a loader in bundles; the last one of an epoch may be smaller.

    Parameters
    ----------
    loader : Batches
    size : int
        Batches in a bundle.
    """

    def __init__(self, loader: Batches[Batch], *, size: int) -> None:
        super().__init__()
        self._loader, self._size = loader, size

    def __len__(self) -> int:
        """Return the number of bundles of an epoch."""
        return math.ceil(len(self._loader) / self._size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order and augmentation come next."""
        super().set_epoch(epoch)
        self._loader.set_epoch(epoch)

    def place(self, device: torch.device) -> None:
        """Keep the data of the loader on a device, if they leave it room."""
        self._loader.place(device)

    def batches(self, first: int) -> Iterator[Bundle]:
        """Yield the bundles of the epoch from number ``first`` on."""
        loose = self._loader.batches(first * self._size)
        while bundle := Bundle(islice(loose, self._size)):
            yield bundle

    def batches_in(self, bundles: int) -> int:
        """Return how many batches so many bundles hold, counted over epochs."""
        epochs, rest = divmod(bundles, len(self))
        return epochs * len(self._loader) + rest * self._size


def batches_done(trainer: Trainer) -> int:
    """Return how many batches a fit has seen over all epochs, those of the pass that runs too."""
    passes = trainer.fit_loop.total_batch_idx + 1
    loader = trainer.train_dataloader
    return loader.batches_in(passes) if isinstance(loader, Bundles) else passes


def bundle_size(
    weights: int, *, trainer: TrainerParams, optimisation: Optimisation, traced: bool
) -> int:
    """Return how many batches a pass may take of a network whose layers are all dense.

    Parameters
    ----------
    weights : int
        Parameters of the network.
    trainer : TrainerParams
    optimisation : Optimisation
    traced : bool
        Whether each step is recorded.
    """
    watched = traced or trainer.checkpoint_seconds == 0
    alone = (trainer.devices, trainer.num_nodes, trainer.strategy) == (1, 1, "auto")
    plain = optimisation.accumulate == 1 and trainer.precision.endswith("-true")
    if watched or not alone or not plain:
        return 1
    return max(1, min(MOST, WORK // (weights * optimisation.batch_size)))


def bundled(
    task: SupervisedTask,
    batches: MemoryBatches,
    *,
    trainer: TrainerParams,
    optimisation: Optimisation,
    traced: bool,
) -> Batches[Batch] | Bundles:
    """Return the batches in bundles, and tell the task, where a fit can take them."""
    size = bundle_size(
        count_parameters(task.network), trainer=trainer, optimisation=optimisation, traced=traced
    )
    if size == 1:
        return batches
    task.make_own_updates(
        total=optimisation.max_epochs * len(batches), gradient_clip=optimisation.gradient_clip
    )
    return Bundles(batches, size=size)
