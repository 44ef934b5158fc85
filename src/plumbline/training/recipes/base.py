"""What every supervised fit shares: where it runs, what it sees, what it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule
from torch import Tensor, nn

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.models import count_parameters
from plumbline.params.blocks import Block
from plumbline.params.models import Optimisation
from plumbline.runs.checkpoints import Checkpoints
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import SupervisedTask
from plumbline.training.engine.bundles import bundled
from plumbline.training.engine.factory import build_trainer, fit, restore_best
from plumbline.training.engine.history import History, JournalLogger
from plumbline.training.engine.loaders import Batches, MemoryBatches, Transform, training_device
from plumbline.training.engine.resume import random_state, set_random_state
from plumbline.training.engine.trace import Trace

VAL_LOSS = names.metric(names.VAL, names.LOSS)
_EVALUATION_BATCH = 512


@dataclass(frozen=True)
class FittedModel:
    """A fitted network, the config that restores it, and the history of its fit."""

    network: nn.Module
    config: ModelConfig
    history: History
    metrics: Mapping[str, float] = field(default_factory=dict)  # those that the history lacks

    def with_hyperparameters(self, settings: Block) -> Self:
        """Return the model with the parameters of its fit among the facts of its config."""
        facts = {**self.config.facts, "settings": settings.model_dump(mode="json")}
        return replace(self, config=replace(self.config, facts=facts))

    def save(self, folder: Path) -> None:
        """Write weights and config; weights are kept in single precision at most."""
        artifacts.save_model(folder, portable_weights(self.network), self.config)


def portable_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return the state of a network on the CPU, with every float in single precision.

    bfloat16 has no NumPy type, and a file must not depend on the precision it was trained in.
    """
    return {
        name: (value.float() if value.is_floating_point() else value).detach().cpu()
        for name, value in network.state_dict().items()
    }


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of one split, and weights with a mean of 1 where there are weights."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True)
class FitResult:
    """The result of `run_fit`.

    Attributes
    ----------
    history : History
    epochs, steps : int
        Epochs run and updates made.
    best_epoch : int
        Whose weights the module has now, from 0.
    """

    history: History
    epochs: int
    steps: int
    best_epoch: int


def run_fit(
    module: LightningModule,
    train: Any,
    val: Any = None,
    *,
    context: FitContext,
    max_epochs: int,
    monitor: str | None = None,
    patience: int | None = None,
    gradient_clip: float = 0.0,
    validate_every: int = 1,
    accumulate: int = 1,
    callbacks: Sequence[Callback] = (),
) -> FitResult:
    """Fit a module in place, from the newest checkpoint in ``context.work`` if there is one.

    Parameters
    ----------
    module : LightningModule
    train, val : iterable of batches
        ``train`` must be a `loaders.Batches`.
    context : FitContext
    max_epochs, monitor, patience, gradient_clip, validate_every, accumulate, callbacks
        See `factory.build_trainer`; with ``monitor`` the fit ends with the weights of the best
        epoch, without it with the last ones.
    """
    checkpoints = Checkpoints(context.work)
    logger = JournalLogger(context.sink)
    if (path := checkpoints.result()) is not None:
        found = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(found["weights"])
        logger.replay(found["history"])
        set_random_state(found["random"])
        return FitResult(logger.history, **found["counts"])
    device = training_device(context.trainer.accelerator)
    for batches in (train, val):
        if isinstance(batches, Batches):
            batches.place(device)
    trainer = build_trainer(
        context.trainer,
        stage=context.stage,
        checkpoints=checkpoints,
        check=context.check,
        trace=None if context.trace is None else Trace(context.trace, fit=context.work.name),
        logger=logger,
        seed=context.seed,
        max_epochs=max_epochs,
        monitor=monitor,
        patience=patience,
        gradient_clip=gradient_clip,
        validate_every=validate_every,
        accumulate=accumulate,
        in_turns=not module.automatic_optimization,
        callbacks=callbacks,
    )
    fit(trainer, module, train, val, stage=context.stage, resume_from=checkpoints.newest_whole())
    epochs = trainer.current_epoch
    best = epochs - 1 if monitor is None else restore_best(trainer, module)
    counts = {"epochs": epochs, "steps": trainer.global_step, "best_epoch": best}
    result = {
        "weights": module.state_dict(),
        "history": logger.history.entries,
        "random": random_state(),
        "counts": counts,
    }
    if context.check is not None:
        context.check()
    if trainer.is_global_zero:
        checkpoints.finish(lambda path: torch.save(result, path))
    return FitResult(logger.history, **counts)


def fit_supervised(
    task: SupervisedTask,
    train: Examples,
    val: Examples,
    *,
    context: FitContext,
    optimisation: Optimisation,
    transform: Transform | None = None,
    keep_best: bool = True,
    validate_every: int = 1,
    dense: bool = False,
) -> tuple[History, dict[str, Any]]:
    """Fit a task and return its history and facts.

    Parameters
    ----------
    task : SupervisedTask
        Its network is changed in place.
    train, val : Examples
    context : FitContext
    optimisation : Optimisation
    transform : callable, optional
        Augmentation of training batches.
    keep_best : bool
        End with the epoch of the lowest validation loss, and stop when it no longer falls;
        otherwise run every epoch and end with the last, and validation data choose nothing.
    validate_every : int
        Epochs between validations.
    dense : bool
        Whether the network has dense layers only: its updates may be so small that several are
        made at once, see `bundles`.
    """
    batches: Any = MemoryBatches(
        train.inputs,
        train.targets,
        weights=train.weights,
        batch_size=optimisation.batch_size,
        accumulate=optimisation.accumulate,
        shuffle=True,
        seed=context.seed,
        transform=transform,
    )
    held_out = MemoryBatches(
        val.inputs,
        val.targets,
        weights=val.weights,
        batch_size=_EVALUATION_BATCH,
        shuffle=False,
    )
    if dense:
        batches = bundled(
            task,
            batches,
            trainer=context.trainer,
            optimisation=optimisation,
            traced=context.trace is not None,
        )
    result = run_fit(
        task,
        batches,
        held_out,
        context=context,
        max_epochs=optimisation.max_epochs,
        monitor=VAL_LOSS if keep_best else None,
        patience=optimisation.patience,
        gradient_clip=optimisation.gradient_clip if task.automatic_optimization else 0.0,
        validate_every=validate_every,
        accumulate=optimisation.accumulate,
    )
    facts = {
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "chosen_by": f"lowest {VAL_LOSS}" if keep_best else "last epoch",
        "steps": result.steps,
        "train_samples": len(train.targets),
        "val_samples": len(val.targets),
        **({} if train.weights is None else {"weighted_by": names.WEIGHT}),
    }
    return result.history, facts


def image_examples(table: pd.DataFrame, images: Tensor, *, rows: pd.Series[bool]) -> Examples:
    """Return the chosen rows of prepared images ``(N, C, H, W)`` with their class codes."""
    chosen = np.flatnonzero(rows.to_numpy())
    codes = table["y"].to_numpy(dtype="int64")[chosen]
    return Examples(images[torch.tensor(chosen)], torch.tensor(codes))


def classifier_config(
    model: str,
    *,
    architecture: str,
    arguments: dict[str, Any],
    schema: DatasetSchema,
    network: nn.Module,
    inputs: Sequence[dict[str, Any]],
    facts: dict[str, Any],
) -> ModelConfig:
    """Return the config of a classifier whose outputs are logits ``(N, K)``."""
    return ModelConfig(
        model=model,
        architecture=architecture,
        arguments=arguments,
        kind=names.CLASSIFICATION,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        inputs=tuple(inputs),
        outputs=({"name": "logits", "dtype": "float32", "shape": [-1, len(schema.classes)]},),
        parameters=count_parameters(network),
        facts=facts,
    )


def image_signature(images: Tensor) -> list[dict[str, Any]]:
    """Return the input signature of a network that takes images like these."""
    return [{"name": "images", "dtype": "uint8", "shape": [-1, *images.shape[1:]]}]
