"""The library's own metrics, intervals and comparisons."""

from __future__ import annotations

import numpy as np

from plumbline.metrics.comparison import delong
from plumbline.metrics.generative import distances, frechet, manifold
from plumbline.metrics.intervals import auroc, means, power, proportions, shares
from plumbline.metrics.intervals.survey_design import Design
from plumbline.metrics.scores import classification, curves

from . import Quantities


def quantities() -> Quantities:
    random = np.random.default_rng(17)
    yield from of_intervals(random)
    yield from of_scores(random)
    yield from of_generators(random)


def of_intervals(random: np.random.Generator) -> Quantities:
    n = random.integers(1, 90, 61)
    k, other = random.binomial(n, 0.4), random.binomial(n, 0.6)
    yield "shares.share_interval", shares.share_interval(k, n, confidence=0.95)
    yield (
        "shares.difference_interval",
        shares.difference_interval((k, n), (other, n), confidence=0.9),
    )
    yield "shares.difference_p", shares.difference_p((k, n), (other, n))
    yield "shares.fisher_exact", shares.fisher_exact((3, 20), (9, 31))
    yield "shares.holm", shares.holm(random.random(30))
    yield "power.detectable_normal", power.detectable_normal(n / 90, confidence=0.95, power=0.8)
    values = random.lognormal(size=161)
    mean = means.values_to_mean(values)
    yield "means.mean_interval", means.mean_interval(mean, confidence=0.95)
    yield "proportions.student", proportions.student(values, confidence=0.95)
    yield "proportions.percentile", proportions.percentile(values, confidence=0.9)
    yield "proportions.resample_counts", proportions.resample_counts(n, replicates=50, seed=2)
    yield "proportions.resample_weights", proportions.resample_weights(61, replicates=50, seed=2)
    areas = random.uniform(0.5, 1, 31)
    yield "auroc.auroc_interval", auroc.auroc_interval(
        areas, areas * (1 - areas) / 40, np.full(31, 40.0), np.full(31, 20), np.full(31, 25),
        confidence=0.95,
    )  # fmt: skip


def of_scores(random: np.random.Generator) -> Quantities:
    for classes in (2, 5):
        logits = random.standard_normal((2, 301, classes))
        first, second = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        y = random.integers(0, classes, 301)
        weights = random.exponential(size=(301, 20))
        found = classification.weighted_metrics(y, first.argmax(axis=1), first, weights=weights)
        for name, value in found.items():
            yield f"classification.{name} {classes}", value
        yield f"classification.row_losses {classes}", classification.row_losses(y, first)
        areas = delong.two_areas(y, first, second, Design())
        yield f"delong.two_areas {classes}", delong.interval(areas, confidence=0.95)
    yield "curves.roc_points", curves.roc_points(*random.integers(0, 9, (2, 80)).astype(float))


def of_generators(random: np.random.Generator) -> Quantities:
    for rows, kind in ((151, "f4"), (40, "f8")):  # more rows than features, and fewer
        a = random.standard_normal((rows, 64)).astype(kind)
        b = (random.standard_normal((rows + 9, 64)) + 0.1).astype(kind)
        yield f"fid {rows}", (frechet.features_to_fid(a, b), frechet.fid_variance(a, b))
        yield f"kernel_distance {rows}", distances.kernel_distance(a, b)
        found = manifold.overlap(a, b, neighbours=5)
        yield f"overlap {rows}", (found.precision, found.recall, found.density, found.coverage)
    p = random.dirichlet(np.ones(7), 90)
    yield "inception_score", distances.inception_score(p)
