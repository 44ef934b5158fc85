"""The smallest gap that an audit would have shown."""

from __future__ import annotations

import numpy as np

from plumbline.audit.pairs import Rows, pairwise
from plumbline.metrics.intervals import power, proportions, shares

from .entries import CONFIDENCE, table

POWER_DRAWS = 4000
# Sizes of the groups, the first of which is the lowest and the last the highest; the others have
# the pooled rate of the two.
WORLDS = (
    ((30, 30), 0.5),
    ((50, 1000), 0.1),
    ((1000, 50), 0.1),
    ((12, 300), 0.4),
    ((400, 400), 0.05),
    ((5000, 20_000), 0.3),
    ((200, 200, 200), 0.3),
    ((200, 200, 200, 200, 200), 0.3),
    ((50, 400, 400, 400, 50), 0.3),
    ((50, 5000, 5000, 50), 0.3),
)
HYPOTHESES = (1, 18)


def tables() -> list[str]:
    return ["## The smallest gap that an audit would have shown", power_table()]


def power_table() -> str:
    rng, rows = np.random.default_rng(4), []
    for sizes, pooled in WORLDS:
        row = [", ".join(f"{n:,}" for n in sizes) + f" at {pooled:g}"]
        for hypotheses in HYPOTHESES:
            row += entries(np.array(sizes), pooled, hypotheses, rng)
        rows.append(row)
    words = (
        "The gap between the lowest and the highest group that the audit says would have been "
        "shown in 80 % of samples, at the level of all pairs and of a family of so many "
        f"hypotheses; in how many of {POWER_DRAWS:,} samples (standard error 0.6) the interval of "
        "this pair showed it, and in how many the verdict was a difference, for this or another "
        "pair. Groups between the two have their pooled rate. What is promised is about the pair, "
        "and the verdict is a difference at least as often, here within 5 points of 80: more often "
        "where a third group differs from one of the two."
    )
    header = ["groups"]
    for hypotheses in HYPOTHESES:
        header += [f"gap, family of {hypotheses}", "pair, %", "verdict, %"]
    return words + "\n\n" + table(header, rows)


def entries(
    sizes: np.ndarray, pooled: float, hypotheses: int, rng: np.random.Generator
) -> list[str]:
    compared = len(sizes) * (len(sizes) - 1) // 2
    level = proportions.bonferroni(CONFIDENCE, hypotheses * compared)
    (gap,), (lower,) = power.detectable_difference(
        ([sizes[0] * pooled], [sizes[0]]),
        ([sizes[-1] * pooled], [sizes[-1]]),
        confidence=level,
        power=0.8,
    )
    if np.isnan(gap):
        return ["none", "", ""]
    truth = np.full(len(sizes), pooled)
    truth[0], truth[-1] = lower, lower + gap
    labels = np.array([str(i) for i in range(len(sizes))], dtype=object)
    own = verdict = 0
    for k in rng.binomial(sizes, truth, size=(POWER_DRAWS, len(sizes))):
        low, high = shares.share_interval(k, sizes, confidence=level)
        rows = Rows(labels, k / sizes, low, high, sizes, sizes.astype(float))
        pairs = pairwise(rows, "difference")
        shown = pairs.low > 0
        verdict += shown.any()
        own += (shown & (pairs.lowest == 0) & (pairs.highest == len(sizes) - 1)).any()
    return [f"{gap:.4f}", f"{100 * own / POWER_DRAWS:.1f}", f"{100 * verdict / POWER_DRAWS:.1f}"]
