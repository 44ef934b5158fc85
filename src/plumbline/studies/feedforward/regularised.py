"""Networks of the study of overfitting, and how they are trained with each technique."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.models import layers
from plumbline.models.stacked import StackedNetworks
from plumbline.tasks.optimisation import learning_rate_factor
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.stack_training import StackPlan

SIDE = 8  # pixels of a digit


def build(train: Examples, seeds: Sequence[int], technique: Any) -> StackedNetworks:
    """Return a network for each seed, with the statistics of its training rows ``(M, F)``."""
    networks = []
    for inputs, seed in zip(train.inputs, seeds, strict=True):
        with layers.seeded_weights(seed):
            standardise = layers.Standardise(inputs.shape[1])
            standardise.fit(inputs)
            body: list[nn.Module] = [standardise, layers.GaussianNoise(technique.noise)]
            width = inputs.shape[1]
            for _ in range(technique.layers):
                bias = technique.norm != "batch"
                hidden = [
                    layers.DropConnect(
                        width, technique.width, share=technique.drop_connect, bias=bias
                    ),
                    layers.norm(technique.norm, technique.width),
                    nn.ReLU(),
                    nn.Dropout(technique.dropout),
                ]
                is_residual = technique.residual and width == technique.width
                body += [layers.Residual(*hidden)] if is_residual else hidden
                width = technique.width
            head = nn.Linear(width, train.targets.shape[2])
            networks.append(nn.Sequential(*body, head))
    return StackedNetworks(networks)


def plan(
    stack: StackedNetworks, train: Examples, technique: Any, options: Any, classes: bool, seed: int
) -> StackPlan:
    """Return how a stack is trained with a technique."""
    optimizer = torch.optim.Adam(stack.parameters(), lr=options.lr, fused=True)
    matrices = [value for value in stack.parameters() if value.ndim == 3]

    def losses(outputs: Tensor, targets: Tensor, _: Tensor | None) -> Tensor:
        found = of_logits(outputs, smooth(targets, technique.smoothing), classes)
        if technique.l1:
            found = found + technique.l1 * sum(w.abs().sum((1, 2)) for w in matrices)
        if technique.l2:
            found = found + technique.l2 * sum(w.square().sum((1, 2)) for w in matrices)
        return found

    total = options.epochs * math.ceil(train.targets.shape[1] / options.batch_size)
    factor = partial(learning_rate_factor, total=total, warmup=0, schedule=technique.schedule)
    return StackPlan(
        optimizer=optimizer,
        losses=losses,
        batch_size=options.batch_size,
        epochs=options.epochs,
        scheduler=torch.optim.lr_scheduler.LambdaLR(optimizer, factor),
        transform=partial(
            transform, shift=technique.shift, mixup=technique.mixup,
            rng=np.random.default_rng([seed, 1]),
        ),
    )  # fmt: skip


def transform(
    inputs: Tensor, targets: Tensor, *, shift: int, mixup: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Move digits by up to ``shift`` pixels; mix rows with others by shares from a beta law."""
    if shift:
        images = functional.pad(inputs.reshape(*inputs.shape[:2], SIDE, SIDE), [shift] * 4)
        down, right = torch.tensor(rng.integers(2 * shift + 1, size=(2, *inputs.shape[:2], 1, 1)))
        steps = torch.arange(SIDE)
        wide = images.shape[-1]
        images = images.gather(2, (down + steps[:, None]).expand(-1, -1, -1, wide))
        images = images.gather(3, (right + steps).expand(-1, -1, SIDE, -1))
        inputs = images.flatten(2)
    if mixup:
        share = torch.tensor(rng.beta(mixup, mixup, (*inputs.shape[:2], 1)), dtype=inputs.dtype)
        other = torch.tensor(rng.permutation(inputs.shape[1]))
        inputs, targets = (share * x + (1 - share) * x[:, other] for x in (inputs, targets))
    return inputs, targets


def smooth(targets: Tensor, share: float) -> Tensor:
    """Return targets ``(…, K)`` with a share spread evenly over all classes."""
    return targets if not share else (1 - share) * targets + share / targets.shape[-1]


def of_logits(outputs: Tensor, targets: Tensor, classes: bool) -> Tensor:
    """Return the mean loss per network of logits or values: ``(S, N, K)`` → ``(S,)``."""
    return losses_of(outputs.log_softmax(-1) if classes else outputs, targets, classes)


def losses_of(outputs: Tensor, targets: Tensor, classes: bool) -> Tensor:
    """Return the mean loss per network of log-probabilities or values: ``(S, N, K)`` → ``(S,)``."""
    rows = -(targets * outputs).sum(-1) if classes else (outputs - targets).square().sum(-1)
    return rows.mean(-1)


def mean_of_members(outputs: Tensor, members: int, classes: bool) -> Tensor:
    """Return the ensembles' log-probabilities or values from the outputs of their members."""
    each = outputs.reshape(-1, members, *outputs.shape[1:])
    if classes:
        return each.log_softmax(-1).logsumexp(1) - math.log(members)
    return each.mean(1)


def prune(stack: StackedNetworks, share: float) -> None:
    """Set the smallest weights of each matrix of each network to zero."""
    for value in stack.parameters():
        if value.ndim == 3 and share:
            sizes = value.abs().flatten(1)
            limits = sizes.kthvalue(max(1, int(share * sizes.shape[1])), dim=1).values
            value.mul_(value.abs() > limits[:, None, None])
