"""Rates, and differences and ratios of two of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy.stats import binom, norm

from plumbline.metrics.intervals import proportions, shares

from .entries import CONFIDENCE, DRAWS, RATES, SIZES, cell, table

SINGLE = ((36, 0.0975), (30, 0.117), (20, 0.819))  # where Wilson's interval covers little
# Sizes of two groups far apart, and their rates.
UNEQUAL = (
    (5, 3000, 0.5, 0.8), (12, 1000, 0.6, 0.8), (12, 1000, 0.8, 0.6), (10, 100, 0.1, 0.3),
    (10, 100, 0.5, 0.5), (20, 5000, 0.3, 0.5), (20, 5000, 0.05, 0.3), (50, 1000, 0.1, 0.1),
)  # fmt: skip
LEVELS = (0.95, 0.99, 0.999, 1 - 1e-6)
RATE_WORDS = """\
Entries are enumerated. The interval's error is at most 4/3 of the stated one, by construction and
at every level; that of small counts is mostly far less, because they are few: each end can only be
one of few numbers, and is put on the safe side."""
FLOOR_WORDS = """\
The greatest error over all rates, as a multiple of the stated error, and the size at which it is
found: just beside the ends of all intervals of 10 to 2,000 rows (every size to 100, then every
hundredth). Beside it that of Wilson's interval, for whose rare events there is no bound."""


def tables() -> list[str]:
    return [
        "## A rate", RATE_WORDS, share_table(), FLOOR_WORDS, floor_table(),
        "## Two rates of groups of very different size",
        "Enumerated. A ratio is undefined where the second rate is 0.", unequal_table(),
        "## A difference of two rates", pair_table("difference"),
        "## A ratio of two rates", pair_table("ratio"),
    ]  # fmt: skip


def share_table() -> str:
    rows = []
    for n in SIZES:
        rows.append([f"{n:,}", *(cell(100 * share_coverage(n, rate)) for rate in RATES)])
    lowest = [
        f"{n} rows at {rate:g}: {cell(100 * share_coverage(n, rate))}, "
        f"Wilson's {100 * share_coverage(n, rate, wilson):.1f}"
        for n, rate in SINGLE
    ]
    found = table(["rows of the group", *(f"rate {rate:g}" for rate in RATES)], rows)
    return found + "\n\nWhere Wilson's interval covers little: " + "; ".join(lowest) + "."


def share_coverage(n: int, rate: float, interval: Callable = shares.share_interval) -> float:
    k = np.arange(n + 1)
    low, high = interval(k, n, confidence=CONFIDENCE)
    return float(binom.pmf(k, n, rate)[(low <= rate) & (rate <= high)].sum())


def floor_table() -> str:
    rows = []
    for level in LEVELS:
        entries = []
        for interval in (shares.share_interval, wilson):
            sizes = (*range(10, 101), *range(200, 2001, 100))
            worst = max((worst_error(interval, n, level), n) for n in sizes)
            entries += [f"{worst[0] / (1 - level):.3g}", f"{worst[1]:,}"]
        rows.append([f"{level:.10g}", *entries])
    return table(["confidence", "greatest error / stated", "rows", "Wilson's", "rows"], rows)


def wilson(
    successes: np.ndarray, trials: int, *, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    z2 = norm.isf((1 - confidence) / 2) ** 2
    centre = (successes + z2 / 2) / (trials + z2)
    half = np.sqrt(z2 * (successes * (trials - successes) / trials + z2 / 4)) / (trials + z2)
    return centre - half, centre + half


def worst_error(interval: Callable, n: int, level: float) -> float:
    """Return the greatest probability, over all rates, that the interval misses the rate."""
    low, high = interval(np.arange(n + 1), n, confidence=level)
    ends = np.concatenate([low[1:], high[:-1]])
    rates = np.concatenate([ends * (1 - 1e-7), ends + 1e-7 * (1 - ends)])
    first, last = np.searchsorted(high, rates), np.searchsorted(low, rates, side="right")
    return float((binom.cdf(first - 1, n, rates) + binom.sf(last - 1, n, rates)).max())


def unequal_table() -> str:
    rows = []
    for n1, n2, first, second in UNEQUAL:
        one, other = (np.arange(n + 1) for n in (n1, n2))
        law = np.outer(binom.pmf(one, n1, first), binom.pmf(other, n2, second))
        estimates = [
            (k / n, *shares.share_interval(k, n, confidence=CONFIDENCE))
            for k, n in ((one[:, None], n1), (other[None], n2))
        ]
        entries = []
        for ends, truth in (
            (proportions.mover_difference(*estimates), first - second),
            (proportions.mover_ratio(*estimates), first / second),
        ):
            low, high = ends
            defined = ~np.isnan(low)
            held = law[(low <= truth + 1e-12) & (truth <= high + 1e-12)].sum()
            entries.append(cell(100 * float(held / law[defined].sum())))
        rows.append([f"{n1:,} at {first:g}, {n2:,} at {second:g}", *entries])
    return table(["groups", "difference", "ratio"], rows)


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
