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
from plumbline.training.engine.bundles import batches_done

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
            if isinstance(loss, torch.Tensor) and not bool(torch.isfinite(loss).all()):
                values = loss.flatten().tolist()  # one of each batch of the pass
                first = next(i for i, value in enumerate(values) if not math.isfinite(value))
                at = batches_done(trainer) - len(values) + first + 1
                self._stop(f"training {name}", f"{values[first]} at batch {at}", trainer)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Check the loss of one validation."""
        name = names.metric(names.VAL, names.LOSS)
        loss = trainer.callback_metrics.get(name)
        if loss is not None and not math.isfinite(loss):
            self._stop("validation loss", str(float(loss)), trainer)

    def _stop(self, what: str, got: str, trainer: Trainer) -> None:
        raise TrainingError(
            f"{self._stage}: {what} must be finite, got {got} (epoch {trainer.current_epoch}); "
            "lower the learning rate, clip gradients, or look for extreme values in the data"
        )


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed of what a process draws within an epoch, from 0, of a fit."""
    return (seed + 0x9E3779B9 * (epoch + 1) + 0xBF58476D1CE4E5B9 * rank) % 2**63


class SeedEachEpoch(Callback):
    """Make dropout and other draws a function of (seed, epoch), so that a resumed fit repeats them.

    Each of several processes draws its own.

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
                # Without a GPU in use torch.manual_seed notes down where it was called from, for
                # the day that there is one: half an update of a small network.
                torch.default_generator.manual_seed(seed)
            else:
                torch.manual_seed(seed)


class OwnSignals(Callback):
    """Answer SIGTERM as the stage does.

    Lightning's answer with several processes is a collective call, in which they wait for each
    other wherever they are, and for one that is dead.
    """

    def __init__(self) -> None:
        self._handler: Any = signal.SIG_DFL

    def setup(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Remember the handler before Lightning lays its own over it."""
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Put it back."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)


class Progress(Callback):
    """Show where a fit is: a line rewritten in place on a terminal, few log lines elsewhere.

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
        self._done_before = trainer.fit_loop.total_batch_idx + 1

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
        done = trainer.fit_loop.total_batch_idx + 1
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
