"""Measure accuracy and gaps between groups of digits under corruptions of growing severity."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from plumbline.studies.transfer import corruptions, pictures
from plumbline.studies.transfer.features import imagenet_features
from plumbline.studies.transfer.small_fits import CNN, FNN, fit, probabilities
from plumbline.studies.transfer.tuning import SIDE

if TYPE_CHECKING:
    from plumbline.params.transfer import RobustnessParams
    from plumbline.studies.framework.rows import Progress

NOISY, LINEAR, PROBE = "cnn with noise", "logistic regression", "probe"
EVERY, ROWS = "mean", "all rows"
OTHER = "gaps are of an attribute, accuracy is of all rows"
Ints = npt.NDArray[np.int64]


def run(options: RobustnessParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return accuracy and gaps of each model, corruption and severity; severity 0 is none.

    Returns
    -------
    DataFrame
        ``model, corruption`` (and the mean of all), ``severity, attribute, seed``. Of all rows
        ``accuracy``; of an attribute ``gap``, the accuracy of its best group minus that of its
        worst, ``chance``, its mean when groups are drawn at random in the same sizes, and
        ``excess``, their difference.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    data = pictures.load("digits", seed=seed, size=SIDE)
    shown = {
        (name, severity): corruptions.corrupt(data.images, name, severity, seed=seed)
        for name in options.corruptions for severity in corruptions.SEVERITIES
    } | {(name, 0): data.images for name in options.corruptions}  # fmt: skip
    features = _features(data, shown, options)
    found = []
    for number in range(options.seeds):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        train, test = data.split(options.test_share, seed=own)
        for model, predict in _models(data, features, train, options, own):
            for (corruption, severity), images in shown.items():
                if model == PROBE and (corruption, severity) not in features:
                    continue
                given = features[corruption, severity] if model == PROBE else images
                right = predict(given[test]) == data.targets[test]
                place = {"model": model, "corruption": corruption, "severity": severity}
                rows = _rows(right, data, test, np.random.default_rng(own), options.permutations)
                found += [{**place, "seed": number, **row} for row in rows]
        progress(number + 1, options.seeds, f"seed {number}")
    table = pd.DataFrame(found)
    places = ["model", "severity", "attribute", "seed"]
    mean = (
        table[table["model"] != PROBE]
        .groupby(places, sort=False, as_index=False)
        .mean(numeric_only=True)
    )
    whole = pd.concat([table, mean.assign(corruption=EVERY)], ignore_index=True)
    return whole.assign(reason=OTHER)


def _features(data: Any, shown: Any, options: RobustnessParams) -> dict[tuple[str, int], Any]:
    """Return ImageNet features of the clean pictures and of the corruptions that the probe sees."""
    wanted = [(c, s) for c in options.probe_corruptions for s in options.probe_severities]
    if not wanted:
        return {}
    clean = imagenet_features(data.images, options.probe_size).numpy()
    return {(name, 0): clean for name in options.probe_corruptions} | {
        at: imagenet_features(shown[at], options.probe_size).numpy() for at in wanted
    }


def _models(
    data: Any, features: Any, train: Ints, options: RobustnessParams, seed: int
) -> Iterator[tuple[str, Callable[[Any], Ints]]]:
    """Yield each trained model with what predicts the classes of pictures or features."""
    images, targets = data.images[train], data.targets[train]
    noise = [corruptions.corrupt(images, "noise", s, seed=seed) for s in corruptions.SEVERITIES]
    rng = np.random.default_rng(seed)  # of each picture a noisy copy, of a drawn severity
    noisy = np.stack(noise)[rng.integers(len(noise), size=len(train)), np.arange(len(train))]
    for name, kind, pixels, epochs in (
        (CNN, CNN, images, options.epochs),
        (NOISY, CNN, np.concatenate([images, noisy]), options.epochs // 2),
        (FNN, FNN, images, options.epochs),
    ):
        codes = np.tile(targets, len(pixels) // len(targets))
        network = fit(kind, pixels, codes, epochs=epochs, rate=options.rate, seed=seed)
        yield name, functools.partial(_classes, network)
    yield LINEAR, _logistic(images, targets, options)
    if features:
        yield PROBE, _logistic(next(iter(features.values()))[train], targets, options)


def _classes(network: torch.nn.Module, images: Any) -> Ints:
    return probabilities(network, torch.from_numpy(images)).argmax(dim=1).numpy()


def _logistic(x: Any, targets: Ints, options: RobustnessParams) -> Callable[[Any], Ints]:
    """Return logistic regression of pixels or features, in units of their standard deviation."""
    from sklearn.linear_model import LogisticRegression

    def rows(given: Any) -> Any:
        return given.reshape(len(given), -1) / scale

    scale = np.float64(x.std())
    model = LogisticRegression(C=options.strength, max_iter=options.iterations)
    model.fit(rows(x), targets)
    return lambda given: np.asarray(model.predict(rows(given)))


def _rows(right: Any, data: Any, test: Ints, rng: np.random.Generator, permutations: int
          ) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield the accuracy, and the gap of each attribute beside that of drawn groups."""
    yield {"attribute": ROWS, "accuracy": float(right.mean())}
    drawn = rng.permuted(np.tile(right, (permutations, 1)), axis=1)
    for name, groups in data.groups.items():
        _, codes = np.unique(groups[test], return_inverse=True)
        members = np.eye(codes.max() + 1)[codes] / np.bincount(codes)
        gap = float(np.ptp(right @ members))
        chance = float(np.ptp(drawn @ members, axis=1).mean())
        yield {"attribute": name, "gap": gap, "chance": chance, "excess": gap - chance}
