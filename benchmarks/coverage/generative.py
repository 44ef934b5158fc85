"""Distances, overlap and repetition of generated samples; shares of their classes."""

from __future__ import annotations

import numpy as np

from plumbline.metrics.generative import distances, frechet, halves
from plumbline.metrics.generative.class_shares import class_shares
from plumbline.metrics.intervals.proportions import critical_value

from .entries import CONFIDENCE, cell, table

DRAWS, MANY = 200, 1000
FEATURES, CLASSES, NEIGHBOURS, ROUNDS = 6, 10, 3, 100
REAL, GENERATED = 100, 400
LAWS = ("the same", "each feature 0.3 off", "a third of the classes drawn twice as often")


def tables() -> list[str]:
    return [
        "## Distances and overlap of generated samples",
        distance_table(),
        "## Shares of the classes of generated samples",
        class_table(),
    ]


def draw(rng: np.random.Generator, law: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw features of ten round clouds, and the cloud of each; their shares are fixed."""
    weights = np.ones(CLASSES)
    if law == LAWS[2]:
        weights[:3] = 2
    chosen = np.searchsorted(np.cumsum(weights), (np.arange(n) + 0.5) / n * weights.sum())
    centres = np.random.default_rng(0).normal(size=(CLASSES, FEATURES)) * 1.5
    features = centres[chosen] + rng.normal(size=(n, FEATURES)) + 0.3 * (law == LAWS[1])
    return features, chosen


def distance_table() -> str:
    header = ["distribution of the generated samples", "kernel distance", "extrapolated FID",
              "FID", *(name.replace("_", " ") for name in halves.QUANTITIES[1:])]  # fmt: skip
    rows = [[law, *(cell(100 * x) for x in held(law))] for law in LAWS]
    return (
        f"{REAL} real and {GENERATED} generated samples of {FEATURES} features, ten classes of "
        f"fixed shares, {ROUNDS} random halves, {DRAWS} draws an entry (standard error 1.5). "
        f"Truth: of the kernel distance its mean over {MANY} other draws, of the extrapolated FID "
        "the distance of 200,000 samples each, of the others, which depend on the sample size, "
        f"their mean over {MANY} independent comparisons of {REAL // 2} with {REAL // 2} samples. "
        "Errors of the kernel distance and of the extrapolated FID are by the delta method, which "
        "doubles the variance where both distributions are the same; those of FID, precision and "
        "the like are estimated from random halves and have a lower bound, which makes some of "
        "them too wide.\n\n" + table(header, rows)
    )


def held(law: str) -> np.ndarray:
    """Return how often the interval of each quantity holds the truth."""
    rng = np.random.default_rng(1)
    n, same = REAL // 2, law == LAWS[0]
    kid = [
        distance(draw(rng, law, GENERATED), draw(rng, LAWS[0], REAL))[0]
        for _ in range(0 if same else MANY)
    ]
    many = [draw(rng, one, 200_000)[0] for one in (law, LAWS[0])]
    compared = [
        halves.measure(draw(rng, law, n)[0], draw(rng, LAWS[0], n)[0], NEIGHBOURS)
        for _ in range(MANY)
    ]
    truth = np.r_[
        0.0 if same else np.mean(kid),
        0.0 if same else frechet.features_to_fid(*many),
        np.mean(compared, axis=0),
    ]
    found = np.array([intervals(rng, law, seed) for seed in range(DRAWS)])
    return (np.abs(found[:, 0] - truth) <= found[:, 1]).mean(axis=0)


def distance(fake: tuple, real: tuple) -> tuple[float, float]:
    return distances.kernel_distance(fake[0], real[0], strata=(fake[1], real[1]))


def intervals(rng: np.random.Generator, law: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    fake, real = draw(rng, law, GENERATED), draw(rng, LAWS[0], REAL)
    strata, both = (fake[1], real[1]), (fake[0], real[0])
    rounds = halves.half_sample_rounds(
        *both, neighbours=NEIGHBOURS, splits=ROUNDS, seed=seed, strata=strata
    )
    values, ends = rounds.estimates(confidence=CONFIDENCE)
    kid = distance(fake, real)
    far = halves.fid_infinity(*both, values[0], size=rounds.size, strata=strata)
    z = critical_value(CONFIDENCE)
    return np.r_[kid[0], far[0], values], np.r_[z * kid[1], z * far[1], ends]


def class_table() -> str:
    rows = []
    for shares in ([0.1] * 10, [0.01, *[0.11] * 9], [0.0, 0.0, *[0.125] * 8]):
        for wrong, images, samples in ((0.02, 45, 1800), (0.1, 45, 1800), (0.1, 15, 200)):
            together = np.mean([shares_held(shares, wrong, images, samples, i) for i in range(500)])
            least = f"{sum(s == min(shares) for s in shares)} of {min(shares):g}"
            size = [f"{100 * wrong:g} %", str(images), f"{samples:,}"]
            rows.append([least, *size, cell(100 * float(together))])
    header = ["least shares", "errors of the classifier", "real images per class",
              "generated samples", "all ten intervals"]  # fmt: skip
    return (
        "Ten classes; the classifier also reads one as another with 5 % more; 500 draws an entry "
        "(standard error 1).\n\n" + table(header, rows)
    )


def shares_held(shares: list[float], wrong: float, images: int, samples: int, seed: int) -> bool:
    rng = np.random.default_rng(seed)
    confusion = np.full((CLASSES, CLASSES), wrong / (CLASSES - 1))
    np.fill_diagonal(confusion, 1 - wrong)
    confusion[3, [3, 8]] += [-0.05, 0.05]
    found = class_shares(
        rng.multinomial(samples, np.array(shares) @ confusion),
        np.stack([rng.multinomial(images, row) for row in confusion]),
        confidence=CONFIDENCE, replicates=1000, seed=seed,
    )  # fmt: skip
    return bool(((found.low <= shares) & (shares <= found.high)).all())
