"""Run the study of the network from scratch: worked example, gradients, Iris, modes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline.studies.feedforward import scratch_torch
from plumbline.studies.feedforward.numpy_network.activations import ACTIVATIONS, Floats
from plumbline.studies.feedforward.numpy_network.heads import HEADS, Targets
from plumbline.studies.feedforward.numpy_network.network import (
    Network,
    gradients,
    initialise,
    predict,
    train,
)

if TYPE_CHECKING:
    from plumbline.params.feedforward import ScratchParams
    from plumbline.studies.framework.rows import Progress

COLUMNS = ("part", "case", "arm", "size", "measure", "seed", "value")
Row = tuple[str, str, str, int, str, int, float]

# The printed numbers of the chapter's worked example, with the place of the last digit.
PRINTED = {"∂L/∂w2": (-0.393, 3), "∂L/∂w1": (-0.211, 3), "new w2": (1.0039, 4),
           "new w1": (0.5021, 4)}  # fmt: skip
MODELS = ("network", "logistic regression", "majority class")
STEP, AGREEMENT = 3e-6, 3e-9  # of finite differences
LARGEST_SUM = 2.0  # of the output layer, where gradients are checked


def run(options: ScratchParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return one value per row, with the columns ``COLUMNS``; sizes that do not apply are 0."""
    seeds = range(seed, seed + options.seeds)
    parts: dict[str, Iterator[Row]] = {
        "worked example": worked_example(seeds),
        "gradients": gradient_errors(options, seeds),
        "iris": iris_scores(options, seeds),
        "three libraries": library_differences(options, seeds),
        "modes": mode_costs(options, seeds),
    }
    rows: list[Row] = []
    for done, (name, part) in enumerate(parts.items(), start=1):
        rows += part
        progress(done, len(parts), name)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def worked_example(seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the chapter's example of two weights: its numbers, and whether its digits are theirs.

    ``cut`` is 1 where the printed digits are the first ones of the exact number, ``rounded`` where
    they are those of the rounded number. It has no draws: the rows of all seeds are equal.
    """
    network = Network([np.array([[0.5, 0.0]]), np.array([[1.0, 0.0]])], "sigmoid", "regression")
    x, y = np.array([[2.0]]), np.array([[1.0]])
    _, (first, second) = gradients(network, x, y)
    train(network, x, y, lr=0.01, epochs=1)
    exact = {"∂L/∂w2": second[0, 0], "∂L/∂w1": first[0, 0],
             "new w2": network.layers[1][0, 0], "new w1": network.layers[0][0, 0]}  # fmt: skip
    agree = {"cut": 1.0, "rounded": 1.0}
    for name, (printed, digits) in PRINTED.items():
        number, step = float(exact[name]), 10.0**digits
        found = {
            "cut": float(np.trunc(number * step) / step == printed),
            "rounded": float(round(number, digits) == printed),
        }
        agree = {measure: min(agree[measure], found[measure]) for measure in agree}
        found |= {"exact": number, "printed": printed}
        yield from _equal_in(seeds, "worked example", name, found)
    yield from _equal_in(seeds, "worked example", "all printed numbers", agree)


def _equal_in(
    seeds: Sequence[int], part: str, case: str, found: Mapping[str, float]
) -> Iterator[Row]:
    for seed in seeds:
        for measure, value in found.items():
            yield part, case, "NumPy", 0, measure, seed, value


def gradient_errors(options: ScratchParams, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the largest error of the hand-written gradient over activations and heads."""
    for seed in seeds:
        worst = dict.fromkeys(("autograd", "finite differences"), 0.0)
        compared, left_out = 0, 0
        for activation, head in itertools.product(ACTIVATIONS, HEADS):
            network, x, y = _small_case(options.checked_hidden, activation, head, seed)
            _, ours = gradients(network, x, y)
            slopes, reliable = central_differences(network, x, y)
            chosen = [one[kept] for one, kept in zip(ours, reliable, strict=True)]
            errors = {
                "autograd": largest_difference(
                    ours, scratch_torch.autograd_gradients(network, x, y)
                ),
                "finite differences": largest_difference(chosen, slopes),
            }
            compared += sum(one.size for one in chosen)
            left_out += sum(int((~kept).sum()) for kept in reliable)
            for arm, error in errors.items():
                case = f"{activation}, {head}"
                yield "gradients", case, arm, 0, "largest error", seed, error
                worst[arm] = float(np.maximum(worst[arm], error))  # NaN stays
        for arm, error in worst.items():
            yield "gradients", "worst of all", arm, 0, "largest error", seed, error
        for measure, count in (("compared", compared), ("left out", left_out)):
            yield "differences", "all", "finite differences", 0, measure, seed, float(count)


def central_differences(
    network: Network, x: Floats, y: Targets
) -> tuple[list[Floats], list[npt.NDArray[np.bool_]]]:
    """Return central differences of the loss, and which weights they are reliable for.

    They are where those of two steps agree, which they do not if a step crosses the kink of an
    activation. Hand-written derivatives play no part in it. Others are left out.
    """
    near, far = (finite_differences(network, x, y, step=step) for step in (STEP, 2 * STEP))
    pairs = list(zip(near, far, strict=True))
    reliable = [np.abs(one - other) <= AGREEMENT for one, other in pairs]
    return [one[kept] for one, kept in zip(near, reliable, strict=True)], reliable


def finite_differences(network: Network, x: Floats, y: Targets, *, step: float) -> list[Floats]:
    """Return the central differences of the mean loss for every weight."""
    found = [np.empty_like(weights) for weights in network.layers]
    for weights, slopes in zip(network.layers, found, strict=True):
        for place in np.ndindex(weights.shape):
            kept, losses = weights[place], []
            for change in (step, -step):
                weights[place] = kept + change
                losses.append(gradients(network, x, y)[0])
            weights[place] = kept
            slopes[place] = (losses[0] - losses[1]) / (2 * step)
    return found


def largest_difference(ours: Sequence[Floats], theirs: Sequence[Floats]) -> float:
    """Return the largest absolute difference between two lists of arrays."""
    pairs = zip(ours, theirs, strict=True)
    return float(np.max([np.abs(one - other).max(initial=0.0) for one, other in pairs]))


def iris_scores(options: ScratchParams, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield scores on Iris, on the chapter's split and on a split of its own for every seed."""
    for part, own in (("chapter's split", False), ("redrawn splits", True)):
        for seed in seeds:
            data = iris_split(options, seed if own else options.split_seed)
            yield from _scores(part, data, options, seed)


def iris_split(options: ScratchParams, seed: int) -> tuple[Floats, Floats, Targets, Targets]:
    """Return standardised training and test inputs, and their classes; stratified."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x, y = load_iris(return_X_y=True)
    x, test, y, expected = train_test_split(
        x, y, test_size=options.test_fraction, random_state=seed, stratify=y
    )
    scaler = StandardScaler().fit(x)
    return scaler.transform(x), scaler.transform(test), y, expected


def _scores(
    part: str,
    data: tuple[Floats, Floats, Targets, Targets],
    options: ScratchParams,
    seed: int,
) -> Iterator[Row]:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
    from sklearn.model_selection import GridSearchCV

    x, test, y, expected = data
    network = initialise(
        (x.shape[1], options.hidden, 3), activation="relu", head="multi_class", seed=seed
    )
    losses = train(network, x, y, lr=options.lr, epochs=options.epochs)
    regression = GridSearchCV(
        LogisticRegression(max_iter=1000), {"C": [1, 10, 100]}, scoring="neg_log_loss", cv=5
    )
    forecasts = (
        predict(network, test),
        regression.fit(x, y).predict_proba(test),
        DummyClassifier(strategy="prior").fit(x, y).predict_proba(test),
    )
    for arm, forecast in zip(MODELS, forecasts, strict=True):
        accuracy = accuracy_score(expected, forecast.argmax(axis=1))
        yield part, "iris", arm, 0, "accuracy", seed, float(accuracy)
        yield part, "iris", arm, 0, "log loss", seed, float(log_loss(expected, forecast))
    for epoch in range(0, options.epochs, options.curve_every):
        yield part, "training", MODELS[0], epoch, "loss", seed, float(losses[epoch])
    counts = confusion_matrix(expected, forecasts[0].argmax(axis=1))
    for (true, decided), count in np.ndenumerate(counts):
        yield part, f"{true} as {decided}", MODELS[0], 0, "cases", seed, float(count)


def library_differences(options: ScratchParams, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the largest difference of a weight from that of torch and of Lightning."""
    x, _, y, _ = iris_split(options, options.split_seed)
    sizes = (x.shape[1], options.hidden, 3)
    settings: dict[str, Any] = {"lr": options.lr, "epochs": options.epochs}
    for seed in seeds[: options.few_seeds]:
        start = initialise(sizes, activation="relu", head="multi_class", seed=seed)
        peers = {
            "torch": scratch_torch.fit(start, x, y, **settings),
            "Lightning": scratch_torch.fit_by_lightning(
                start, x, y, trainer=options.trainer, **settings
            ),
        }
        train(start, x, y, **settings)
        for arm, weights in peers.items():
            worst = largest_difference(start.layers, weights)
            yield "three libraries", "weights", arm, options.epochs, "difference", seed, worst


def mode_costs(options: ScratchParams, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield the operations of a whole Jacobian in units of one evaluation, by both modes.

    They depend on shapes, not on numbers: the counts of all seeds are equal.
    """
    cases = [("parameters", width, 1) for width in options.widths]
    cases += [("outputs", options.output_width, outputs) for outputs in options.outputs]
    for grows, width, outputs in cases:
        for seed in seeds[: options.few_seeds]:
            costs = scratch_torch.jacobian_costs(width=width, outputs=outputs, seed=seed)
            size = costs.parameters if grows == "parameters" else outputs
            for arm, cost in (("forward", costs.forward), ("reverse", costs.reverse)):
                yield "modes", f"growing {grows}", arm, size, "cost", seed, cost
            yield "modes", f"growing {grows}", "both", size, "difference", seed, costs.difference


def _small_case(
    hidden: Sequence[int], activation: str, head: str, seed: int
) -> tuple[Network, Floats, Targets]:
    rng = np.random.default_rng(seed)
    outputs = {"binary": 1, "multi_class": 3, "regression": 2}[head]
    x = 0.3 * rng.standard_normal((9, 3))
    network = initialise((3, *hidden, outputs), activation=activation, head=head, seed=seed)
    for weights in network.layers:
        weights[:, -1] = 0.1 * rng.standard_normal(len(weights))  # biases count, too
    # No loss is cut off (see `LEAST_PROBABILITY`) or loses digits where a probability is near 1.
    sums = predict(replace(network, head="regression"), x)
    network.layers[-1] *= min(1.0, LARGEST_SUM / float(np.abs(sums).max()))
    if head == "regression":
        return network, x, rng.standard_normal((9, outputs))
    return network, x, rng.integers(0, max(outputs, 2), 9)
