"""The one place where a Lightning Trainer is made, run and its best weights taken back."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
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
from plumbline.training.engine.history import JournalLogger
from plumbline.training.engine.malloc import keep_freed_memory
from plumbline.training.engine.processes import together
from plumbline.training.engine.resume import KeepBest, SaveCheckpoints
from plumbline.training.engine.sharding import Sharded
from plumbline.training.engine.trace import Trace


def build_trainer(
    params: TrainerParams,
    *,
    stage: str,
    checkpoints: Checkpoints,
    logger: JournalLogger,
    seed: int,
    max_epochs: int,
    monitor: str | None = None,
    patience: int | None = None,
    gradient_clip: float = 0.0,
    validate_every: int = 1,
    accumulate: int = 1,
    in_turns: bool = False,
    check: Callable[[], None] | None = None,
    trace: Trace | None = None,
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """Return a Trainer with our callbacks and nothing of Lightning's own display or logging.

    Parameters
    ----------
    params : TrainerParams
        Accelerator, devices, nodes, strategy, precision, determinism go to Lightning as they are
        (but see `Sharded`); ``threads`` to torch, ``checkpoint_seconds`` to `SaveCheckpoints`.
    stage : str
        Named in progress lines and errors.
    checkpoints : Checkpoints
        Where the fit saves its own.
    logger : JournalLogger
        Receives every logged value.
    seed : int
        Seed of dropout and other draws within the fit.
    max_epochs : int
    monitor : str or None
        Metric, the lower the better, by which the best epoch is kept (`restore_best`) and patience
        is counted; None for fits whose last state is the result.
    patience : int or None
        Epochs without a better ``monitor`` before the fit stops.
    gradient_clip : float
        Largest norm of the gradient; 0 for none. Not for manual optimisation.
    validate_every : int
        Epochs between validations.
    accumulate : int
        Batches that an update is made from. Not for manual optimisation.
    in_turns : bool
        Whether an update may leave some parameters out, as those of a GAN do; DDP then takes the
        place of sharding.
    check : callable or None
        See `SaveCheckpoints`.
    trace : Trace or None
        Records every step, one whose loss is not finite among them.
    callbacks : sequence of Callback
        Further ones, called after ours.
    """
    torch.set_num_threads(params.threads)
    keep_freed_memory()
    _quieten()
    tracing = [] if trace is None else [trace]
    ours: list[Callback] = [
        SeedEachEpoch(seed), OwnSignals(), *tracing, StopAtNonFiniteLoss(stage), Progress(stage)
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
        strategy=_strategy(params, in_turns=in_turns),
        precision=params.precision,
        deterministic=params.deterministic,
        max_epochs=max_epochs,
        check_val_every_n_epoch=validate_every,
        gradient_clip_val=gradient_clip or None,
        accumulate_grad_batches=accumulate,
        logger=logger,
        log_every_n_steps=1,
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
    train: Any,
    val: Any = None,
    *,
    stage: str = "fit",
    resume_from: Path | None = None,
) -> None:
    """Run ``trainer.fit`` in all its processes, from a checkpoint if one is given.

    Ctrl-C leaves it as the KeyboardInterrupt that it is: Lightning turns it into ``SystemExit(1)``
    after its clean-up, and a stage must see what happened.
    """
    try:
        with together(trainer, stage=stage), warnings.catch_warnings():
            # Lightning 2.6 asks torch 2.13's trees a question in last year's words.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
            trainer.fit(module, train, val, ckpt_path=resume_from, weights_only=True)
            if isinstance(trainer.strategy, Sharded):
                trainer.strategy.put_together()
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def _strategy(params: TrainerParams, *, in_turns: bool) -> str | Strategy:
    devices = torch.cuda.device_count() if params.devices == "auto" else params.devices
    several = params.num_nodes > 1 or devices > 1
    if in_turns and several and params.strategy in ("auto", "ddp", "fsdp"):
        # DDP waits for the gradient of every parameter unless it is told that some have none.
        return "ddp_find_unused_parameters_true"
    if params.strategy == "fsdp":
        return Sharded() if several else "auto"  # one process has nobody to share with
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
