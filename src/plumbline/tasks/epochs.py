"""What a task says of an epoch, to the callbacks and the logger of its trainer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pytorch_lightning import LightningModule
from torch import Tensor


def record(module: LightningModule, values: Mapping[str, Tensor | float]) -> None:
    """Hand on the values of an epoch, under the number of the last update, from 0.

    What ``LightningModule.log`` does with values that are already those of the whole epoch, for a
    tenth of its time: it costs a quarter of a millisecond a value, half an update of a small
    network. For tasks whose every update is one of ``global_step``.

    Parameters
    ----------
    module : LightningModule
        In a hook at the end of an epoch.
    values : mapping
        By metric name; the same in all processes.
    """
    trainer = module.trainer
    found = {name: torch.as_tensor(value).detach() for name, value in values.items()}
    trainer.callback_metrics.update(found)
    plain = {name: value.item() for name, value in found.items()}
    step = trainer.global_step - 1
    for logger in trainer.loggers:
        logger.log_metrics({**plain, "epoch": trainer.current_epoch}, step=step)
