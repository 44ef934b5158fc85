"""Seed sensitivity: fit the feed-forward network from many seeds at once.

Each network equals that of `plumbline.training.recipes.tables.fit_fnn` with its seed, up to
rounding: it has its own initial weights, order of rows, dropout, gradient norm, best epoch and
early stopping.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from plumbline.errors import TrainingError
from plumbline.models.fnn import FeedForward
from plumbline.models.stacked import StackedFeedForward
from plumbline.params.models import FnnParams
from plumbline.tasks.classify import SupervisedTask
from plumbline.tasks.optimisation import configure, parameter_groups
from plumbline.training.data_modules.examples import Examples
from plumbline.training.data_modules.tables import TableDataModule
from plumbline.training.engine.callbacks import epoch_seed
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.recipes.tables import build_task


@dataclass(frozen=True)
class SeedFit:
    """The fit of one seed.

    Attributes
    ----------
    seed : int
    network : FeedForward
        With the weights of the best epoch, in evaluation mode.
    best_epoch : int
        From 0.
    val_loss : float
        At the best epoch.
    """

    seed: int
    network: FeedForward
    best_epoch: int
    val_loss: float


Progress = Callable[[int, int, int], None]


def fit_fnn_seeds(
    parameters: FnnParams, *, data: Path, seeds: Sequence[int], progress: Progress | None = None
) -> list[SeedFit]:
    """Fit the feed-forward network to a prepared table from every seed.

    Parameters
    ----------
    parameters : FnnParams
    data : Path
        Prepared folder.
    seeds : sequence of int
        At least one.
    progress : callable, optional
        Called after every epoch with the epochs done, the largest number of epochs, and the number
        of seeds that have not stopped.

    Raises
    ------
    ValueError
        If the network has layers that cannot be stacked, see `StackedFeedForward`.
    TrainingError
        If a loss is not finite; its seed is named.
    """
    settings = parameters.optimisation
    table = TableDataModule(data, batch_size=settings.batch_size, accumulate=settings.accumulate)
    tasks = [build_task(parameters, table, seed=seed) for seed in seeds]
    networks = [_network(task) for task in tasks]
    stack = StackedFeedForward(networks)
    best = _fit(stack, tasks[0], table, parameters, seeds, progress or _silent)
    found = []
    for member, (seed, network) in enumerate(zip(seeds, networks, strict=True)):
        weights = {name: value[member] for name, value in best.weights.items()}
        network.load_state_dict(weights, strict=False)  # the input's statistics stay what they are
        found.append(SeedFit(seed, network.eval(), best.epochs[member], float(best.losses[member])))
    return found


class _Best:
    """The best epoch of each member so far, and the members that have not stopped."""

    def __init__(self, stack: StackedFeedForward, *, patience: int) -> None:
        count = len(next(iter(stack.parameters.values())))
        self.weights = {k: v.detach().clone() for k, v in stack.parameters.items()}
        self.losses = torch.full((count,), torch.inf)
        self.epochs = [0] * count
        self.running = torch.ones(count, dtype=torch.bool)
        self._patience = patience

    def update(self, stack: StackedFeedForward, losses: Tensor, epoch: int) -> None:
        """Keep the weights of the members that improve; stop those without patience left."""
        better = self.running & (losses < self.losses)
        self.losses = torch.where(better, losses, self.losses)
        self.epochs = torch.where(better, epoch, torch.tensor(self.epochs)).tolist()
        for name, value in stack.parameters.items():
            self.weights[name][better] = value.detach()[better]
        self.running &= epoch - torch.tensor(self.epochs) < self._patience


def _fit(
    stack: StackedFeedForward,
    task: SupervisedTask,
    table: TableDataModule,
    parameters: FnnParams,
    seeds: Sequence[int],
    progress: Progress,
) -> _Best:
    settings = parameters.optimisation
    train, val = table.train, table.val
    size, accumulate = settings.batch_size, settings.accumulate
    loaders = [
        MemoryBatches(
            train.inputs,
            train.targets,
            batch_size=size,
            accumulate=accumulate,
            shuffle=True,
            seed=seed,
        )
        for seed in seeds
    ]
    batches = len(loaders[0])
    single = dict(_network(task).named_parameters())
    stacked = {id(single[name]): value for name, value in stack.parameters.items()}
    groups = parameter_groups(
        single.items(), lr=settings.lr, weight_decay=settings.weight_decay
    )  # by the shapes of a single network: those of the stack have one axis more
    for group in groups:
        group["params"] = [stacked[id(parameter)] for parameter in group["params"]]
    updates = settings.max_epochs * math.ceil(batches / accumulate)
    made = configure(groups, settings, total_steps=updates)
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    every = torch.arange(len(val.targets)).expand(len(seeds), -1)
    best = _Best(stack, patience=settings.patience)
    for epoch in range(settings.max_epochs):
        generators = [torch.Generator().manual_seed(epoch_seed(seed, epoch)) for seed in seeds]
        for loader in loaders:
            loader.set_epoch(epoch)
        order = torch.stack([loader.order() for loader in loaders])
        for number, chosen in enumerate(torch.tensor_split(order, batches, dim=1), start=1):
            masks = stack.draw_masks(chosen.shape[1], generators)
            outputs = stack(train.inputs[chosen], masks)
            losses = _losses(task, outputs, *_rows(train, chosen), training=True)
            torch.autograd.backward(losses.sum() / accumulate)
            if number % accumulate and number < batches:
                continue
            if settings.gradient_clip:
                _clip(list(stack.parameters.values()), settings.gradient_clip)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        with torch.no_grad():
            outputs = stack(val.inputs[None])
            found = _losses(task, outputs, *_rows(val, every), training=False)
        _refuse_infinite(losses, found, seeds, epoch)
        best.update(stack, found, epoch)
        progress(epoch + 1, settings.max_epochs, int(best.running.sum()))
        if not best.running.any():
            break
    return best


def _silent(epoch: int, epochs: int, running: int) -> None:
    pass


def _rows(examples: Examples, chosen: Tensor) -> list[Tensor]:
    """Return the targets, and weights if there are any, of ``(S, N)`` rows."""
    given = (examples.targets, examples.weights)
    return [column[chosen] for column in given if column is not None]


def _losses(task: SupervisedTask, outputs: Tensor, *rest: Tensor, training: bool) -> Tensor:
    members = zip(outputs, *rest, strict=True)
    return torch.stack([task.loss(*member, training=training) for member in members])


def _clip(parameters: list[Tensor], limit: float) -> None:
    """Scale each member's gradient to a norm of at most ``limit``, as torch does for one."""
    gradients = [value.grad for value in parameters if value.grad is not None]
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
    share = (limit / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(share.view(-1, *[1] * (gradient.ndim - 1)))


def _refuse_infinite(train: Tensor, val: Tensor, seeds: Sequence[int], epoch: int) -> None:
    for name, losses in (("training", train), ("validation", val)):
        for seed, loss in zip(seeds, losses.tolist(), strict=True):
            if not math.isfinite(loss):
                raise TrainingError(
                    f"many_seeds: {name} loss of seed {seed} must be finite, got {loss} (epoch "
                    f"{epoch}); lower the learning rate, or clip gradients"
                )


def _network(task: SupervisedTask) -> FeedForward:
    network = task.network
    assert isinstance(network, FeedForward)
    return network
