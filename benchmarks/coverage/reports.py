"""Metrics of whole models, as metrics reports hold them."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from plumbline import names
from plumbline.metrics import summary
from plumbline.metrics.estimates import Estimates, MetricOptions

from .entries import CONFIDENCE, cell, table

DRAWS, REPLICATES, TRUTH_ROWS = 1000, 500, 1_000_000
SIZES = (30, 100, 300)
WORDS = f"""\
{DRAWS:,} draws an entry (standard error 0.7), {REPLICATES} replicates. Outcomes follow a logistic
law of one number, and the model's scores are a little too sure; numbers are predicted with an R² of
one half and errors that are normal or Student's t with 5 degrees of freedom. Percentiles of the
bootstrap are taken further out where rows are few."""
DECISIONS = (names.BALANCED_ACCURACY, names.F1_MACRO, names.BRIER, names.LOG_LOSS)
NUMBERS = (names.R2, names.MAE)


def tables() -> list[str]:
    return ["## Metrics of a model", WORDS, report_table()]


def report_table() -> str:
    rng, rows = np.random.default_rng(9), []
    options = MetricOptions(CONFIDENCE, REPLICATES, 0, neighbours=1, splits=1)
    few = MetricOptions(CONFIDENCE, 2, 0, neighbours=1, splits=1)
    decided = decisions(rng, TRUTH_ROWS)
    truth = [values(summary.classification_metrics(*decided, few), DECISIONS)]
    truth += [
        values(summary.regression_metrics(*numbers(rng, TRUTH_ROWS, tail), few), NUMBERS)
        for tail in (False, True)
    ]
    for n in SIZES:
        held = np.zeros(len(DECISIONS) + 2 * len(NUMBERS))
        for _ in range(DRAWS):
            found = [hits(summary.classification_metrics(*decisions(rng, n), options), truth[0])]
            found += [
                hits(summary.regression_metrics(*numbers(rng, n, tail), options), truth[1 + tail])
                for tail in (False, True)
            ]
            held += np.concatenate(found)
        rows.append([f"{n}", *(cell(100 * share) for share in held / DRAWS)])
    header = [*DECISIONS, *(f"{name}, {law}" for law in ("normal", "t") for name in NUMBERS)]
    return table(["rows", *(name.replace("_", " ") for name in header)], rows)


def decisions(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = 1.5 * rng.normal(size=n) - 0.8
    outcome, score = (rng.random(n) < expit(x)).astype(int), expit(1.2 * x + 0.1)
    return outcome, (score > 0.5).astype(int), np.stack([1 - score, score], axis=1)


def numbers(rng: np.random.Generator, n: int, tail: bool) -> tuple[np.ndarray, np.ndarray]:
    error = rng.standard_t(5, n) * 0.6**0.5 if tail else rng.normal(size=n)
    predicted = rng.normal(size=n)
    return predicted + error, predicted


def values(estimates: Estimates, chosen: tuple[str, ...]) -> dict[str, float]:
    return {name: estimates[name]["value"] for name in chosen}


def hits(estimates: Estimates, truth: dict[str, float]) -> list[bool]:
    """Return whether each interval holds its truth; one that is undefined holds all."""
    return [
        estimates[name]["low"] is None or estimates[name]["low"] <= value <= estimates[name]["high"]
        for name, value in truth.items()
    ]
