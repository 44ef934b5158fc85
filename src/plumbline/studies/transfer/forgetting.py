"""Measure what fine-tuning costs: the source task again, other distributions, and far domains."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from plumbline.metrics.generative.frechet import features_to_fid
from plumbline.studies.transfer import pictures, tuning
from plumbline.studies.transfer.corruptions import corrupt
from plumbline.studies.transfer.features import as_input, imagenet
from plumbline.studies.transfer.tuning import FULL, GLYPHS, LP_FT, PROBE, RANDOM

if TYPE_CHECKING:
    from plumbline.params.transfer import ForgettingParams
    from plumbline.studies.framework.rows import Progress
    from plumbline.studies.transfer.pictures import Pictures

log = logging.getLogger(__name__)

TUNED, DOMAINS, ORDER = "tuned", "domains", "order of domains"
IMAGENET, DIGITS = "imagenet", "digits"
_HELD = 128  # test pictures on which ImageNet's network is compared with itself
VALUES = ["accuracy", "shifted", "kept", "similarity", "distance", "gain", "correlation"]
OTHER = "values of the other parts"
Row = dict[str, Any]


def similarity(first: Tensor, second: Tensor) -> float:
    """Return the linear CKA of two feature matrices ``(N, D)``, ``(N, E)`` of the same rows, 0…1.

    |XᵀY|² / (|XᵀX| |YᵀY|) of centred X and Y, in Frobenius norms: Kornblith et al., "Similarity of
    Neural Network Representations Revisited" (ICML 2019), https://arxiv.org/abs/1905.00414,
    equation 4. NaN if a matrix is constant.
    """
    x, y = ((each.double() - each.double().mean(0)).numpy() for each in (first, second))
    own = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / own) if own > 0 else float("nan")


def run(options: ForgettingParams, seed: int, progress: Progress) -> pd.DataFrame:
    """Return the rows of all parts of the study.

    Returns
    -------
    DataFrame
        ``part, source, strategy, rate`` (relative to the strategy's own), ``domain, seed``. Of
        *tuned*: ``accuracy`` on test digits, ``shifted`` (with the
        strategy's own rate, mean over corruptions), ``kept`` (the old
        head: accuracy on the source's test pictures, for ImageNet agreement with itself before on
        digits), ``similarity`` (CKA of features before and after, same pictures). Of *domains*:
        ``distance`` (Fréchet, of features of the source) and ``gain`` (of a probe on one of random
        weights). Of *order of domains*: ``correlation`` of the ranks of both. Other values are NaN.
    """
    torch.set_num_threads(1)  # the order of sums must not depend on the machine
    glyphs = pictures.load(GLYPHS, seed=seed, size=tuning.SIDE)
    digits = pictures.load(DIGITS, seed=seed, size=tuning.SIDE)
    domains = _domains(digits, options, seed)
    found: list[Row] = []
    for number in range(options.seeds):
        started = time.process_time()
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        train, held = glyphs.split(options.test_share, seed=own)
        small = tuning.pretrain(glyphs.at(train), options.network, seed=own, turns=False)
        rows = [
            *_small_rows(small[GLYPHS], glyphs.at(held), digits, options, own),
            *_imagenet_rows(digits, options, own),
            *_domain_rows(small, glyphs.at(held), domains, options, own),
        ]
        found += ({**row, "seed": number} for row in rows)
        log.info("seed %d: %.1f s of processor time", number, time.process_time() - started)
        progress(number + 1, options.seeds, f"seed {number}")
    table = pd.DataFrame(found)
    for name in VALUES:
        table[name] = table.get(name, np.nan)
    return table.assign(reason=OTHER)


def _small_rows(
    network: Any, source: Pictures, digits: Pictures, options: ForgettingParams, seed: int
) -> Iterator[Row]:
    """Yield the small network's rows: of every strategy and rate, with the source's classes."""
    train, (held, right) = _few(digits, options, seed)
    corrupted = [
        torch.as_tensor(corrupt(held.numpy(), name, options.severity, seed=seed))
        for name in options.corruptions
    ]
    images, old = torch.as_tensor(source.images), torch.as_tensor(source.targets)
    before = _features(network, images)
    for strategy in options.tuning.strategies:
        for factor in options.tuning.factors if strategy != PROBE else (1.0,):
            fitted = tuning.adapt(
                network, strategy, *train, classes=len(digits.classes), seed=seed,
                rate=factor * options.tuning.rates.get(strategy, 1.0),
                updates=options.tuning.updates, strength=options.strength,
            ).network  # fmt: skip
            after = _features(fitted, images)
            shifted = [tuning.accuracy(fitted, x, right) for x in corrupted if factor == 1] or [
                np.nan
            ]
            yield {
                "part": TUNED, "source": GLYPHS, "strategy": strategy, "rate": factor,
                "accuracy": tuning.accuracy(fitted, held, right),
                "shifted": float(np.mean(shifted)),
                "kept": _share(network.head(after), old),
                "similarity": similarity(before, after),
            }  # fmt: skip


def _imagenet_rows(digits: Pictures, options: ForgettingParams, seed: int) -> Iterator[Row]:
    """Yield ImageNet's rows: its pictures are not at hand, so it is compared with itself before."""
    if not options.imagenet_updates:
        return
    (images, targets), (held, right) = _few(digits, options, seed)
    images, held = (as_input(each, options.imagenet_size) for each in (images, held[:_HELD]))
    network = imagenet()
    before = _features(network, held)
    for strategy in (FULL, LP_FT):
        fitted = tuning.adapt(
            network, strategy, images, targets, classes=len(digits.classes), seed=seed,
            rate=options.imagenet_rate, updates=options.imagenet_updates,
            strength=options.strength,
        ).network  # fmt: skip
        after = _features(fitted, held)
        yield {
            "part": TUNED, "source": IMAGENET, "strategy": strategy, "rate": 1.0,
            "accuracy": _share(fitted.head(after), right[:_HELD]),
            "kept": _share(network.head(after), network.head(before).argmax(1)),
            "similarity": similarity(before, after),
        }  # fmt: skip


def _domain_rows(
    small: dict[str, Any], source: Pictures, domains: dict[str, Pictures],
    options: ForgettingParams, seed: int,
) -> Iterator[Row]:  # fmt: skip
    """Yield the distance of each domain from the source, its gain, and how both go together."""
    near = _features(small[GLYPHS], torch.as_tensor(source.images))
    found = []
    for name, domain in domains.items():
        (images, targets), (held, right) = _few(domain, options, seed)
        scores = {}
        for of in (GLYPHS, RANDOM):
            few, rest = (_features(small[of], each) for each in (images, held))
            readout = tuning.probe(few, targets, strength=options.strength)
            scores[of] = readout.accuracy(rest, right)
        far = _features(small[GLYPHS], torch.as_tensor(domain.images))
        count = min(len(near), len(far))  # the distance depends on the number of rows
        found.append(
            {
                "distance": features_to_fid(near[:count].numpy(), far[:count].numpy()),
                "gain": scores[GLYPHS] - scores[RANDOM],
            }
        )
        yield {"part": DOMAINS, "source": GLYPHS, "domain": name, **found[-1]}
    ranks = pd.DataFrame(found).rank()
    yield {"part": ORDER, "source": GLYPHS, "correlation": ranks["distance"].corr(ranks["gain"])}


def _domains(digits: Pictures, options: ForgettingParams, seed: int) -> dict[str, Pictures]:
    """Return targets near to and far from printed characters, as many pictures of each."""
    found = {DIGITS: digits, "new_characters": pictures.load("new_characters", seed=seed, size=16)}
    found = {name: each.draw(options.pictures, seed=seed) for name, each in found.items()}
    plain = found[DIGITS]
    changed: dict[str, npt.NDArray[np.uint8]] = {
        "inverted": 255 - plain.images,
        "turned": np.rot90(plain.images, axes=(2, 3)).copy(),
        **{name: corrupt(plain.images, name, 5, seed=seed) for name in options.corruptions},
    }
    return found | {name: replace(plain, images=images) for name, images in changed.items()}


Labelled = tuple[Tensor, Tensor]


def _few(data: Pictures, options: ForgettingParams, seed: int) -> tuple[Labelled, Labelled]:
    """Return the first labels of each class with their pictures, and the test pictures."""
    train, test = data.split(options.test_share, seed=seed)
    order = np.random.default_rng([seed, 3]).permutation(train)
    codes = range(len(data.classes))
    few = np.concatenate([order[data.targets[order] == code][: options.labels] for code in codes])
    images, targets = torch.as_tensor(data.images), torch.as_tensor(data.targets)
    return (images[few], targets[few]), (images[test], targets[test])


@torch.no_grad()
def _features(network: Any, images: Tensor) -> Tensor:
    return torch.cat([network.features(part) for part in torch.split(images, 256)])


def _share(scores: Tensor, targets: Tensor) -> float:
    return float((scores.argmax(1) == targets).double().mean())
