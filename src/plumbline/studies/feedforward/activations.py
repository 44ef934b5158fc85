"""Train networks with each activation function, over depths, data sets and seeds.

Every function has its own learning rate, chosen on validation rows; test rows choose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plumbline.models import count_parameters
from plumbline.models.fnn import FeedForward
from plumbline.models.layers import seeded_weights
from plumbline.models.stacked import StackedNetworks
from plumbline.studies.feedforward.activation_functions import FLAT
from plumbline.studies.feedforward.datasets import loading, mnist_1d
from plumbline.studies.feedforward.deep.networks import gradient_norms
from plumbline.training.data_modules.examples import Examples
from plumbline.training.recipes.stack_training import StackPlan, cross_entropy, train_epochs

Progress = Callable[[int, int, str], None]

CLASSES = 10
SUITED, DEFAULT = "suited", "default"  # weights drawn for the function, or as torch draws them
_SUITED = dict.fromkeys(("sigmoid", "tanh", "identity"), "xavier_normal")  # others: He et al.
_PER_LAYER = 4  # modules of a hidden layer: linear, norm, activation, dropout


@dataclass(frozen=True)
class Data:
    """Rows of a data set; ``rest`` is divided into training and validation anew for each seed."""

    rest: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def split(self, numbers: Sequence[int], options: Any, seed: int) -> tuple[Examples, Examples]:
        """Return training and validation rows ``(S, M, F)`` of the seeds with these numbers."""
        inputs, targets = self.rest
        orders = [
            np.random.default_rng([seed, number]).permutation(len(targets)) for number in numbers
        ]
        order = torch.tensor(np.stack(orders))
        parts = torch.tensor_split(order, [options.train_rows], dim=1)
        train, val = (Examples(inputs[part], targets[part]) for part in parts)
        return train, val


def run(options: Any, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the results of each function, depth, data set and seed.

    Parameters
    ----------
    options : ActivationsParams
    seed : int
    progress : callable
        Takes the number of fits done, their total, and a text.

    Returns
    -------
    DataFrame
        ``data, function, depth, init`` (``suited`` or torch's ``default``), ``seed``; ``rate``
        (chosen learning rate), ``accuracy`` (test rows), ``mean_accuracy`` (validation rows, mean
        over epochs), ``epochs`` and ``operations`` until the validation accuracy reached the
        threshold of the data (``operations``: 6 per weight and row, of products alone), both NaN
        if it never did, ``dead_share`` (of hidden units, whose derivative is below `FLAT` for
        every row after training) and ``gradient_slope`` (change of the decimal logarithm of the
        gradient norm per hidden layer towards the output, before training: above 0 the gradient
        vanishes on its way back).
    """
    settings = [
        (data, depth, function, init)
        for data in options.data
        for depth in options.depths
        for function in options.functions
        for init in (SUITED, DEFAULT)
        if init == SUITED or function in options.also_default
    ]
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    sources = {name: _load(name, options, seed) for name in options.data}
    found = []
    for done, (data, depth, function, init) in enumerate(settings):
        how = _SUITED.get(function, "he_normal") if init == SUITED else init
        build = partial(_build, depth=depth, width=options.width, activation=function, init=how)
        rows = _measure(sources[data], build, options, seed, threshold=options.thresholds[data])
        place = {"data": data, "function": function, "depth": depth, "init": init}
        found.append(rows.assign(**place))
        progress(done + 1, len(settings), f"{data}, {function}, depth {depth}")
    return pd.concat(found, ignore_index=True)


def _load(name: str, options: Any, seed: int) -> Data:
    kept = options.train_rows + options.val_rows
    if name == "digits":
        rows = loading.shuffled(name, seed)
        inputs, codes = rows.features, rows.targets
    else:
        inputs, codes = mnist_1d.generate(kept + options.test_rows, seed=seed)
    x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(codes, dtype=torch.int64)
    test = slice(kept, kept + options.test_rows)
    return Data((x[:kept], y[:kept]), (x[test], y[test]))


def _build(train: Examples, seeds: Sequence[int], *, depth: int, width: int, **how: str
           ) -> StackedNetworks:  # fmt: skip
    networks = []
    for inputs, seed in zip(train.inputs, seeds, strict=True):
        with seeded_weights(seed):
            network = FeedForward(
                inputs=inputs.shape[1], outputs=CLASSES, hidden=[width] * depth, dropout=0.0,
                drop_connect=0.0, norm="none", **how,
            )  # fmt: skip
        network.standardise.fit(inputs)
        networks.append(network)
    return StackedNetworks(networks)


def _measure(
    data: Data, build: Callable[..., StackedNetworks], options: Any, seed: int, *, threshold: float
) -> pd.DataFrame:
    """Choose the learning rate of a setting, and return a row per seed with it."""
    rate = _choose_rate(data, build, options, seed)
    numbers = list(range(options.seeds))
    train, val = data.split(numbers, options, seed)
    stack = build(train, _seeds(numbers, seed))
    slopes = gradient_slopes(stack, train)
    curve = _train(stack, train, val, options, _seeds(numbers, seed), rate=rate)
    reached = curve >= threshold
    epochs = np.where(reached.any(0), reached.argmax(0) + 1.0, np.nan)
    weights = count_parameters(stack) / len(stack)
    with torch.no_grad():
        right = stack(data.test[0][None]).argmax(2) == data.test[1]
    rows = pd.DataFrame(
        {
            "seed": numbers,
            "rate": rate,
            "accuracy": right.double().mean(1).numpy(),
            "mean_accuracy": curve.mean(0),
            "epochs": epochs,
            "operations": epochs * options.train_rows * 6 * weights,
            "dead_share": dead_shares(stack, train.inputs),
            "gradient_slope": slopes,
        }
    )
    reasons = {
        "epochs": f"validation accuracy stayed below {threshold:g}",
        "gradient_slope": "a gradient was 0 or not finite",
    }
    found = [
        "; ".join(text for name, text in reasons.items() if missing[name]) or None
        for missing in rows[list(reasons)].isna().to_dict("records")
    ]
    return rows.assign(reason=np.array(found, dtype=object))


def _choose_rate(
    data: Data, build: Callable[..., StackedNetworks], options: Any, seed: int
) -> float:
    """Return the learning rate of the grid with the highest mean validation accuracy."""
    numbers = list(range(options.tuning_seeds)) * len(options.rates)
    train, val = data.split(numbers, options, seed)
    stack, rates = build(train, _seeds(numbers, seed)), torch.tensor(options.rates)
    factors = rates.repeat_interleave(options.tuning_seeds)
    curve = _train(stack, train, val, options, _seeds(numbers, seed), rate=1.0, factors=factors)
    by_rate = curve.mean(0).reshape(len(options.rates), -1).mean(1)
    return float(options.rates[int(by_rate.argmax())])


def _train(
    stack: StackedNetworks, train: Examples, val: Examples, options: Any, seeds: Sequence[int],
    *, rate: float, factors: Tensor | None = None,
) -> np.ndarray[Any, np.dtype[np.float64]]:  # fmt: skip
    """Train a stack, and return the validation accuracy by epoch and network."""
    plan = StackPlan(
        optimizer=torch.optim.Adam(stack.parameters(), lr=rate, fused=True),
        losses=cross_entropy,
        batch_size=options.batch_size,
        epochs=options.epochs,
        rate_factors=factors,
    )
    curve = []
    for _ in train_epochs(stack, train, plan, seeds=seeds):
        with torch.no_grad():
            right = stack(val.inputs).argmax(2) == val.targets
        curve.append(right.double().mean(1).numpy())
    return np.stack(curve)


def gradient_slopes(stack: StackedNetworks, train: Examples) -> list[float]:
    """Return the least-squares slope of log10 of the gradient norm over the hidden layers.

    NaN for a network one of whose gradients is 0 or not finite.
    """
    _, norms, _ = gradient_norms(
        stack.eval(), lambda network: cross_entropy(network(train.inputs), train.targets)
    )
    stack.zero_grad()
    heights = norms.T.double().log10().numpy()
    layers = np.arange(len(heights)) - (len(heights) - 1) / 2
    heights[:, ~np.isfinite(heights).all(0)] = np.nan
    slopes = (layers[:, None] * heights).sum(0) / (layers**2).sum()
    return [float(slope) for slope in slopes]


def dead_shares(stack: StackedNetworks, inputs: Tensor) -> list[float]:
    """Return the share of hidden units whose derivative is below `FLAT` for every row."""
    network: Any = stack.eval().network
    x, dead = network.standardise(inputs), []
    for number, layer in enumerate(network.body):
        x = x.detach()
        if number % _PER_LAYER != 2:
            x = layer(x)
            continue
        before = x.requires_grad_()
        x = layer(before)
        (derivative,) = torch.autograd.grad(x.sum(), before)
        dead.append(derivative.abs().amax(1) < FLAT)
    return torch.cat(dead, dim=1).double().mean(1).tolist()


def _seeds(numbers: Sequence[int], seed: int) -> list[int]:
    """Return the seeds of networks from their numbers."""
    return [int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) for number in numbers]
