"""Rates of weighted rows, and of entities with several rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plumbline.metrics.intervals.shares import share_interval
from plumbline.metrics.intervals.survey_design import Design

from .entries import CONFIDENCE, cell, table

DRAWS = 2000
SIZES = (30, 50, 100, 300, 1000)
ENTITIES = (10, 20, 50, 150)
WORDS = f"""\
{DRAWS:,} draws an entry (standard error 0.5). Beside each entry the mean width of its intervals.
Weights are independent of the outcome, or half as great again where it is positive. Where rows of
great weight are few, a rare outcome is mostly seen in rows of small weight, and the variance that
these show is far too small (coverage of a 95 % interval would be 75 %). The interval is held at
what independent rows of the same weights are worth, and therefore too wide for rare outcomes."""
ENTITY_WORDS = """\
Entities have four rows each, or numbers of rows that are geometric (mean 5) or lognormal (σ 1.2).
Rows of an entity are independent (intraclass correlation 0), have a rate of their own (0.2), or
have one outcome (1). Few entities with the rarer outcome cannot show the correlation, which is
assumed in part: there, intervals are too wide where rows are independent."""

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
WEIGHTS: dict[str, Draw] = {
    "gamma(2)": lambda rng, shape: rng.gamma(2, size=shape),
    "gamma(0.7)": lambda rng, shape: rng.gamma(0.7, size=shape),
    "lognormal(1)": lambda rng, shape: rng.lognormal(0, 1, shape),
    "lognormal(1.5)": lambda rng, shape: rng.lognormal(0, 1.5, shape),
    "1, a tenth 10": lambda rng, shape: np.where(rng.random(shape) < 0.1, 10.0, 1.0),
}
ROWS: dict[str, Draw] = {
    "four": lambda rng, shape: np.full(shape, 4),
    "geometric": lambda rng, shape: rng.geometric(0.2, shape),
    "lognormal": lambda rng, shape: np.ceil(rng.lognormal(1.5, 1.2, shape)).astype(int),
}


def tables() -> list[str]:
    return [
        "## A rate of weighted rows", WORDS, weight_table(),
        "## A rate of entities with several rows", ENTITY_WORDS, entity_table(),
    ]  # fmt: skip


def weight_table() -> str:
    rng, rows = np.random.default_rng(3), []
    for name, draw in WEIGHTS.items():
        for n in SIZES:
            entries = []
            for rate in (0.05, 0.3):
                for factor in (1.0, 1.5):
                    holds = rng.random((DRAWS, n)) < rate
                    weight = draw(rng, (DRAWS, n)) * np.where(holds, factor, 1.0)
                    truth = rate * factor / (rate * factor + 1 - rate)
                    draws = np.repeat(np.arange(DRAWS), n)
                    entries.append(entry(Design(weight.ravel()), holds.ravel(), draws, truth))
            rows.append([name, f"{n:,}", *entries])
    header = ["weights", "rows", "rate 0.05", "0.05, informative", "0.3", "0.3, informative"]
    return table(header, rows)


def entity_table() -> str:
    rng, rows = np.random.default_rng(6), []
    for name, draw in ROWS.items():
        for n in ENTITIES:
            entries = []
            for rate in (0.05, 0.3):
                for correlation in (0.0, 0.2, 1.0):
                    own = own_rates(rng, rate, correlation, (DRAWS, n)).ravel()
                    entity = np.repeat(np.arange(DRAWS * n), draw(rng, (DRAWS, n)).ravel())
                    holds = rng.random(len(entity)) < own[entity]
                    entries.append(entry(Design(entity=entity), holds, entity // n, rate))
            rows.append([name, f"{n}", *entries])
    header = ["rows of an entity", "entities", "rate 0.05, correlation 0", "0.05, 0.2", "0.05, 1",
              "rate 0.3, correlation 0", "0.3, 0.2", "0.3, 1"]  # fmt: skip
    return table(header, rows)


def own_rates(
    rng: np.random.Generator, rate: float, correlation: float, shape: tuple[int, int]
) -> np.ndarray:
    if correlation in (0, 1):
        return np.where(rng.random(shape) < rate, 1.0, 0.0) if correlation else np.full(shape, rate)
    spread = 1 / correlation - 1
    return rng.beta(rate * spread, (1 - rate) * spread, shape)


def entry(design: Design, holds: np.ndarray, draws: np.ndarray, truth: float) -> str:
    """Return the coverage of the rate of each draw's rows, and the mean width."""
    found = design.rates(holds, draws, DRAWS)
    low, high = share_interval(found.successes, found.trials, confidence=CONFIDENCE)
    held = 100 * float(((low <= truth) & (truth <= high)).mean())
    return f"{cell(held)} ({np.mean(high - low):.2f})"
