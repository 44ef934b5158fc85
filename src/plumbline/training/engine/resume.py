"""Checkpoints from which a killed fit goes on and ends with the same bits.

Lightning restarts in the middle of an epoch if its counters say that a batch is wholly done. While
its own hooks run they say otherwise, so they are settled in the checkpoint itself (`_settle`); and
it forgets the position in the data where a module has asked for ``estimated_stepping_batches``
before, so the loader is told here.
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
from plumbline.training.engine.bundles import batches_done
from plumbline.training.engine.history import JournalLogger
from plumbline.training.engine.sharding import whole_state


class KeepBest(Callback):
    """Hold the weights of the epoch at which a metric was lowest; a checkpoint carries them.

    Parameters
    ----------
    monitor : str
        Name of the metric; of equal epochs the first is kept.
    """

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self.epoch: int | None = None
        self._value = float("inf")
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Take the weights if they are the best so far."""
        value = float(trainer.callback_metrics[self._monitor])
        better = value < self._value
        if trainer.world_size > 1:  # all of them take part in putting weights together, or none
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
        """Return what a checkpoint must hold."""
        return {"epoch": self.epoch, "value": self._value, "weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what a checkpoint held."""
        self.epoch, self._value = state_dict["epoch"], state_dict["value"]
        self._weights = state_dict["weights"]


class SaveCheckpoints(Checkpoint):
    """Save a checkpoint every so many seconds, after a batch or between two epochs, and restore it.

    Beside what Lightning keeps (weights, optimisers, schedules, counters, callbacks) it holds the
    states of the random generators, the history and the position in the data. Several processes
    save between epochs only: generators and hidden states differ between them, and each epoch
    starts from the same ones.

    Parameters
    ----------
    checkpoints : Checkpoints
    seconds : float
        Least time between two checkpoints; 0 saves after every batch.
    logger : JournalLogger
        Hands on its values before a checkpoint is written, so that none is missing afterwards.
    check : callable or None
        Called before a checkpoint is written; raises if what the fit was made from has changed.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        *,
        seconds: float,
        logger: JournalLogger,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.checkpoints = checkpoints
        self._seconds, self._logger, self._check = seconds, logger, check
        self._saved_at = time.monotonic()
        self._saved = 0  # batches done at the last checkpoint
        self._within = False  # whether the checkpoint being written lies within an epoch
        self._batch = 0  # batches of that epoch which are done
        self._restored: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Put the random generators and the data where the checkpoint had them."""
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
            self._save(trainer, within=False)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save within an epoch; the validation that follows its last batch is still part of it."""
        last = batch_idx + 1 == trainer.num_training_batches
        # Gradients that wait for an update are in no checkpoint.
        updated = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if updated and not last and trainer.world_size == 1 and self._is_due(trainer):
            self._save(trainer, within=True)

    def on_save_checkpoint(
        self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Make the counters say that all that was begun is done."""
        _settle(checkpoint["loops"]["fit_loop"], within=self._within)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold beside Lightning's part."""
        return {
            "random": random_state(),
            "history": self._logger.history.entries,
            "batch": self._batch,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what a checkpoint held; the history is heard again by its listener."""
        self._restored = state_dict
        self._logger.replay(state_dict["history"])

    def _is_due(self, trainer: Trainer) -> bool:
        due = time.monotonic() - self._saved_at >= self._seconds
        # The clocks of several processes differ, and all of them must take part.
        return due if trainer.world_size == 1 else bool(trainer.strategy.broadcast(due))

    def _save(self, trainer: Trainer, *, within: bool) -> None:
        if self._check is not None:
            self._check()
        self._logger.hand_on()
        self._within = within
        self._batch = trainer.fit_loop.batch_idx + 1 if within else 0
        done = batches_done(trainer)

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


def _settle(loops: dict[str, Any], *, within: bool) -> None:
    # A batch counts as completed, and is counted as a step, only after the last hook behind it; an
    # epoch that has not begun is announced before the first hook of it.
    for scope in loops["epoch_progress"].values():
        begun = scope["processed"] + within
        scope.update(ready=begun, started=begun, completed=scope["processed"])
    batches = loops["epoch_loop.batch_progress"]
    for name in ("total", "current"):
        count = batches[name]["ready"]
        batches[name].update(started=count, processed=count, completed=count)
    batches["is_last_batch"] = False
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] += within
