"""Run a fit: make or resume a trainer, fit a module to a data module, keep the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule

from plumbline import names
from plumbline.params.models import Optimisation
from plumbline.params.regularisation import Regularisation
from plumbline.runs.checkpoints import Checkpoints
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import SupervisedTask
from plumbline.training.data_modules.examples import ExampleDataModule
from plumbline.training.engine.diagnostics import Diagnostics
from plumbline.training.engine.factory import build_trainer, fit, restore_best
from plumbline.training.engine.history import History, RunRecordLogger
from plumbline.training.engine.resume import random_state, set_random_state
from plumbline.training.engine.trace import Trace
from plumbline.training.recipes.pruning import KeepZeros, prune, validation_loss

VAL_LOSS = names.metric(names.VAL, names.LOSS)


@dataclass(frozen=True)
class FitResult:
    """The result of `run_fit`.

    Attributes
    ----------
    history : History
    epochs, steps : int
        Epochs run and updates made.
    best_epoch : int
        Epoch, from 0, of the weights that the module has now.
    found : dict
        Facts of the callbacks: ``diagnostics`` if it is on.
    """

    history: History
    epochs: int
    steps: int
    best_epoch: int
    found: dict[str, Any] = field(default_factory=dict)


def run_fit(
    module: LightningModule,
    data: LightningDataModule,
    *,
    context: FitContext,
    max_epochs: int,
    monitor: str | None = None,
    patience: int | None = None,
    gradient_clip: float = 0.0,
    validate_every: int = 1,
    accumulate: int = 1,
    log_every: int = 1,
    callbacks: Sequence[Callback] = (),
) -> FitResult:
    """Fit a module in place, from the newest checkpoint in ``context.work`` if there is one.

    Parameters
    ----------
    module : LightningModule
    data : LightningDataModule
        Its training loader must be a `plumbline.training.engine.loaders.Batches`.
    context : FitContext
    max_epochs, monitor, patience, gradient_clip, validate_every, accumulate, log_every, callbacks
        See `plumbline.training.engine.factory.build_trainer`. With ``monitor`` the module ends with
        the weights of the best epoch, otherwise with those of the last one.
    """
    checkpoints = Checkpoints(context.work)
    logger = RunRecordLogger(context.sink)
    if (path := checkpoints.result()) is not None:
        found = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(found["weights"])
        logger.replay(found["history"])
        set_random_state(found["random"])
        return FitResult(logger.history, **found["counts"], found=found["facts"])
    every = None if module.automatic_optimization else log_every
    on = context.trainer.diagnostics
    diagnostics = Diagnostics(context.stage, logger=logger, every=every) if on else None
    trainer = build_trainer(
        context.trainer,
        stage=context.stage,
        checkpoints=checkpoints,
        check=context.check,
        trace=None if context.trace is None else Trace(context.trace, fit=context.work.name),
        diagnostics=diagnostics,
        logger=logger,
        seed=context.seed,
        max_epochs=max_epochs,
        monitor=monitor,
        patience=patience,
        gradient_clip=gradient_clip,
        validate_every=validate_every,
        accumulate=accumulate,
        log_every=log_every,
        unused_parameters=not module.automatic_optimization,
        callbacks=callbacks,
    )
    fit(trainer, module, data, stage=context.stage, resume_from=checkpoints.newest_whole())
    epochs = trainer.current_epoch
    best = epochs - 1 if monitor is None else restore_best(trainer, module)
    counts = {"epochs": epochs, "steps": trainer.global_step, "best_epoch": best}
    facts = {} if diagnostics is None else {"diagnostics": diagnostics.facts}
    result = {
        "weights": module.state_dict(),
        "history": logger.history.entries,
        "random": random_state(),
        "counts": counts,
        "facts": facts,
    }
    if context.check is not None:
        context.check()
    if trainer.is_global_zero:
        checkpoints.finish(lambda path: torch.save(result, path))
    return FitResult(logger.history, **counts, found=facts)


def fit_supervised(
    task: SupervisedTask,
    data: ExampleDataModule,
    *,
    context: FitContext,
    optimisation: Optimisation,
    keep_best: bool = True,
    validate_every: int = 1,
    regularisation: Regularisation | None = None,
    callbacks: Sequence[Callback] = (),
) -> tuple[History, dict[str, Any]]:
    """Fit a task and return its history and facts.

    Parameters
    ----------
    task : SupervisedTask
        Its network is changed in place.
    data : ExampleDataModule
    context : FitContext
    optimisation : Optimisation
    keep_best : bool
        End with the epoch of the lowest validation loss, and stop early when it no longer falls;
        otherwise run every epoch, end with the last one, and use the validation data for nothing.
    validate_every : int
        Epochs between validations.
    regularisation : Regularisation, optional
        How the network is pruned at the end; the facts say with what loss.
    callbacks : sequence of Callback
        Further ones.
    """
    result = run_fit(
        task,
        data,
        context=context,
        max_epochs=optimisation.max_epochs,
        monitor=VAL_LOSS if keep_best else None,
        patience=optimisation.patience,
        gradient_clip=optimisation.gradient_clip,
        validate_every=validate_every,
        accumulate=optimisation.accumulate,
        callbacks=callbacks,
    )
    facts = {
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "chosen_by": f"lowest {VAL_LOSS}" if keep_best else "last epoch",
        "steps": result.steps,
        "train_samples": len(data.train.targets),
        "val_samples": len(data.val.targets),
        **({} if data.train.weights is None else {"weighted_by": names.WEIGHT}),
        **result.found,
    }
    if regularisation is not None and regularisation.prune:
        facts["pruning"] = _prune(task, data, regularisation, optimisation, context)
    return result.history, facts


def _prune(
    task: SupervisedTask,
    data: ExampleDataModule,
    how: Regularisation,
    optimisation: Optimisation,
    context: FitContext,
) -> dict[str, Any]:
    """Prune a fitted network, train what is left of it, and return facts; losses of validation."""
    before = validation_loss(task, data.val)
    facts = {"share": how.prune, **prune(task.network, how.prune), "val_loss_before": before}
    facts["val_loss_pruned"] = validation_loss(task, data.val)
    if how.prune_epochs:
        result = run_fit(
            task,
            data,
            context=replace(
                context,
                stage=f"{context.stage} (pruned)",
                work=context.work.with_name("pruned"),
                sink=None,
            ),
            max_epochs=how.prune_epochs,
            monitor=VAL_LOSS,
            patience=optimisation.patience,
            gradient_clip=optimisation.gradient_clip,
            accumulate=optimisation.accumulate,
            callbacks=[KeepZeros(task.network)],
        )
        facts |= {"epochs": result.epochs, "best_epoch": result.best_epoch}
        facts["val_loss_trained"] = validation_loss(task, data.val)
    return facts
