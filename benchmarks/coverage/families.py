"""All gaps of an audit together."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.audit.build import statistics_to_audit
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import contingency
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.intervals import proportions, shares

from .entries import CONFIDENCE, GAP_DRAWS, cell, table
from .gaps import levels
from .rates import ratio_interval


def tables() -> list[str]:
    return [
        "## All gaps of an audit together",
        family_table(),
        "### Few rows beside many",
        spread_table(),
    ]


FAMILY_WORLDS = {
    # Positives of each age, and what the decision selects of negatives and positives by sex.
    "nothing differs": ((0.4, 0.4, 0.4), ((0.2, 0.7), (0.2, 0.7))),
    "selection by sex": ((0.4, 0.4, 0.4), ((0.15, 0.6), (0.25, 0.8))),
    "base rates by age": ((0.3, 0.4, 0.5), ((0.2, 0.7), (0.2, 0.7))),
    "both": ((0.3, 0.4, 0.5), ((0.15, 0.6), (0.25, 0.8))),
}


def family_table() -> str:
    rng, rows = np.random.default_rng(5), []
    for world, (base, selected) in FAMILY_WORLDS.items():
        p = family_cells(base, selected)
        for n in (300, 3000, 30_000):
            drawn = rng.multinomial(n, p, size=GAP_DRAWS).astype(float)
            held, alarm, holm = together(drawn, np.round(p * 1e12)[None])
            same_as_an_audit(drawn[0])
            rows.append(
                [world, f"{n:,}", cell(100 * held), f"{100 * alarm:.1f}", f"{100 * holm:.1f}"]
            )
    words = (
        "An audit of two sexes, three age bands and their intersection in six metrics (18 "
        f"hypotheses), {GAP_DRAWS:,} tables an entry: how often the intervals of *all* "
        "differences and ratios hold their truths, and how often a verdict calls some gap a "
        "difference that is none. Beside it what Holm's procedure, which has no such intervals, "
        "would reject wrongly."
    )
    header = ["world", "rows", "all hold, %", "false alarm, %", "Holm's, %"]
    return words + "\n\n" + table(header, rows)


def together(drawn: np.ndarray, law: np.ndarray) -> tuple[float, float, float]:
    """Return how often all intervals hold, some verdict and some Holm-adjusted p is wrong."""
    held, alarm = np.ones(len(drawn), dtype=bool), np.zeros(len(drawn), dtype=bool)
    raw, null = [], []
    for key in FAMILY:
        truth, gap = widest(law, key), widest(drawn, key)
        for comparison in ("difference", "ratio"):
            value = truth[comparison][0]
            _, low, high = gap[comparison]
            missed = (low > value + 1e-9) | (high < value - 1e-9)
            held &= ~missed
        equal = truth["difference"][0][0] < 1e-9
        alarm |= (gap["difference"][1] > 0) & equal
        raw.append(gap["p"])
        null.append(equal)
    adjusted = np.array([shares.holm(p) for p in np.array(raw).T])
    holm = (adjusted[:, np.array(null)] <= 1 - CONFIDENCE).any(axis=1)
    return float(held.mean()), float(alarm.mean()), float(holm.mean())


METRICS = (names.SELECTION_RATE, names.TPR, names.FPR, names.PPV, names.NPV, names.ACCURACY)
FAMILY = list(itertools.product(("sex", "age", "sex×age"), METRICS))


def widest(counts: np.ndarray, key: tuple[str, str]) -> dict[str, np.ndarray]:
    """Return value and ends of the gap of many tables ``(D, cells)`` at once, and its p."""
    attribute, metric = key
    cube = counts.reshape(-1, 2, 3, 2, 2)  # sex, age, truth, decision
    cube = (
        cube.reshape(-1, 6, 2, 2)
        if attribute == "sex×age"
        else (cube.sum(axis=2 if attribute == "sex" else 1))
    )
    cells = {"tp": cube[..., 1, 1], "fp": cube[..., 0, 1], "tn": cube[..., 0, 0],
             "fn": cube[..., 1, 0]}  # fmt: skip
    above, below = (sum(cells[c] for c in part) for part in groups.RATES[metric])
    i, j = np.triu_indices(above.shape[1], k=1)
    share = above / below
    swap = share[:, i] < share[:, j]
    top, bottom = np.where(swap, j, i), np.where(swap, i, j)
    row = np.arange(len(share))[:, None]
    large, small = ((above[row, g], below[row, g]) for g in (top, bottom))
    near, far = levels(proportions.bonferroni(CONFIDENCE, len(FAMILY)), len(i))
    found = range_of_pairs(large, small, near, far)
    found["p"] = np.minimum(shares.difference_p(large, small).min(axis=1) * len(i), 1)
    return found


def range_of_pairs(
    large: tuple[np.ndarray, np.ndarray],
    small: tuple[np.ndarray, np.ndarray],
    near: float,
    far: float,
) -> dict[str, np.ndarray]:
    """Return value and ends of the widest gap, from the counts of all pairs, ``(D, pairs)``."""
    apart = large[0] / large[1] - small[0] / small[1]
    low, _ = shares.difference_interval(large, small, confidence=near)
    below, above = shares.difference_interval(large, small, confidence=far)
    wide = np.maximum(above, -below).max(axis=1)
    found = {"difference": (apart.max(axis=1), np.maximum(low.max(axis=1), 0), wide)}
    below, above = ratio_interval(small, large, confidence=far)
    _, high = ratio_interval(small, large, confidence=near)
    with np.errstate(invalid="ignore"):  # 0 of 0
        value = (small[0] / small[1] / (large[0] / large[1])).min(axis=1)
    wide = np.minimum(below, 1 / above).min(axis=1)
    found["ratio"] = (value, wide, np.minimum(high.min(axis=1), 1))
    return found


def spread_table() -> str:
    """Return the coverage of ten gaps together, each of a few rows beside many."""
    rng, rows = np.random.default_rng(6), []
    base = np.linspace(0.1, 0.7, 10)
    for n in ((50, 1000), (20, 5000), (200, 200)):
        for apart in (0.0, 0.1, 0.2):
            draws = 5 * GAP_DRAWS
            few = rng.binomial(n[0], base, size=(draws, 10))
            many = rng.binomial(n[1], base + apart, size=(draws, 10))
            held = {name: np.ones(draws, dtype=bool) for name in ("difference", "ratio")}
            alarm = np.zeros(draws, dtype=bool)
            near, far = levels(proportions.bonferroni(CONFIDENCE, 10), 1)
            for place, rate in enumerate(base):
                k = np.stack([few[:, place], many[:, place]], axis=1)
                share = k / np.array(n)
                up = share[:, 1] >= share[:, 0]
                sides = [
                    (np.where(up, k[:, a], k[:, b])[:, None], np.where(up, n[a], n[b])[:, None])
                    for a, b in ((1, 0), (0, 1))
                ]
                with np.errstate(invalid="ignore", divide="ignore"):
                    found = range_of_pairs(*sides, near, far)
                for name, value in (("difference", apart), ("ratio", rate / (rate + apart))):
                    _, low, high = found[name]
                    held[name] &= np.isnan(low) | ((low - 1e-9 <= value) & (value <= high + 1e-9))
                alarm |= (found["difference"][1] > 0) & (apart == 0)
            percents = [cell(100 * float(held[name].mean())) for name in held]
            alarms = f"{100 * alarm.mean():.1f}" if apart == 0 else ""
            rows.append([f"{n[0]:,} and {n[1]:,}, {apart:g} apart", *percents, alarms])
    words = (
        "Ten attributes of two groups, with rates from .1 to .7 in the smaller group and so much "
        "more in the larger one: how often all ten intervals hold. Bold entries have two reasons. "
        "Where a gap is smaller than what its pair leaves open in the other direction, the far end "
        "cannot miss, and the near end's half of the error is left. A count of 20 or 50 rows takes "
        "few values at rates near 0, so that its interval misses less often than its part of the "
        "family allows."
    )
    header = ["rows of the groups", "differences, %", "ratios, %", "false alarm, %"]
    return words + "\n\n" + table(header, rows)


def same_as_an_audit(counts: np.ndarray) -> None:
    """Check that an audit of the table has the ends that `widest` has."""
    audited = family_gaps(counts)
    for attribute, metric in FAMILY:
        own = widest(counts[None], (attribute, metric))
        for comparison in ("difference", "ratio"):
            gap = audited[attribute, metric, comparison]
            ends = [float(end[0]) for end in own[comparison]]
            if not np.allclose([gap["value"], gap["low"], gap["high"]], ends, atol=1e-9):
                raise AssertionError(f"{attribute} {metric}: {gap} is not {ends}")


def family_cells(base: tuple[float, ...], selected: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Return the probability of each sex, age, truth and decision, in that order."""
    cells = [
        (1 / len(selected) / len(base))
        * (positive if truth else 1 - positive)
        * (rates[truth] if decided else 1 - rates[truth])
        for rates in selected
        for positive in base
        for truth in (0, 1)
        for decided in (0, 1)
    ]
    return np.array(cells)


def family_gaps(counts: np.ndarray) -> dict[tuple[str, str, str], dict[str, object]]:
    sex, age, truth, decided = np.indices((2, 3, 2, 2)).reshape(4, -1)
    zero, rows = np.zeros(len(sex), dtype=np.int64), np.round(counts)
    counted = contingency.collapse(
        contingency.ContingencyTable(
            ("sex", "age"), (("f", "m"), ("1", "2", "3")), ("0", "1"), "1", np.empty(0),
            np.stack([sex, age], axis=1), truth, decided, zero, zero, rows.astype(np.int64), rows,
            rows, np.zeros(len(sex)),
        )
    )  # fmt: skip
    audit = statistics_to_audit(
        contingency_to_statistics(counted, max_order=2), pd.DataFrame(columns=groups.RATE_COLUMNS),
        AuditOptions(CONFIDENCE, 1, 0, min_group_size=1, max_order=2),
    )  # fmt: skip
    return {(g["attribute"], g["metric"], g["comparison"]): g for g in audit["gaps"]}
