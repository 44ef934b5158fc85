"""Callbacks of fine-tuning: open further parts of the network, average its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from plumbline.errors import ParamsError
from plumbline.models.pretrained import import_timm


class OneProcess(Callback):
    """Refuse several processes: they agree on what is trained before the fit begins."""

    def setup(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Check the number of processes."""
        if trainer.world_size > 1:
            raise ParamsError(
                "finetune: trainer.devices must be 1 where parts of a network are frozen or its "
                f"weights averaged, got {trainer.world_size} processes; use one, or the strategy "
                "full"
            )


class OpenParts(OneProcess):
    """Freeze and open parts of a network at the start of every epoch, and where a fit resumes.

    Parameters
    ----------
    open_parts : callable
        Takes the epoch, from 0.
    """

    def __init__(self, open_parts: Callable[[int], None]) -> None:
        self._open_parts = open_parts

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Set the parts of the epoch in which a fit resumes: it may be in its middle."""
        self._open_parts(trainer.current_epoch)

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Set the parts of the epoch."""
        self._open_parts(trainer.current_epoch)


class AverageWeights(OneProcess):
    """Keep a moving average of the weights over updates, which the network has after the fit.

    Validations before the end are those of the weights themselves.

    Parameters
    ----------
    network : nn.Module
    decay : float
        Weight of the average so far in each update, in (0, 1).
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self._network, self._decay = network, decay
        self._average: Any = None
        self._step = 0
        self._restored: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Copy the network, which is on its device by now, or continue the average."""
        import_timm()
        from timm.utils import ModelEmaV3

        self._average = ModelEmaV3(self._network, decay=self._decay)
        if self._restored is not None:
            self._average.module.load_state_dict(self._restored)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the weights after an update."""
        if trainer.global_step > self._step:
            self._step = trainer.global_step
            self._average.update(self._network)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Replace the weights by their average."""
        self._network.load_state_dict(self._average.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Return the average for a checkpoint."""
        return {"weights": self._average.module.state_dict(), "step": self._step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the average of a checkpoint."""
        self._restored, self._step = state_dict["weights"], state_dict["step"]
