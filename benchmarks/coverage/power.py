"""The smallest gap that can be detected."""

from __future__ import annotations

import numpy as np

from plumbline.metrics.intervals import power, shares

from .entries import CONFIDENCE, DRAWS, table


def tables() -> list[str]:
    return ["## The smallest gap that can be detected", power_table()]


def power_table() -> str:
    rng, rows = np.random.default_rng(4), []
    for n, others, share in ((10, 90, 0.5), (30, 1000, 0.1), (100, 1000, 0.3), (1000, 9000, 0.3),
                             (10_000, 90_000, 0.01)):  # fmt: skip
        below, above = power.detectable_gap(
            np.array([n]), np.array([share * others]), np.array([others]),
            confidence=CONFIDENCE, power=0.8,
        )  # fmt: skip
        entries = []
        for gap in (-below[0], above[0]):
            if np.isnan(gap):
                entries += ["none", ""]
                continue
            own = rng.binomial(n, share + gap, DRAWS)
            rest = rng.binomial(others, share, DRAWS)
            low, high = shares.difference_interval((own, n), (rest, others), confidence=CONFIDENCE)
            entries += [f"{gap:+.4f}", f"{100 * ((low > 0) | (high < 0)).mean():.1f}"]
        rows.append([f"{n:,} among {others:,} others at {share:g}", *entries])
    words = "The gap that the audit says is found in 80 % of samples, and in how many it was."
    header = ["group", "below", "found, %", "above", "found, %"]
    return words + "\n\n" + table(header, rows)
