"""Callbacks of every fit: stop at a loss that is not finite, seed each epoch, show progress."""

from __future__ import annotations

import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from plumbline import names
from plumbline.errors import TrainingError

log = logging.getLogger(__name__)


class StopAtNonFiniteLoss(Callback):
    """Raise at the first loss, of training or validation, that is not finite.

    Every tensor that ``training_step`` returns is a loss, alone or in a mapping by name.

    Parameters
    ----------
    stage : str
        Named in the message.
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the losses of one batch."""
        losses = outputs if isinstance(outputs, Mapping) else {names.LOSS: outputs}
        for name, loss in losses.items():
            if isinstance(loss, torch.Tensor) and not bool(torch.isfinite(loss)):
                at = f"{float(loss)} at batch {batches_done(trainer)}"
                self._stop(f"training {name}", at, trainer)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Check the loss of one validation."""
        name = names.metric(names.VAL, names.LOSS)
        loss = trainer.callback_metrics.get(name)
        if loss is not None and not math.isfinite(loss):
            self._stop("validation loss", str(float(loss)), trainer)

    def _stop(self, loss: str, got: str, trainer: Trainer) -> None:
        raise TrainingError(
            f"{self._stage}: {loss} must be finite, got {got} (epoch {trainer.current_epoch}); "
            "lower the learning rate, clip gradients, or look for extreme values in the data"
        )


def batches_done(trainer: Trainer) -> int:
    """Return the number of batches of a fit so far, over all epochs, the current one included."""
    return trainer.fit_loop.total_batch_idx + 1


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed of a process's draws (e.g. dropout) in an epoch, counted from 0."""
    return (seed + 0x9E3779B9 * (epoch + 1) + 0xBF58476D1CE4E5B9 * rank) % 2**63


class SeedEachEpoch(Callback):
    """Seed dropout and other draws by (seed, epoch, process), so that a resumed fit repeats them.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed before the first batch: Lightning itself draws once more at the epoch's start."""
        if batch_idx == 0:
            seed = epoch_seed(self._seed, trainer.current_epoch, trainer.global_rank)
            if module.device.type == "cpu":
                # torch.manual_seed would also record a stack trace for CUDA, if it is not in use:
                # half the time of an update of a small network.
                torch.default_generator.manual_seed(seed)
            else:
                torch.manual_seed(seed)


class OwnSignals(Callback):
    """Keep the stage's handler of SIGTERM.

    Lightning's own handler makes a collective call with several processes, which waits for ever if
    one of them is dead.
    """

    def __init__(self) -> None:
        self._handler: Any = signal.SIG_DFL

    def setup(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Remember the handler before Lightning replaces it."""
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Restore the handler."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)


class Progress(Callback):
    """Show the progress of a fit: a line rewritten in place on a terminal, few log lines elsewhere.

    Parameters
    ----------
    stage : str
    terminal : bool, optional
        By default whether standard error is one.
    seconds : float
        Least time between two log lines; an epoch gives at most one, unless it lasts 15 s.
    """

    def __init__(self, stage: str, *, terminal: bool | None = None, seconds: float = 3.0) -> None:
        self._stage = stage
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._seconds = seconds
        self._began = self._shown = time.monotonic()
        self._done_before = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock, perhaps in the middle of a fit."""
        self._began = self._shown = time.monotonic()
        self._done_before = batches_done(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show progress within an epoch."""
        if self._due(0.1 if self._terminal else 15.0):
            self._show(trainer)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Show the epoch's figures."""
        last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if last or self._due(0.1 if self._terminal else self._seconds):
            self._show(trainer)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Leave the last line on the terminal."""
        if self._terminal and trainer.is_global_zero:
            sys.stderr.write("\n")

    def _due(self, seconds: float) -> bool:
        return time.monotonic() - self._shown >= seconds

    def _show(self, trainer: Trainer) -> None:
        self._shown = time.monotonic()
        if not trainer.is_global_zero:
            return
        if self._terminal:
            sys.stderr.write(f"\r\x1b[2K{self.line(trainer)}")
            sys.stderr.flush()
        else:
            log.info("%s", self.line(trainer))

    def line(self, trainer: Trainer) -> str:
        """Return stage, epoch, share of batches done, losses and the time left."""
        done = batches_done(trainer)
        epochs = trainer.max_epochs or 1
        total = trainer.num_training_batches * epochs
        parts = [f"{self._stage}: epoch {min(trainer.current_epoch + 1, epochs)}/{epochs}"]
        if math.isfinite(total) and total > 0:
            parts.append(f"{100 * done / total:3.0f} %")
        shown = sorted(trainer.callback_metrics.items())
        parts += [f"{k} {float(v):.4g}" for k, v in shown if k.endswith(f"/{names.LOSS}")]
        if math.isfinite(total) and done < total:
            seconds = (time.monotonic() - self._began) / max(done - self._done_before, 1)
            left = seconds * (total - done)
            parts.append(f"at most {left:.0f} s left")
        return "  ".join(parts)
