"""Batches of data that are in memory: no workers, no collating, the same order on every machine.

Order is a function of (seed, epoch), augmentation of (seed, epoch, sample). Neither depends on the
batch size, the number of processes, the batch at which a fit resumes or the device of the data.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

# (inputs (B, …) on any device, sample numbers (B,) on the CPU, epoch) → inputs (B, …)
Transform = Callable[[Tensor, Tensor, int], Tensor]
# (sample numbers (B,) on the CPU, epoch) → partners (B,) and shares (B,) of the samples; perhaps
# the share of the sample at each place of the input (B, …) too; all on the CPU
Partners = Callable[[Tensor, int], tuple[Tensor, ...]]

Batch = TypeVar("Batch")

_SHARE = 0.25  # of a GPU's free memory that data may take; the rest is the training's


class Batches(ABC, Generic[Batch]):
    """Base of the loaders: epochs have numbers, and iteration can resume within an epoch.

    Lightning calls ``loader.sampler.set_epoch`` before every epoch, so the loader is its own
    sampler. It calls ``state_dict`` and ``load_state_dict`` for the position.

    Attributes
    ----------
    chosen : Tensor or None
        Numbers of the samples in the last batch.
    """

    batch_sampler = None  # Lightning looks for it beside `sampler`

    def __init__(self) -> None:
        self.epoch = 0
        self.chosen: Tensor | None = None
        self._first = self._given = 0

    @property
    def sampler(self) -> Self:
        """The loader itself."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, for its order and augmentation."""
        self.epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """Return the number of batches of the epoch so far."""
        return {"batch": self._given}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Skip the batches before this one in the next epoch, and only there."""
        self._first = state_dict["batch"]

    def place(self, device: torch.device) -> None:
        """Keep the data on a device, if the loader can; batches stay equal."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""

    @abstractmethod
    def batches(self, first: int) -> Iterator[Batch]:
        """Yield the batches of the epoch from number ``first`` on."""

    def __iter__(self) -> Iterator[Batch]:
        # Read at the first batch: by then Lightning has restored the position.
        self._given, self._first = self._first, 0
        for batch in self.batches(self._given):
            self._given += 1
            yield batch


class MemoryBatches(Batches[tuple[Tensor, ...]]):
    """Iterable over ``(inputs, targets)`` or ``(inputs, targets, weights)`` batches of tensors.

    Parameters
    ----------
    inputs, targets : Tensor
        ``(N, …)`` and ``(N, …)``.
    weights : Tensor, optional
        ``(N,)``.
    batch_size : int
        Largest batch. An epoch is split into ``ceil(N / batch_size)`` batches whose sizes differ by
        at most one: a last batch of one sample would break batch normalisation.
    accumulate : int
        Batches per update: the batches of an epoch are a multiple of it (unless there are fewer
        samples), so that all updates have the same weight.
    shuffle : bool
        Draw a new order every epoch.
    seed : int
    transform : callable, optional
        Augmentation, applied to a batch of inputs.
    mixup : callable, optional
        Mixes each input with that of its partner, after both are transformed. The batch has the
        targets of the samples, then those of the partners, and the shares as weights: ``(2 B,)``.

    Notes
    -----
    With several processes (``torch.distributed``) each takes every ``world``-th sample of the same
    order; the first samples fill up the last turn, as in torch's ``DistributedSampler``.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        *,
        weights: Tensor | None = None,
        batch_size: int,
        accumulate: int = 1,
        shuffle: bool,
        seed: int = 0,
        transform: Transform | None = None,
        mixup: Partners | None = None,
    ) -> None:
        if len(inputs) != len(targets) or len(inputs) == 0:
            raise ValueError(
                "training.loaders: inputs and targets must have the same number of rows, at least "
                f"1, got {len(inputs)} and {len(targets)}"
            )
        super().__init__()
        self.inputs, self.targets, self.weights = inputs, targets, weights
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.accumulate, self.transform, self.mixup = accumulate, transform, mixup

    def place(self, device: torch.device) -> None:
        """Keep the data on a device, if they fit there: batches are then made there."""
        if fits(device, self.inputs, self.targets, self.weights):
            self.inputs, self.targets = self.inputs.to(device), self.targets.to(device)
            self.weights = None if self.weights is None else self.weights.to(device)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        _, world = process_place()
        mine = math.ceil(len(self.inputs) / world)
        updates = math.ceil(mine / (self.batch_size * self.accumulate))
        return min(updates * self.accumulate, mine)

    def order(self) -> Tensor:
        """Return the sample numbers of this process in this epoch's order."""
        count = len(self.inputs)
        order = torch.arange(count)
        if self.shuffle:
            order = torch.randperm(count, generator=_generator(self.seed, self.epoch))
        rank, world = process_place()
        if missing := -count % world:
            order = torch.cat([order, order.repeat(world)[:missing]])
        return order[rank::world]

    def batches(self, first: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of the epoch from number ``first`` on."""
        order = self.order()
        there = order.to(self.inputs.device)  # once an epoch, not once a batch
        parts = [torch.tensor_split(numbers, len(self))[first:] for numbers in (order, there)]
        for self.chosen, chosen in zip(*parts, strict=True):
            yield self.batch(self.chosen, chosen)

    def batch(self, samples: Tensor, there: Tensor) -> tuple[Tensor, ...]:
        """Return the batch of samples ``(B,)``; ``there``: their numbers on the device."""
        inputs, targets, *weights = self._rows(samples, there)
        if self.mixup is None:
            return inputs, targets, *weights
        partners, share, *places = self.mixup(samples, self.epoch)
        others, their_targets, *their_weights = self._rows(partners, partners.to(there.device))
        share = share.to(inputs.device)
        parts = torch.cat([2 * share, 2 * (1 - share)])  # with a mean of 1
        if weights:
            parts = parts * torch.cat([*weights, *their_weights])
        own = places[0].to(inputs.device) if places else share.view(-1, *[1] * (inputs.ndim - 1))
        return own * inputs + (1 - own) * others, torch.cat([targets, their_targets]), parts

    def _rows(self, samples: Tensor, there: Tensor) -> tuple[Tensor, ...]:
        inputs = self.inputs.index_select(0, there)  # copies rows; indexing fetches numbers
        if self.transform is not None:
            inputs = self.transform(inputs, samples, self.epoch)
        rest = () if self.weights is None else (self.weights[there],)
        return inputs, self.targets[there], *rest


def _generator(seed: int, epoch: int) -> torch.Generator:
    # The pair is mixed, not added: (1, 2) and (2, 1) must differ.
    mixed = (seed * 0x9E3779B97F4A7C15 + epoch * 0xD1B54A32D192ED03 + 1) % 2**63
    return torch.Generator().manual_seed(mixed)


def fits(device: torch.device, *data: Tensor | None) -> bool:
    """Return whether tensors fit on a device: they may take a quarter of its free memory."""
    if device.type != "cuda":
        return True
    needed = sum(part.numel() * part.element_size() for part in data if part is not None)
    return needed <= _SHARE * torch.cuda.mem_get_info(device)[0]


def process_place() -> tuple[int, int]:
    """Return the rank of this process and the number of processes."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def training_device(accelerator: str) -> torch.device:
    """Return the device that Lightning trains on in this process."""
    if accelerator == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    place = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0"
    return torch.device("cuda", int(place) % torch.cuda.device_count())
