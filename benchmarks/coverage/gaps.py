"""The widest gap of several groups."""

from __future__ import annotations

import numpy as np

from plumbline.audit import pairs
from plumbline.metrics.intervals import proportions, shares

from .entries import CONFIDENCE, GAP_DRAWS, cell, table


def tables() -> list[str]:
    return ["## The widest of many gaps", gap_table(), "### Unequal groups", unequal_table()]


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
        "all pairs' lower ends, which are simultaneous, so that it agrees with the verdict; the "
        "upper end is the largest end of any pair in either direction, each of which has the error "
        "that one pair's lower end leaves. Of two equal groups only the lower end can miss. Where "
        "several groups are tied at an end, as they are here to the last "
        "digit, it is wider than it need be: no sample can tell tied groups from near ones, for "
        "which it is not."
    )
    return words + "\n\n" + table(["rows of each group", *worlds], rows)


def unequal_table() -> str:
    rng, rows = np.random.default_rng(3), []
    for sizes, truth in UNEQUAL:
        n, p = np.array(sizes), np.array(truth)
        held = [
            [gap_holds(k, n, p, comparison) for comparison in ("difference", "ratio")]
            for k in rng.binomial(n, p, size=(2 * GAP_DRAWS, len(n)))
        ]
        found = [cell(100 * share) for share in np.mean(held, axis=0)]
        groups = ", ".join(f"{size:,} at {rate:g}" for size, rate in zip(sizes, truth, strict=True))
        rows.append([groups, *found])
    words = (
        "Few rows beside many, where the sample often has the groups the wrong way round: "
        f"{2 * GAP_DRAWS:,} draws an entry. Bold entries have two reasons. Where the true gap is "
        "smaller than what the small group leaves open in the other direction, the far end cannot "
        "miss, and the near end's half of the error is left. Counts of so few rows take few "
        "values, so that the interval of the small group misses less often than stated."
    )
    return words + "\n\n" + table(["groups", "difference", "ratio"], rows)


UNEQUAL = (
    ((5, 3000), (0.5, 0.8)),
    ((12, 1000), (0.6, 0.8)),
    ((12, 1000), (0.8, 0.6)),
    ((20, 5000), (0.1, 0.3)),
    ((50, 1000), (0.1, 0.3)),
    ((50, 1000), (0.3, 0.3)),
    ((50, 1000, 50, 1000), (0.2, 0.3, 0.4, 0.5)),
    ((20, 5000, 20, 5000), (0.2, 0.3, 0.4, 0.5)),
)


def gap_holds(
    k: np.ndarray, n: np.ndarray | int, truth: np.ndarray, comparison: str = "difference"
) -> bool:
    size = np.broadcast_to(np.asarray(n, dtype=float), k.shape)
    compared = len(k) * (len(k) - 1) // 2
    labels = np.array([str(i) for i in range(len(k))], dtype=object)
    found = []
    for level in levels(CONFIDENCE, compared):
        ends = shares.share_interval(k, size, confidence=level)
        rows = pairs.Rows(labels, k / size, *ends, size.astype(int), size)
        found.append(pairs.pairwise(rows, comparison))
    low, high = pairs.range_interval(*found, comparison)
    value = np.ptp(truth) if comparison == "difference" else truth.min() / truth.max()
    undefined = bool(np.isnan(low))  # a ratio to nothing: no interval is printed
    return undefined or bool(low - 1e-12 <= value <= high + 1e-12)


def levels(confidence: float, compared: int) -> tuple[float, float]:
    """Return the confidence of the near and of the far end of a gap."""
    return proportions.bonferroni(confidence, compared), pairs.far_level(confidence, compared)
