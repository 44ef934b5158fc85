"""The widest gap of several groups."""

from __future__ import annotations

import numpy as np

from plumbline.audit import pairs
from plumbline.metrics.intervals import proportions, shares

from .entries import CONFIDENCE, GAP_DRAWS, cell, table


def tables() -> list[str]:
    return ["## The widest of many gaps", gap_table()]


def gap_table() -> str:
    worlds = {
        "2 equal": [0.3, 0.3],
        "2 apart": [0.3, 0.4],
        "5 equal": [0.3] * 5,
        "5, one apart": [0.2, 0.3, 0.3, 0.3, 0.3],
        "5, evenly apart": [0.1, 0.2, 0.3, 0.4, 0.5],
        "5, two at each end": [0.2, 0.2, 0.3, 0.4, 0.4],
        "10 equal": [0.3] * 10,
    }
    rng, rows = np.random.default_rng(2), []
    for n in (100, 1000, 10_000, 100_000):
        entries = []
        for truth in worlds.values():
            p = np.array(truth)
            held = [gap_holds(rng.binomial(n, p), n, p) for _ in range(GAP_DRAWS)]
            entries.append(cell(100 * float(np.mean(held))))
        rows.append([f"{n:,}", *entries])
    words = (
        "Highest minus lowest rate of one metric and attribute. The lower end is the largest of "
        "all pairs' lower ends, which hold together, so that it agrees with the verdict; the upper "
        "end is the largest of all pairs' upper ends, each of which has the error that one pair's "
        "lower end leaves. Where several groups are tied at an end, as they are here to the last "
        "digit, it is wider than it need be: no sample can tell tied groups from near ones, for "
        "which it is not."
    )
    return words + "\n\n" + table(["rows of each group", *worlds], rows)


def gap_holds(k: np.ndarray, n: int, truth: np.ndarray) -> bool:
    size = np.full(len(k), float(n))
    compared = len(k) * (len(k) - 1) // 2
    labels = np.array([str(i) for i in range(len(k))], dtype=object)
    found = []
    for level in levels(CONFIDENCE, compared):
        ends = shares.share_interval(k, size, confidence=level)
        rows = pairs.Rows(labels, k / n, *ends, size.astype(int), size)
        found.append(pairs.pairwise(rows, "difference"))
    low, high = pairs.range_interval(*found, "difference")
    return bool(low <= truth.max() - truth.min() <= high)


def levels(confidence: float, compared: int) -> tuple[float, float]:
    """Return the confidence of the near and of the far end of a gap."""
    return proportions.bonferroni(confidence, compared), pairs.far_level(confidence, compared)
