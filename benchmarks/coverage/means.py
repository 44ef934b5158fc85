"""Means and root mean squares of residuals, and bits per character of documents."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from plumbline.metrics.intervals import means

from .entries import CONFIDENCE, cell, table

DRAWS = 4000
SIZES = (10, 20, 50, 100, 300, 1000)
DOCUMENTS = (5, 10, 20, 50, 200)
RESIDUAL_WORDS = f"""\
{DRAWS:,} draws an entry (standard error 0.35); first the mean residual, then the mean absolute and
the root mean squared error. Mean predictions have the interval of a mean, as mean residuals have.
The interval of the error is the hull of two, so that it is too wide where residuals have
light tails and not far too narrow where they are skewed. **Where the tail is as long as a
lognormal's, 50 rows do not show it, and no interval from them can hold the error**: the entries
marked (!) are the limit of what an interval can say, and no sample tells that it is such a one."""
BIT_WORDS = """\
Documents of lognormal length (σ as given, 0 is one length) whose own bits per character vary by
the coefficient given. The interval counts as many documents as are worth as much as these of
unequal length."""

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
# How residuals are drawn, their mean, their mean size, and their mean square.
RESIDUALS: dict[str, tuple[Draw, float, float, float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0, (2 / np.pi) ** 0.5, 1),
    "normal, mean 1": (
        lambda rng, shape: rng.normal(1, 1, shape),
        1, (2 / np.pi) ** 0.5 * np.exp(-0.5) + math.erf(0.5**0.5), 2,
    ),
    "uniform": (lambda rng, shape: rng.uniform(-1, 1, shape), 0, 1 / 2, 1 / 3),
    "Laplace": (lambda rng, shape: rng.laplace(size=shape), 0, 1, 2),
    "Student's t, 5": (
        lambda rng, shape: rng.standard_t(5, shape), 0, 8 * 5**0.5 / (3 * np.pi) / 2, 5 / 3,
    ),
    "exponential - 1": (lambda rng, shape: rng.exponential(size=shape) - 1, 0, 2 / np.e, 1),
    "lognormal(1)": (
        lambda rng, shape: rng.lognormal(0, 1, shape), np.exp(0.5), np.exp(0.5), np.exp(2),
    ),
    "lognormal(1) - mean": (
        lambda rng, shape: rng.lognormal(0, 1, shape) - np.exp(0.5),
        0, 2 * np.exp(0.5) * math.erf(0.125**0.5), np.exp(2) - np.exp(1),
    ),
}  # fmt: skip


def tables() -> list[str]:
    return [
        "## Mean residual, mean absolute and root mean squared error", RESIDUAL_WORDS,
        residual_table(),
        "## Bits per character, by documents", BIT_WORDS, bit_table(),
    ]  # fmt: skip


def residual_table() -> str:
    rng, rows = np.random.default_rng(7), []
    for name, (draw, mean, absolute, square) in RESIDUALS.items():
        entries = []
        for n in SIZES:
            residual = draw(rng, (DRAWS, n))
            ends, sizes = (
                means.mean_interval(weighted(values), confidence=CONFIDENCE)
                for values in (residual, np.abs(residual))
            )
            root = means.root_mean_square_interval(weighted(residual**2), n, confidence=CONFIDENCE)
            held_by = held(ends, mean), held(sizes, absolute), held(root, square**0.5)
            entries.append(", ".join(held_by))
        rows.append([name, *entries])
    return table(["residuals", *(f"{n:,} rows" for n in SIZES)], rows)


def bit_table() -> str:
    rng, rows = np.random.default_rng(8), []
    for spread in (0.0, 0.5, 1.0, 1.5):
        for variation in (0.1, 0.3):
            entries = []
            for n in DOCUMENTS:
                length = np.ceil(rng.lognormal(6.5, spread, (DRAWS, n)))
                bits = rng.gamma(variation**-2, variation**2, (DRAWS, n))
                found = weighted(bits, length)
                entries.append(held(means.mean_interval(found, confidence=CONFIDENCE), 1.0))
            rows.append([f"{spread:g}", f"{variation:g}", *entries])
    return table(["σ of lengths", "variation", *(f"{n} documents" for n in DOCUMENTS)], rows)


def weighted(values: np.ndarray, weights: np.ndarray | None = None) -> means.Mean:
    """Return the mean of each draw, ``(D, N)``: `means.values_to_mean` of many at once."""
    w = np.ones_like(values) if weights is None else weights
    whole = w.sum(axis=1)
    mean = (w * values).sum(axis=1) / whole
    u = w * (values - mean[:, None]) / whole[:, None]
    worth, units = whole**2 / (w**2).sum(axis=1), np.full(len(w), float(w.shape[1]))
    powers = (u**2).sum(axis=1), (u**3).sum(axis=1)
    return means.influences_to_mean(mean, powers, worth, units)


def held(ends: tuple[np.ndarray, np.ndarray], truth: float) -> str:
    return cell(100 * float(((ends[0] <= truth) & (truth <= ends[1])).mean()))
