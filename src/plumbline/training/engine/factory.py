"""Build a Lightning Trainer, run it, restore the best weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.strategies import Strategy

from plumbline.params.models import TrainerParams
from plumbline.runs.checkpoints import Checkpoints
from plumbline.training.engine.callbacks import (
    OwnSignals,
    Progress,
    SeedEachEpoch,
    StopAtNonFiniteLoss,
)
from plumbline.training.engine.diagnostics import Diagnostics
from plumbline.training.engine.history import RunRecordLogger
from plumbline.training.engine.malloc import keep_freed_memory
from plumbline.training.engine.processes import process_group
from plumbline.training.engine.resume import KeepBest, SaveCheckpoints
from plumbline.training.engine.sharding import Sharded
from plumbline.training.engine.trace import Trace


def build_trainer(
    params: TrainerParams,
    *,
    stage: str,
    checkpoints: Checkpoints,
    logger: RunRecordLogger,
    seed: int,
    max_epochs: int,
    monitor: str | None = None,
    patience: int | None = None,
    gradient_clip: float = 0.0,
    validate_every: int = 1,
    accumulate: int = 1,
    log_every: int = 1,
    unused_parameters: bool = False,
    check: Callable[[], None] | None = None,
    trace: Trace | None = None,
    diagnostics: Diagnostics | None = None,
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """Return a Trainer with the callbacks of every fit, without Lightning's progress bar.

    Parameters
    ----------
    params : TrainerParams
        Accelerator, devices, nodes, strategy, precision, determinism go to Lightning as they are
        (but see `Sharded`); ``threads`` to torch, ``checkpoint_seconds`` to `SaveCheckpoints`.
    stage : str
        Named in progress lines and errors.
    checkpoints : Checkpoints
        Folder of the fit's checkpoints.
    logger : RunRecordLogger
        Gets every logged value.
    seed : int
        Seed of dropout and other draws within the fit.
    max_epochs : int
    monitor : str or None
        Metric whose lowest value decides the best epoch (`restore_best`) and early stopping; None
        for fits that end with the last epoch.
    patience : int or None
        Epochs without a better ``monitor`` before the fit stops.
    gradient_clip : float
        Largest norm of the gradient; 0 for none. Not for manual optimisation.
    validate_every : int
        Epochs between validations.
    accumulate : int
        Batches per update. Not for manual optimisation.
    log_every : int
        Batches between two rows, of a task that logs within an epoch.
    unused_parameters : bool
        Whether some parameters get no gradient in an update, as in a GAN; such a fit uses DDP where
        ``fsdp`` is asked for.
    check : callable or None
        See `SaveCheckpoints`.
    trace : Trace or None
        Records every step, also one whose loss is not finite.
    diagnostics : Diagnostics or None
        Likewise.
    callbacks : sequence of Callback
        Further ones, called after ours.
    """
    torch.set_num_threads(params.threads)
    keep_freed_memory()
    _quieten()
    observers = [callback for callback in (trace, diagnostics) if callback is not None]
    ours: list[Callback] = [
        SeedEachEpoch(seed), OwnSignals(), *observers, StopAtNonFiniteLoss(stage), Progress(stage)
    ]  # fmt: skip
    if monitor is not None:
        ours.append(KeepBest(monitor))
        if patience is not None and patience < max_epochs:
            # A loss that is not finite must raise, not end the fit as if it were done.
            ours.append(EarlyStopping(monitor, patience=patience, check_finite=False))
    saving = SaveCheckpoints(
        checkpoints, seconds=params.checkpoint_seconds, logger=logger, check=check
    )
    return Trainer(
        accelerator=params.accelerator,
        devices=params.devices,
        num_nodes=params.num_nodes,
        strategy=_strategy(params, unused_parameters=unused_parameters),
        precision=params.precision,
        deterministic=params.deterministic,
        max_epochs=max_epochs,
        check_val_every_n_epoch=validate_every,
        gradient_clip_val=gradient_clip or None,
        accumulate_grad_batches=accumulate,
        logger=logger,
        log_every_n_steps=log_every,
        callbacks=[*ours, *callbacks, saving],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=checkpoints.folder,
    )


def fit(
    trainer: Trainer,
    module: LightningModule,
    data: LightningDataModule,
    *,
    stage: str = "fit",
    resume_from: Path | None = None,
) -> None:
    """Run ``trainer.fit`` in all its processes, from a checkpoint if one is given.

    Ctrl-C raises KeyboardInterrupt, which Lightning turns into ``SystemExit(1)`` after its
    clean-up.
    """
    try:
        with process_group(trainer, stage=stage), warnings.catch_warnings():
            # Lightning 2.6 calls a function that torch 2.13 deprecates.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
            trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
            if isinstance(trainer.strategy, Sharded):
                trainer.strategy.gather_weights()
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def _strategy(params: TrainerParams, *, unused_parameters: bool) -> str | Strategy:
    devices = torch.cuda.device_count() if params.devices == "auto" else params.devices
    several = params.num_nodes > 1 or devices > 1
    if unused_parameters and several and params.strategy in ("auto", "ddp", "fsdp"):
        # DDP waits for the gradient of every parameter unless it looks for those without one.
        return "ddp_find_unused_parameters_true"
    if params.strategy == "fsdp":
        return Sharded() if several else "auto"  # one process cannot share
    return params.strategy


def restore_best(trainer: Trainer, module: LightningModule) -> int:
    """Load the weights of the best epoch into ``module`` and return that epoch, from 0.

    Raises
    ------
    ValueError
        If the trainer kept none.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, KeepBest):
            return callback.restore(module)
    raise ValueError("training.restore_best: trainer must have kept the best epoch, got no monitor")


def _quieten() -> None:
    # Lightning sets its loggers to INFO when imported and then advertises and lists devices.
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
