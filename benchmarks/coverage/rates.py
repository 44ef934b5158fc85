"""Rates, and differences and ratios of two of them."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.stats import binom

from plumbline.metrics.intervals import proportions, shares

from .entries import CONFIDENCE, DRAWS, RATES, SIZES, cell, table


def tables() -> list[str]:
    return [
        "## A rate", share_table(),
        "## A difference of two rates", pair_table("difference"),
        "## A ratio of two rates", pair_table("ratio"),
    ]  # fmt: skip


def share_table() -> str:
    rows = []
    for n in SIZES:
        k = np.arange(n + 1)
        low, high = shares.share_interval(k, n, confidence=CONFIDENCE)
        entries = []
        for rate in RATES:
            held = (low <= rate) & (rate <= high)
            entries.append(cell(100 * float(binom.pmf(k, n, rate)[held].sum())))
        rows.append([f"{n:,}", *entries])
    return table(["rows of the group", *(f"rate {rate:g}" for rate in RATES)], rows)


def pair_table(comparison: str) -> str:
    rng, rows = np.random.default_rng(1), []
    truths = [(0.01, 0.01), (0.01, 0.05), (0.1, 0.1), (0.1, 0.3), (0.5, 0.5), (0.5, 0.8),
              (0.9, 0.95), (0.99, 0.99)]  # fmt: skip
    for n1, n2 in itertools.combinations_with_replacement(SIZES, 2):
        entries = []
        for first, second in truths:
            k1, k2 = rng.binomial(n1, first, DRAWS), rng.binomial(n2, second, DRAWS)
            if comparison == "difference":
                truth = first - second
                low, high = shares.difference_interval((k1, n1), (k2, n2), confidence=CONFIDENCE)
            else:
                truth = first / second
                low, high = ratio_interval((k1, n1), (k2, n2), confidence=CONFIDENCE)
            defined = ~np.isnan(low)
            held = (low <= truth + 1e-12) & (truth <= high + 1e-12)
            entries.append(cell(100 * float(held[defined].mean())))
        rows.append([f"{n1:,} and {n2:,}", *entries])
    header = ["rows of the two groups", *(f"{a:g} and {b:g}" for a, b in truths)]
    return table(header, rows)


def ratio_interval(first: tuple, second: tuple, *, confidence: float) -> proportions.Interval:
    """Return the MOVER interval of a ratio of shares, each ``(successes, trials)``."""
    one, other = (
        (proportions.proportion(*counts), *shares.share_interval(*counts, confidence=confidence))
        for counts in (first, second)
    )
    return proportions.mover_ratio(one, other)
