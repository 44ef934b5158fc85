"""Run the study of the basic network: approximation, layers without activation, output heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plumbline.studies.feedforward import piecewise
from plumbline.studies.feedforward.numpy_network.activations import Floats
from plumbline.studies.feedforward.numpy_network.network import initialise, predict, train

if TYPE_CHECKING:
    import torch

    from plumbline.params.feedforward import BasicsParams
    from plumbline.studies.framework.rows import Progress

COLUMNS = ("part", "case", "arm", "size", "measure", "seed", "value")
Row = tuple[str, str, str, int, str, int, float]

# On [-1, 1]: smooth, sharply curved in the middle, infinitely steep at 0.
FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "sine": lambda x: np.sin(2 * np.pi * x),
    "bump": lambda x: 1 / (1 + 25 * x**2),
    "root": lambda x: np.sqrt(np.abs(x)),
}


def run(options: BasicsParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return one value per row, with the columns ``COLUMNS``; sizes that do not apply are 0."""
    seeds = range(seed, seed + options.seeds)
    parts: dict[str, Iterator[Row]] = {
        "approximation": approximation_errors(options, seeds),
        "layers": layer_collapse(options, seeds),
        "exclusive or": exclusive_or(options, seeds),
        "heads": head_gradients(seeds),
    }
    rows: list[Row] = []
    for done, (name, part) in enumerate(parts.items(), start=1):
        rows += part
        progress(done, len(parts), name)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def approximation_errors(options: BasicsParams, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the errors of networks and of the best piecewise-linear functions between the points.

    The error is the root mean square over the standard deviation of the function. A network of
    width w has 3 w + 1 parameters, a function with K knots between its ends 2 K + 2.
    """
    x = np.linspace(-1, 1, options.points)
    between = (x[1:] + x[:-1]) / 2
    targets = np.stack([function(x) for function in FUNCTIONS.values()])
    expected = np.stack([function(between) for function in FUNCTIONS.values()])
    scales = expected.std(axis=1)
    for width in options.widths:
        fitted = _fit_networks(x, targets, between, width=width, seeds=seeds, options=options)
        for name, own, truth, scale, forecasts in zip(
            FUNCTIONS, targets, expected, scales, fitted, strict=True
        ):
            knots, values = piecewise.fit_knots(x, own, interior=(3 * width - 1) // 2)
            lines = np.interp(between, knots, values)
            for seed, forecast in zip(seeds, forecasts, strict=True):
                for arm, found in (("network", forecast), ("piecewise linear", lines)):
                    error = np.sqrt(np.mean((found - truth) ** 2)) / scale
                    yield "approximation", name, arm, width, "error", seed, float(error)


def _fit_networks(
    x: Floats,
    targets: Floats,
    between: Floats,
    *,
    width: int,
    seeds: Sequence[int],
    options: BasicsParams,
) -> Floats:
    """Return the outputs ``(functions, seeds, n - 1)`` of ReLU networks fitted by Adam."""
    import torch

    from plumbline.models.stacked import StackedNetworks

    networks = [_spread_network(width, seed) for _ in targets for seed in seeds]
    stack = StackedNetworks(networks)
    inputs = torch.from_numpy(x).float()[None, :, None]
    goals = torch.from_numpy(targets).float().repeat_interleave(len(seeds), dim=0)[:, :, None]
    descent = torch.optim.Adam(stack.parameters(), lr=options.lr, fused=True)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(descent, options.steps)
    for _ in range(options.steps):
        descent.zero_grad()
        (stack(inputs) - goals).square().mean(dim=(1, 2)).sum().backward()
        descent.step()
        decay.step()
    with torch.no_grad():
        outputs = stack(torch.from_numpy(between).float()[None, :, None])
    found: Floats = outputs.double().numpy().reshape(len(targets), len(seeds), -1)
    return found


def _spread_network(width: int, seed: int) -> torch.nn.Sequential:
    """Return a network whose kinks lie evenly distributed in [-1, 1], with weights of He."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    first, last = nn.Linear(1, width), nn.Linear(width, 1)
    with torch.no_grad():
        first.weight.normal_(0, 2**0.5, generator=generator)
        kinks = torch.empty(width).uniform_(-1, 1, generator=generator)
        first.bias.copy_(-first.weight[:, 0] * kinks)
        last.weight.normal_(0, (2 / width) ** 0.5, generator=generator)
        last.bias.zero_()
    return nn.Sequential(first, nn.ReLU(), last)


def layer_collapse(options: BasicsParams, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield how far deep networks are from one affine layer.

    ``collapse error`` is the largest difference of the outputs of linear layers from those of the
    product of their weights, over the largest output. ``nonlinear share`` is the share of the
    outputs' variance that the best affine function of the inputs leaves.
    """
    rows, width = 256, options.layer_width
    for depth in options.depths:
        for seed in seeds:
            x = np.random.default_rng(seed).standard_normal((rows, width))
            for arm in ("identity", "relu"):
                network = initialise(
                    (width,) * (depth + 1), activation=arm, head="regression", seed=seed
                )
                outputs = predict(network, x)
                if arm == "identity":
                    single = _product(network.layers)
                    flat = x @ single[:, :-1].T + single[:, -1]
                    error = np.abs(outputs - flat).max() / np.abs(outputs).max()
                    yield "layers", "one layer", arm, depth, "collapse error", seed, float(error)
                share = _nonlinear_share(x, outputs)
                yield "layers", "one layer", arm, depth, "nonlinear share", seed, share


def _product(layers: Sequence[Floats]) -> Floats:
    """Return the one layer that linear layers amount to, bias last."""
    whole = layers[0]
    for weights in layers[1:]:
        whole = weights[:, :-1] @ whole
        whole[:, -1] += weights[:, -1]
    return whole


def _nonlinear_share(x: Floats, outputs: Floats) -> float:
    design = np.hstack([x, np.ones((len(x), 1))])
    left = outputs - design @ np.linalg.lstsq(design, outputs, rcond=None)[0]
    total = outputs - outputs.mean(axis=0)
    return float(np.sum(left**2) / np.sum(total**2))


def exclusive_or(options: BasicsParams, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the accuracy on the four cases of exclusive or, with and without an activation."""
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([0, 1, 1, 0])
    for seed in seeds:
        for arm in ("identity", "relu"):
            network = initialise((2, 8, 8, 1), activation=arm, head="binary", seed=seed)
            train(network, x, y, lr=0.1, epochs=options.logic_epochs)
            accuracy = np.mean((predict(network, x)[:, 0] > 0.5) == y)
            yield "exclusive or", "accuracy", arm, 0, "accuracy", seed, float(accuracy)


def head_gradients(seeds: Sequence[int]) -> Iterator[Row]:
    """Yield how the gradient of a loss by the last sums compares to prediction - target.

    By autograd, in double precision: ``factor`` is the least-squares ratio of the gradient to
    prediction - target; the errors are the largest differences of the gradient from prediction -
    target, and from ``factor`` times it.
    """
    for seed in seeds:
        for name, (gradient, difference) in _heads(seed).items():
            factor = float((gradient * difference).sum() / np.square(difference).sum())
            yield "heads", name, "autograd", 0, "factor", seed, factor
            for of, scale in (("plain", 1.0), ("scaled", factor)):
                error = float(np.abs(gradient - scale * difference).max())
                yield "heads", name, "autograd", 0, f"error from {of} difference", seed, error


def _heads(seed: int) -> dict[str, tuple[Floats, Floats]]:
    """Return the gradient of the summed loss by the last sums, and prediction - target, by head."""
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(seed)
    z, values = torch.randn(2, 64, 4, generator=generator, dtype=torch.float64)
    codes = torch.randint(2, (64, 4), generator=generator).double()
    classes = torch.randint(4, (64,), generator=generator)
    z.requires_grad_()
    probability = z.sigmoid()
    losses = {
        "binary": functional.binary_cross_entropy_with_logits(z, codes, reduction="sum"),
        "multi-class": functional.cross_entropy(z, classes, reduction="sum"),
        "regression": functional.mse_loss(z, values, reduction="sum"),
        "sigmoid and squared error": functional.mse_loss(probability, codes, reduction="sum"),
    }
    differences = (
        probability - codes,
        z.softmax(dim=1) - functional.one_hot(classes, 4),
        z - values,
        probability - codes,
    )
    return {
        name: (torch.autograd.grad(loss, z, retain_graph=True)[0].numpy(), error.detach().numpy())
        for (name, loss), error in zip(losses.items(), differences, strict=True)
    }
