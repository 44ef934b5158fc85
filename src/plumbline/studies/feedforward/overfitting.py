"""Train a network that overfits, with each technique against overfitting, and with several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.metrics.scores.classification import expected_calibration_error
from plumbline.models import layers
from plumbline.models.stacked import StackedNetworks
from plumbline.studies.feedforward.datasets import loading
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.stack_training import BestEpoch, StackPlan, train_epochs

Progress = Callable[[int, int, str], None]

SIDE = 8  # pixels of a digit


@dataclass(frozen=True)
class Data:
    """Rows of a data set: training rows are drawn from ``rest``; targets are ``(M, K)``."""

    rest: Examples
    test: Examples
    classes: bool

    def draw(self, numbers: Sequence[int], count: int, seed: int) -> Examples:
        """Return ``count`` training rows for each of the seeds with these numbers."""
        total = len(self.rest.targets)
        orders = [np.random.default_rng([seed, n]).permutation(total)[:count] for n in numbers]
        chosen = torch.tensor(np.stack(orders))
        return Examples(self.rest.inputs[chosen], self.rest.targets[chosen])


def run(options: Any, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the results of each technique, data set and seed.

    Parameters
    ----------
    options : OverfittingParams
    seed : int
    progress : callable
        Takes the number of fits done, their total, and a text.

    Returns
    -------
    DataFrame
        ``data, technique, seed``; ``train_loss`` and ``test_loss`` (nats, or mean squared error in
        units of the targets' variance), ``gap`` (their difference), and for digits ``accuracy`` and
        ``calibration_error`` (expected, over bins) of the test rows.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    settings = [
        (source, name)
        for source in options.data
        for name in options.techniques
        if name not in options.left_out.get(source, ())
    ]
    found = []
    for done, (source, name) in enumerate(settings):
        changes = options.techniques[name]
        technique = options.base.model_copy(update=dict(changes))
        rows = _measure(_load(source, options, seed), technique, options, seed)
        found.append(rows.assign(data=source, technique=name))
        progress(done + 1, len(settings), f"{source}, {name}")
    return pd.concat(found, ignore_index=True)


def _load(source: str, options: Any, seed: int) -> Data:
    rows = loading.shuffled(source, seed)
    x = torch.tensor(rows.features, dtype=torch.float32)
    y = torch.tensor(rows.targets)
    if rows.classes:
        y = functional.one_hot(y.long()).float()
    else:
        y = ((y - y.mean()) / y.std())[:, None].float()
    test = slice(0, options.test_rows[source])
    rest = slice(options.test_rows[source], None)
    return Data(Examples(x[rest], y[rest]), Examples(x[test], y[test]), rows.classes > 0)


def _measure(data: Data, technique: Any, options: Any, seed: int) -> pd.DataFrame:
    members = technique.members
    numbers = [number for number in range(options.seeds) for _ in range(members)]
    seeds = [
        int(np.random.SeedSequence([seed, number, place % members]).generate_state(1)[0])
        for place, number in enumerate(numbers)
    ]
    drawn = data.draw(numbers, technique.rows, seed)
    train, val = drawn, None
    if technique.stop:
        kept = technique.rows - technique.rows // 5
        train, val = (
            Examples(drawn.inputs[:, part], drawn.targets[:, part])
            for part in (slice(kept), slice(kept, None))
        )
    stack = _build(train, seeds, technique)
    _train(stack, train, val, technique, options, seeds=seeds, seed=seed, classes=data.classes)
    with torch.no_grad():
        _prune(stack, technique.prune)
        outputs = [
            _mean_of_members(stack(part), members, data.classes)
            for part in (drawn.inputs, data.test.inputs[None])
        ]
    of_train, of_test = (
        _losses(found, targets, data.classes).numpy()
        for found, targets in zip(
            outputs, (drawn.targets[::members], data.test.targets[None]), strict=True
        )
    )
    rows = pd.DataFrame(
        {
            "seed": range(options.seeds),
            "train_loss": of_train,
            "test_loss": of_test,
            "gap": of_test - of_train,
        }
    ).astype({"train_loss": float, "test_loss": float, "gap": float})
    if not data.classes:
        reason = "a regression has no classes"
        return rows.assign(accuracy=math.nan, calibration_error=math.nan, reason=reason)
    codes = data.test.targets.argmax(1)
    probabilities = outputs[1].exp().double()
    right = probabilities.argmax(2) == codes
    ones = np.ones((len(codes), 1))
    errors = [
        float(expected_calibration_error(codes.numpy(), of_seed.numpy(), weights=ones)[0])
        for of_seed in probabilities
    ]
    accuracy = right.double().mean(1).numpy()
    return rows.assign(accuracy=accuracy, calibration_error=errors, reason=None)


def _build(train: Examples, seeds: Sequence[int], technique: Any) -> StackedNetworks:
    networks = []
    for inputs, seed in zip(train.inputs, seeds, strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            standardise = layers.Standardise(inputs.shape[1])
            standardise.fit(inputs)
            body: list[nn.Module] = [standardise, layers.GaussianNoise(technique.noise)]
            width = inputs.shape[1]
            for _ in range(technique.layers):
                bias = technique.norm != "batch"
                hidden = [
                    nn.Linear(width, technique.width, bias=bias),
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


def _train(
    stack: StackedNetworks, train: Examples, val: Examples | None, technique: Any, options: Any,
    *, seeds: Sequence[int], seed: int, classes: bool,
) -> None:  # fmt: skip
    optimizer = torch.optim.Adam(stack.parameters(), lr=options.lr, fused=True)
    matrices = [value for value in stack.parameters() if value.ndim == 3]

    def losses(outputs: Tensor, targets: Tensor, _: Tensor | None) -> Tensor:
        found = _of_logits(outputs, _smooth(targets, technique.smoothing), classes)
        if technique.l1:
            found = found + technique.l1 * sum(w.abs().sum((1, 2)) for w in matrices)
        if technique.l2:
            found = found + technique.l2 * sum(w.square().sum((1, 2)) for w in matrices)
        return found

    total = options.epochs * math.ceil(train.targets.shape[1] / options.batch_size)
    plan = StackPlan(
        optimizer=optimizer,
        losses=losses,
        batch_size=options.batch_size,
        epochs=options.epochs,
        scheduler=_schedule(optimizer, technique.schedule, total),
        transform=partial(
            _transform, shift=technique.shift, mixup=technique.mixup,
            rng=np.random.default_rng([seed, 1]),
        ),
    )  # fmt: skip
    best = BestEpoch(stack, patience=options.patience)
    for epoch, _ in enumerate(train_epochs(stack, train, plan, seeds=seeds)):
        if val is None:
            continue
        with torch.no_grad():
            best.update(stack, _of_logits(stack(val.inputs), val.targets, classes), epoch)
        if not best.running.any():
            break
    if val is not None:
        stack.network.load_state_dict(best.state)


def _transform(
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


def _schedule(
    optimizer: torch.optim.Optimizer, name: str, total: int
) -> torch.optim.lr_scheduler.LRScheduler | None:
    """Return a schedule that ends at about a hundredth of the rate, or None for a constant one."""
    schedules = torch.optim.lr_scheduler
    if name == "step":
        return schedules.StepLR(optimizer, step_size=math.ceil(total / 3), gamma=0.1)
    if name == "exponential":
        return schedules.ExponentialLR(optimizer, gamma=0.01 ** (1 / total))
    if name == "cosine":
        return schedules.CosineAnnealingLR(optimizer, T_max=total)
    return None


def _smooth(targets: Tensor, share: float) -> Tensor:
    return targets if not share else (1 - share) * targets + share / targets.shape[-1]


def _of_logits(outputs: Tensor, targets: Tensor, classes: bool) -> Tensor:
    return _losses(outputs.log_softmax(-1) if classes else outputs, targets, classes)


def _losses(outputs: Tensor, targets: Tensor, classes: bool) -> Tensor:
    """Return the mean loss per network of log-probabilities or values: ``(S, N, K)`` → ``(S,)``."""
    rows = -(targets * outputs).sum(-1) if classes else (outputs - targets).square().sum(-1)
    return rows.mean(-1)


def _mean_of_members(outputs: Tensor, members: int, classes: bool) -> Tensor:
    """Return the ensembles' log-probabilities or values from the outputs of their members."""
    each = outputs.reshape(-1, members, *outputs.shape[1:])
    if classes:
        return each.log_softmax(-1).logsumexp(1) - math.log(members)
    return each.mean(1)


def _prune(stack: StackedNetworks, share: float) -> None:
    """Set the smallest weights of each matrix of each network to zero."""
    for value in stack.parameters():
        if value.ndim == 3 and share:
            sizes = value.abs().flatten(1)
            limits = sizes.kthvalue(max(1, int(share * sizes.shape[1])), dim=1).values
            value.mul_(value.abs() > limits[:, None, None])
