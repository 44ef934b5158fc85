"""Optimiser and learning rate schedule of a task, from its block ``optimisation``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import nn

from plumbline.params.models import Optimisation


def learning_rate_factor(step: int, *, total: int, warmup: int, schedule: str) -> float:
    """Return the factor on the learning rate for the update after ``step`` updates.

    Parameters
    ----------
    step : int
        Number of updates so far, 0…total.
    total, warmup : int
        Number of all updates, and of those with a linearly rising rate at the start.
    schedule : {'constant', 'cosine', 'step', 'exponential'}
        After them. ``cosine``: half a cosine down to 0 ("SGDR", Loshchilov and Hutter 2017,
        equation 5, one period). ``step``: a tenth after each third. ``exponential``: to a hundredth
        at the end.

    Returns
    -------
    float
        In [0, 1]; above 0 at step 0.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    done = min((step - warmup) / max(1, total - warmup), 1.0)
    if schedule == "step":
        return float(0.1 ** min(3 * (step - warmup) // max(1, total - warmup), 2))
    if schedule == "exponential":
        return float(0.01**done)
    return 0.5 * (1 + math.cos(math.pi * done))


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]],
    *,
    lr: float,
    weight_decay: float,
    lr_scale: Callable[[str], float] = lambda name: 1.0,
    stacked: bool = False,
) -> list[dict[str, Any]]:
    """Group trainable parameters by learning rate and decay.

    Weight decay applies to matrices only, not to vectors (biases, gains and shifts of
    normalisation): it would pull gains to 0, which makes no function smoother.

    Parameters
    ----------
    named : iterable of (str, Parameter)
    lr, weight_decay : float
    lr_scale : callable
        Factor on the learning rate by parameter name.
    stacked : bool
        Whether parameters have an axis of networks first, see `plumbline.models.stacked`.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        if parameter.requires_grad:
            decay = weight_decay if parameter.ndim > 1 + stacked else 0.0
            groups.setdefault((lr * lr_scale(name), decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


@torch.no_grad()
def add_l1_gradient(optimizer: torch.optim.Optimizer, weight: float) -> None:
    """Add the gradient of ``weight`` times the sum of absolute weights to the gradients.

    It is the weight times the sign, 0 at 0: single weights become small, but rarely exactly 0.
    Matrices alone count, as for weight decay. Logged losses do not contain the penalty.
    """
    for group in optimizer.param_groups if weight else ():
        for parameter in group["params"]:
            if parameter.grad is not None and parameter.ndim > 1:
                parameter.grad.add_(parameter.sign(), alpha=weight)


def configure(
    groups: list[dict[str, Any]],
    settings: Optimisation,
    *,
    total_steps: int,
    fused: bool = True,
) -> dict[str, Any]:
    """Return the result of ``LightningModule.configure_optimizers``; the schedule steps per update.

    Parameters
    ----------
    groups : list of dict
        See `parameter_groups`.
    settings : Optimisation
    total_steps : int
        Updates of the whole fit, ``trainer.estimated_stepping_batches``.
    fused : bool
        Use one kernel for all parameters, at a third of the cost of a small step. Lightning cannot
        clip gradients with it under 16-bit loss scaling.
    """
    optimizer: torch.optim.Optimizer
    if settings.optimizer == "sgd":
        optimizer = torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True)
    else:
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        betas = (0.9, settings.beta2)
        optimizer = kinds[settings.optimizer](groups, lr=settings.lr, betas=betas, fused=fused)
    factor = partial(
        learning_rate_factor,
        total=total_steps,
        warmup=round(settings.warmup_fraction * total_steps),
        schedule=settings.schedule,
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
