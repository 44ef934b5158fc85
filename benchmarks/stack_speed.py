"""Sixteen seeds in one stack: against one fit after the other, and against ``torch.func.vmap``.

Each network of the stack ends where it ends alone, within rounding.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from fitting_speed import plain_loop
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from plumbline import params
from plumbline.data.tables.prepare import prepare
from plumbline.params.models import FnnParams
from plumbline.tasks.optimisation import configure, parameter_groups
from plumbline.training.data_modules.tables import TableDataModule
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.recipes.many_seeds import fit_fnn_seeds
from plumbline.training.recipes.stack_training import clip_norms
from plumbline.training.recipes.tables import build_task

import measure
from measure import Row, faster, take_turns

SEEDS = range(1, 17)
ALONE = SEEDS[:4]
CHANGES: dict[str, dict[str, Any]] = {
    "the default MLP": {},
    "the MLP with batch norm and PReLU": {"norm": "batch", "activation": "prelu"},
}


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        parameters = params.load()
        prepare(parameters.data_tabular, seed=1).write(data)
        chosen = parameters.train_fnn
        # Every epoch is run by all, so that they do the same work.
        every = chosen.optimisation.model_copy(update={"patience": chosen.optimisation.max_epochs})
        for what, change in CHANGES.items():
            settings = chosen.model_copy(update={"optimisation": every, **change})
            yield one_by_one(what, settings, data)
        settings = chosen.model_copy(update={"optimisation": every})
        yield against_vmap("the default MLP", settings, data)


def one_by_one(what: str, settings: FnnParams, data: Path) -> Row:
    def alone(seeds: Iterable[int]) -> list[dict[str, Tensor]]:
        return [plain_loop(settings, data, seed=seed) for seed in seeds]

    inputs = TableDataModule(data, batch_size=1).val.inputs
    together = fit_fnn_seeds(settings, data=data, seeds=SEEDS)
    for found, state in zip(together, alone(ALONE), strict=False):
        outputs = found.network(inputs)
        found.network.load_state_dict(state)
        torch.testing.assert_close(outputs, found.network(inputs), rtol=1e-5, atol=1e-5)
    turns = take_turns(
        lambda: fit_fnn_seeds(settings, data=data, seeds=SEEDS), lambda: alone(ALONE), turns=5
    )
    return faster(
        11, f"{len(SEEDS)} seeds of {what}", f"{settings.optimisation.max_epochs} epochs",
        "the plain loop, one after the other", turns, goal=5, scale=len(SEEDS) / len(ALONE),
        note=f"1 thread; the peer runs {len(ALONE)} of the seeds, scaled; same outputs within 1e-5",
    )  # fmt: skip


def against_vmap(what: str, settings: FnnParams, data: Path) -> Row:
    turns = take_turns(
        lambda: fit_fnn_seeds(settings, data=data, seeds=SEEDS),
        lambda: mapped_loop(settings, data),
        turns=3,
    )
    return faster(
        11, f"{len(SEEDS)} seeds of {what}", f"{settings.optimisation.max_epochs} epochs",
        "torch.func.vmap over functional_call", turns, goal=1,
        note="1 thread; vmap draws other dropout masks than a single fit",
    )  # fmt: skip


def mapped_loop(settings: FnnParams, data: Path) -> list[float]:
    """Train the same networks by ``vmap`` of the gradient; return their last validation losses."""
    options = settings.optimisation
    table = TableDataModule(data, batch_size=options.batch_size)
    train, val = table.train, table.val
    networks: list[Any] = [build_task(settings, table, seed=seed).network for seed in SEEDS]
    base = networks[0]
    weights, buffers = stack_module_state(networks)
    loaders = [
        MemoryBatches(
            train.inputs, train.targets, batch_size=options.batch_size, shuffle=True, seed=seed
        )
        for seed in SEEDS
    ]
    own = {name: nn.Parameter(value) for name, value in weights.items()}
    groups = parameter_groups(
        own.items(), lr=options.lr, weight_decay=options.weight_decay, stacked=True
    )
    updates = math.ceil(len(train.targets) / options.batch_size)
    made = configure(groups, options, total_steps=options.max_epochs * updates)
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]

    def loss(mine: Any, kept: Any, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(base, (mine, kept), (x,)), y)

    gradients = vmap(grad(loss), randomness="different")
    evaluate = vmap(loss, in_dims=(0, 0, None, None))
    losses = torch.empty(0)
    for epoch in range(options.max_epochs):
        for loader in loaders:
            loader.set_epoch(epoch)
        order = torch.stack([loader.order() for loader in loaders])
        base.train()
        for chosen in torch.tensor_split(order, updates, dim=1):
            values = {name: value.detach() for name, value in own.items()}
            found = gradients(values, buffers, train.inputs[chosen], train.targets[chosen])
            for name, value in own.items():
                value.grad = found[name]
            clip_norms(list(own.values()), options.gradient_clip)
            optimizer.step()
            schedule.step()
        base.eval()
        with torch.no_grad():
            losses = evaluate(own, buffers, val.inputs, val.targets)
    return losses.tolist()


if __name__ == "__main__":
    measure.main(rows, __doc__)
