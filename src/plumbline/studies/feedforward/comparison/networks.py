"""Fit networks, many seeds at once.

Shape letters: ``S`` networks, ``N`` rows, ``F`` features, ``C`` channels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from plumbline.models.fnn import FeedForward
from plumbline.models.layers import seeded_weights
from plumbline.models.stacked import StackedNetworks
from plumbline.studies.feedforward.comparison.fitted import Fitted, Floats, Ints, Split
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.stack_training import (
    BestEpoch,
    StackPlan,
    cross_entropy,
    train_epochs,
)

FNN, CNN = "fnn", "cnn"
SIDE = 8  # pixels of a digit
_CHECKS = 30  # validations of a fit


class ConvolutionBlock(nn.Module):
    """3×3 convolution → ReLU → 2×2 maximum, by matrix products, which the stacked engine knows.

    Maps are rows: ``side`` × ``side`` places one after another, with their channels.

    Parameters
    ----------
    side : int
        Height and width of the maps, even.
    inputs, outputs : int
        Channels.
    """

    def __init__(self, side: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.side = side
        self.products = nn.Linear(9 * inputs, outputs)  # weights: by place, then channel

    def forward(self, x: Tensor) -> Tensor:
        """``(…, N, side² C)`` → ``(…, N, side²/4 outputs)``."""
        side, half = self.side, self.side // 2
        maps = functional.pad(x.reshape(*x.shape[:-1], side, side, -1), (0, 0, 1, 1, 1, 1))
        shifts = [maps[..., i : i + side, j : j + side, :] for i in range(3) for j in range(3)]
        found: Tensor = self.products(torch.cat(shifts, dim=-1).flatten(-4, -2)).relu()
        cells = found.reshape(*found.shape[:-2], -1, half, 2, half, 2, found.shape[-1])
        rows = torch.maximum(cells[..., 0, :, :, :], cells[..., 1, :, :, :])
        return torch.maximum(rows[..., 0, :], rows[..., 1, :]).flatten(-3)


def fit(
    kind: str, setting: Mapping[str, float], data: Split, draws: Sequence[Ints], options: Any,
    seeds: Sequence[int],
) -> list[Fitted]:  # fmt: skip
    """Return a network for each seed, at the epoch with the lowest validation loss.

    Training ends when the loss has not fallen for a third of all epochs; its cost counts to there.

    Parameters
    ----------
    kind : {'fnn', 'cnn'}
    setting : mapping
        The learning ``rate``.
    data : Split
    draws : sequence of arrays
        Numbers of the training rows of each seed in ``data.rest``, equally many.
    options : ClassicalVsDeepParams
    seeds : sequence of int
        Of initial weights and order.
    """
    started, chosen = time.perf_counter(), np.stack(draws)
    train = Examples(*(_tensor(part[chosen]) for part in data.rest))
    networks = [
        _build(kind, data, inputs, options, seed)
        for inputs, seed in zip(train.inputs, seeds, strict=True)
    ]
    stack = StackedNetworks(networks)
    epochs = _train(stack, train, data, options, seeds, rate=setting["rate"])
    seconds = (time.perf_counter() - started) / len(seeds)
    for number, network in enumerate(networks):
        network.load_state_dict(stack.member(number))
    updates = 6.0 * products(networks[0]) * chosen.shape[1]
    return [
        Fitted(
            partial(_no_grad, network, values), partial(_predict, network, data.classes),
            len(save(network.state_dict())), updates * of_seed, 2.0 * products(network), seconds,
            network,
        )
        for network, of_seed in zip(networks, epochs, strict=True)
    ]  # fmt: skip


def products(network: nn.Module) -> int:
    """Return the products of weights and inputs of one row."""
    count = 0
    for module in network.modules():
        if isinstance(module, nn.Linear):
            count += module.weight.numel()
        if isinstance(module, ConvolutionBlock):  # at every place, of which one is counted
            count += (module.side**2 - 1) * module.products.weight.numel()
    return count


def values(network: nn.Module, x: Tensor) -> Tensor:
    """Return the predicted number, or the log-odds of the second of two classes: ``(N,)``."""
    outputs: Tensor = network(x)
    return outputs[:, -1] - outputs[:, 0] if outputs.shape[1] > 1 else outputs[:, 0]


def _predict(network: nn.Module, classes: int, x: Floats) -> npt.NDArray[Any]:
    return _no_grad(network, (lambda of, rows: of(rows).argmax(1)) if classes else values, x)


@torch.no_grad()
def _no_grad(network: nn.Module, of: Any, x: Floats) -> npt.NDArray[Any]:
    found: Tensor = of(network.eval(), _tensor(x))
    return found.numpy()


def _build(kind: str, data: Split, inputs: Tensor, options: Any, seed: int) -> nn.Module:
    outputs = max(1, data.classes)
    with seeded_weights(seed):
        if kind == CNN:
            first, second = options.channels
            side = SIDE // 4
            return nn.Sequential(
                ConvolutionBlock(SIDE, 1, first),
                ConvolutionBlock(SIDE // 2, first, second),
                nn.Linear(side**2 * second, options.hidden[-1]),
                nn.ReLU(),
                nn.Linear(options.hidden[-1], outputs),
            )
        network = FeedForward(
            inputs=inputs.shape[1], outputs=outputs, hidden=options.hidden,
            activation=options.activation, dropout=0.0, norm="none", init="default",
        )  # fmt: skip
    if data.standardise:
        network.standardise.fit(inputs)
    return network


def _train(
    stack: StackedNetworks, train: Examples, data: Split, options: Any, seeds: Sequence[int],
    *, rate: float,
) -> list[int]:  # fmt: skip
    """Train a stack, leave each network at its best epoch, and return when each one stopped."""
    inputs, targets = (_tensor(part) for part in data.val)
    losses = cross_entropy if data.classes else _squares
    batches = math.ceil(train.targets.shape[1] / options.batch_size)
    epochs = math.ceil(options.updates / batches)
    plan = StackPlan(
        optimizer=torch.optim.Adam(stack.parameters(), lr=rate, fused=True),
        losses=losses,
        batch_size=options.batch_size,
        epochs=epochs,
    )
    patience, every = max(1, epochs // 3), max(1, epochs // _CHECKS)
    best = BestEpoch(stack, patience=patience)
    for epoch, _ in enumerate(train_epochs(stack, train, plan, seeds=seeds), start=1):
        if epoch % every == 0 or epoch == epochs:
            with torch.no_grad():
                found = losses(stack(inputs[None]), targets.expand(len(stack), -1), None)
            best.update(stack, found, epoch)
        if not best.running.any():
            break
    stack.network.load_state_dict(best.state)
    return [min(epoch + patience, epochs) for epoch in best.epochs]


def _squares(outputs: Tensor, targets: Tensor, _: Tensor | None) -> Tensor:
    return (outputs[..., 0] - targets).square().mean(1)


def _tensor(values: npt.NDArray[Any]) -> Tensor:
    """Return an array as a tensor; numbers in single precision, class codes as they are."""
    found = torch.from_numpy(np.ascontiguousarray(values))
    return found.float() if found.is_floating_point() else found.long()
