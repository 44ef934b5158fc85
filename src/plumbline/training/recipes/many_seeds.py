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
from plumbline.models.stacked import StackedNetworks
from plumbline.params.models import FnnParams
from plumbline.tasks.classify import ClassifierTask, RegressionTask, SupervisedTask
from plumbline.tasks.optimisation import configure, parameter_groups
from plumbline.training.data_modules.perturb import Perturbations, perturbations
from plumbline.training.data_modules.tables import TableDataModule
from plumbline.training.recipes.pruning import prune
from plumbline.training.recipes.stack_training import BestEpoch, StackPlan, rows, train_epochs
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
        At the best epoch, before the network is pruned.
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
    TrainingError
        If a loss is not finite; its seed is named.
    """
    settings = parameters.optimisation
    table = TableDataModule(data, batch_size=settings.batch_size, accumulate=settings.accumulate)
    tasks = [build_task(parameters, table, seed=seed) for seed in seeds]
    networks = [_network(task) for task in tasks]
    stack = StackedNetworks(networks)
    report = progress or _silent
    best = _fit(stack, tasks[0], table, parameters, seeds, report)
    _load(networks, best)
    if (how := parameters.regularisation).prune:
        for network in networks:
            prune(network, how.prune)
        if how.prune_epochs:
            again = settings.model_copy(update={"max_epochs": how.prune_epochs})
            left = parameters.model_copy(update={"optimisation": again})
            stack = StackedNetworks(networks)
            _load(networks, _fit(stack, tasks[0], table, left, seeds, report, keep_zeros=True))
    return [
        SeedFit(seed, network.eval(), best.epochs[member], float(best.losses[member]))
        for member, (seed, network) in enumerate(zip(seeds, networks, strict=True))
    ]


def _load(networks: Sequence[FeedForward], best: BestEpoch) -> None:
    for member, network in enumerate(networks):
        network.load_state_dict({name: value[member] for name, value in best.state.items()})


def _fit(
    stack: StackedNetworks,
    task: ClassifierTask | RegressionTask,
    table: TableDataModule,
    parameters: FnnParams,
    seeds: Sequence[int],
    progress: Progress,
    *,
    keep_zeros: bool = False,
) -> BestEpoch:
    settings, val = parameters.optimisation, table.val
    matrices = [value for value in stack.parameters() if value.ndim > 2]
    groups = parameter_groups(
        stack.named_parameters(), lr=settings.lr, weight_decay=settings.weight_decay, stacked=True
    )
    updates = math.ceil(len(table.train.targets) / (settings.batch_size * settings.accumulate))
    made = configure(groups, settings, total_steps=settings.max_epochs * updates)

    def losses(
        outputs: Tensor, targets: Tensor, weights: Tensor | None, *, training: bool = True
    ) -> Tensor:
        if targets.shape[1] > outputs.shape[1]:  # of mixed rows
            outputs = outputs.repeat(1, 2, 1)
        found = task.row_losses(
            outputs.flatten(0, 1),
            targets.flatten(),
            None if weights is None else weights.flatten(),
            training=training,
        ).view(len(seeds), -1)
        penalty = settings.l1 if training else 0.0
        sums = (w.abs().flatten(1).sum(1) for w in matrices) if penalty else ()
        return found.mean(1) + penalty * sum(sums)

    def perturb(seed: int) -> Perturbations:
        return perturbations(parameters.regularisation, table.train.inputs, seed=seed)

    zeros = [(value, value.detach() == 0) for value in matrices if keep_zeros]

    def prune_again() -> None:
        with torch.no_grad():
            for value, zero in zeros:
                value.masked_fill_(zero, 0)

    plan = StackPlan(
        optimizer=made["optimizer"],
        scheduler=made["lr_scheduler"]["scheduler"],
        losses=losses,
        batch_size=settings.batch_size,
        epochs=settings.max_epochs,
        accumulate=settings.accumulate,
        clip_norm=settings.gradient_clip,
        perturb=perturb if any(perturb(seeds[0])) else None,
        after_update=prune_again if keep_zeros else None,
    )
    _, targets, weights = rows(val, torch.arange(len(val.targets)).expand(len(seeds), -1))
    best = BestEpoch(stack, patience=settings.patience)
    for epoch, of_train in enumerate(train_epochs(stack, table.train, plan, seeds=seeds)):
        with torch.no_grad():
            of_val = losses(stack(val.inputs[None]), targets, weights, training=False)
        _refuse_infinite(of_train, of_val, seeds, epoch)
        best.update(stack, of_val, epoch)
        progress(epoch + 1, settings.max_epochs, int(best.running.sum()))
        if not best.running.any():
            break
    return best


def _silent(epoch: int, epochs: int, running: int) -> None:
    pass


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
