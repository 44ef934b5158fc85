"""Checkpoints from which a killed fit resumes and ends with the same bits.

A checkpoint is saved at the start of an epoch or a batch, when all that came before is done and
logged. Lightning has then counted the coming epoch or batch as ready; the checkpoint takes that
back. Lightning also forgets the position in the data where a module has asked for
``estimated_stepping_batches``, so this callback restores it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from plumbline.runs.checkpoints import Checkpoints
from plumbline.training.engine.callbacks import batches_done
from plumbline.training.engine.history import RunRecordLogger
from plumbline.training.engine.sharding import whole_state


class KeepBest(Callback):
    """Keep the weights of the epoch with the lowest value of a metric, also in checkpoints.

    Parameters
    ----------
    monitor : str
        Name of the metric; of equal epochs the first one counts.
    """

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self.epoch: int | None = None
        self._value = float("inf")
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Keep the weights if they are the best so far."""
        value = float(trainer.callback_metrics[self._monitor])
        better = value < self._value
        if trainer.world_size > 1:  # sharded weights are gathered by all processes, or by none
            better = bool(trainer.strategy.broadcast(better))
        if better:
            self.epoch, self._value = trainer.current_epoch, value
            self._weights = whole_state(module)

    def restore(self, module: LightningModule) -> int:
        """Load the best weights into ``module`` and return their epoch, from 0.

        Raises
        ------
        ValueError
            If there was no validation.
        """
        if self.epoch is None:
            raise ValueError("training.KeepBest: fit must have been validated, got no epoch")
        module.load_state_dict(self._weights)
        return self.epoch

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"epoch": self.epoch, "value": self._value, "weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.epoch, self._value = state_dict["epoch"], state_dict["value"]
        self._weights = state_dict["weights"]


class SaveCheckpoints(Checkpoint):
    """Save a checkpoint every so many seconds, between two batches or epochs, and restore it.

    Besides Lightning's part (weights, optimisers, schedules, counters, callbacks) it holds the
    states of the random generators, the history and the position in the data. Several processes
    save between epochs only: their generators and hidden states differ within an epoch.

    Parameters
    ----------
    checkpoints : Checkpoints
    seconds : float
        Least time between two checkpoints; 0 saves after every batch.
    logger : RunRecordLogger
        Flushed before a checkpoint is written, so that no value is missing afterwards.
    check : callable or None
        Called before a checkpoint is written; raises if the inputs of the fit have changed.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        *,
        seconds: float,
        logger: RunRecordLogger,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.checkpoints = checkpoints
        self._seconds, self._logger, self._check = seconds, logger, check
        self._saved_at = time.monotonic()
        self._saved = 0  # batches done at the last checkpoint
        self._batch = 0  # batches of the current epoch that are done, at the last checkpoint
        self._restored: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Restore the random generators and the position in the data."""
        self._saved_at = time.monotonic()
        if (state := self._restored) is not None:
            self._restored = None
            self._saved = batches_done(trainer)
            set_random_state(state["random"])
            loader: Any = trainer.train_dataloader
            loader.load_state_dict({"batch": state["batch"]})

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Save between two epochs."""
        if batches_done(trainer) > self._saved and self._is_due(trainer):
            self._save(trainer, done=batches_done(trainer), batch=0)

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save between two batches of an epoch."""
        # Accumulated gradients are in no checkpoint.
        updated = batch_idx > 0 and batch_idx % trainer.accumulate_grad_batches == 0
        if updated and trainer.world_size == 1 and self._is_due(trainer):
            self._save(trainer, done=batches_done(trainer) - 1, batch=batch_idx)

    def on_save_checkpoint(
        self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take back that the coming epoch or batch was counted as ready."""
        loops = checkpoint["loops"]["fit_loop"]
        for progress in (loops["epoch_progress"], loops["epoch_loop.batch_progress"]):
            for scope in ("total", "current"):
                progress[scope]["ready"] = progress[scope]["started"]
        loops["epoch_loop.batch_progress"]["is_last_batch"] = False

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "random": random_state(),
            "history": self._logger.history.entries,
            "batch": self._batch,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint, and log its history again."""
        self._restored = state_dict
        self._logger.replay(state_dict["history"])

    def _is_due(self, trainer: Trainer) -> bool:
        due = time.monotonic() - self._saved_at >= self._seconds
        # The clocks of several processes differ, and all of them must save, or none.
        return due if trainer.world_size == 1 else bool(trainer.strategy.broadcast(due))

    def _save(self, trainer: Trainer, *, done: int, batch: int) -> None:
        if self._check is not None:
            self._check()
        self._logger.flush()
        self._batch = batch

        def write(path: Path) -> None:
            trainer.save_checkpoint(path, weights_only=False)

        if trainer.is_global_zero:
            self.checkpoints.save(done, write)
        else:
            write(Path())  # takes part, writes nothing
        self._saved, self._saved_at = done, time.monotonic()


def random_state() -> dict[str, Any]:
    """Return the states of the generators of torch (all devices), NumPy and Python."""
    state: Any = np.random.get_state()
    kind, keys, *rest = state
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [kind, keys.tolist(), *rest],
        "python": random.getstate(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Set the generators to states that `random_state` returned."""
    torch.set_rng_state(state["torch"])
    for device in range(min(len(state["cuda"]), torch.cuda.device_count())):
        torch.cuda.set_rng_state(state["cuda"][device], device)
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    random.setstate(state["python"])
