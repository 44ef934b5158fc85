"""The default feed-forward fit: against Lightning as it comes, and against a plain loop.

The plain loop makes the same updates and ends with the same bits.
"""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from plumbline import params
from plumbline.data.tables.prepare import prepare
from plumbline.params.models import FnnParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import SupervisedTask
from plumbline.tasks.optimisation import configure, parameter_groups
from plumbline.training.data_modules.tables import TableDataModule
from plumbline.training.engine.callbacks import epoch_seed
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.recipes.tables import build_task, fit_fnn

import measure
from measure import Row, faster, take_turns, within

SEED = 1
LIGHTNING = (
    "Both run Lightning's loop: some 0.6 ms a step of the optimiser, whatever the network. Several "
    "seeds at once (row 11) do without it."
)


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        yield from compare(Path(folder))


def compare(folder: Path) -> Iterator[Row]:
    parameters = params.load()
    prepare(parameters.data_tabular, seed=1).write(folder / "data")
    # Every epoch is run by all three, so that they do the same work.
    chosen = parameters.train_fnn
    every = chosen.optimisation.model_copy(update={"patience": chosen.optimisation.max_epochs})
    settings = chosen.model_copy(update={"optimisation": every})
    numbers = itertools.count()

    def ours() -> dict[str, Tensor]:
        context = FitContext(
            stage="bench", work=folder / f"fit{next(numbers)}", seed=SEED,
            trainer=parameters.trainer,
        )  # fmt: skip
        return fit_fnn(settings, data=folder / "data", context=context).network.state_dict()

    def plain() -> dict[str, Tensor]:
        return plain_loop(settings, folder / "data", seed=SEED)

    mine, theirs = ours(), plain()
    assert all(torch.equal(mine[name], value) for name, value in theirs.items())
    turns = take_turns(ours, lambda: default_lightning(settings, folder), plain, turns=5)
    size = f"{every.max_epochs} epochs, batch {every.batch_size}, 1 thread"
    yield faster(
        10, "training of the default MLP", size, "Lightning with its logger, bar and loader", turns,
        goal=1.5, why=LIGHTNING,
    )  # fmt: skip
    yield within(
        10, "training of the default MLP", size, "a plain loop in memory", turns, goal=3, which=2,
        note="same bits", why=LIGHTNING,
    )  # fmt: skip


def plain_loop(settings: FnnParams, data: Path, *, seed: int) -> dict[str, Tensor]:
    options = settings.optimisation
    table = TableDataModule(data, batch_size=options.batch_size)
    train, val, task = table.train, table.val, build_task(settings, table, seed=seed)
    network = task.network
    batches = MemoryBatches(
        train.inputs, train.targets, batch_size=options.batch_size, shuffle=True, seed=seed
    )
    groups = parameter_groups(
        network.named_parameters(), lr=options.lr, weight_decay=options.weight_decay
    )
    made = configure(groups, options, total_steps=options.max_epochs * len(batches))
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    parameters = list(network.parameters())
    best, kept = float("inf"), {}
    for epoch in range(options.max_epochs):
        network.train()
        torch.default_generator.manual_seed(epoch_seed(seed, epoch))
        batches.set_epoch(epoch)
        for inputs, targets in batches:
            optimizer.zero_grad()
            functional.cross_entropy(network(inputs), targets).backward()
            nn.utils.clip_grad_norm_(parameters, options.gradient_clip)
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            outputs = network(val.inputs)
            loss = float(functional.cross_entropy(outputs, val.targets))
            task.validation_metrics(outputs, val.targets)
        if loss < best:
            best, kept = loss, {k: v.clone() for k, v in network.state_dict().items()}
    return kept


def default_lightning(settings: FnnParams, folder: Path) -> None:
    import pytorch_lightning as lightning  # behind the guard that plumbline.training installs

    class Usual(lightning.LightningModule):
        """The module that the documentation leads to."""

        def __init__(self, task: SupervisedTask, settings: FnnParams) -> None:
            super().__init__()
            self.network, self.settings = task.network, settings.optimisation
            self.metrics = task.validation_metrics

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            """Log and return the loss."""
            inputs, targets = batch
            loss = functional.cross_entropy(self.network(inputs), targets)
            self.log("train_loss", loss, prog_bar=True)
            return loss

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            """Log loss and metrics."""
            inputs, targets = batch
            outputs = self.network(inputs)
            self.log("val_loss", functional.cross_entropy(outputs, targets), prog_bar=True)
            self.log_dict(self.metrics(outputs, targets))

        def configure_optimizers(self) -> Any:
            """Return optimiser and schedule."""
            options = self.settings
            groups = parameter_groups(
                self.network.named_parameters(), lr=options.lr, weight_decay=options.weight_decay
            )
            total = int(self.trainer.estimated_stepping_batches)
            return configure(groups, options, total_steps=total, fused=False)

    options = settings.optimisation
    table = TableDataModule(folder / "data", batch_size=options.batch_size)
    train, val = table.train, table.val
    module = Usual(build_task(settings, table, seed=SEED), settings)
    loaders = [
        DataLoader(TensorDataset(part.inputs, part.targets), batch_size=size, shuffle=shuffle)
        for part, size, shuffle in ((train, options.batch_size, True), (val, 512, False))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=options.max_epochs, accelerator="cpu", default_root_dir=folder / "usual",
            gradient_clip_val=options.gradient_clip,
        )  # fmt: skip
        trainer.fit(module, *loaders)
    assert trainer.global_step == options.max_epochs * len(loaders[0])


if __name__ == "__main__":
    measure.main(rows, __doc__)
