"""Ranking and calibration by group: AUROC with few rows of a label, calibration, false verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr, ndtri

from plumbline import names
from plumbline.audit.build import statistics_to_audit
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import discrimination
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.groups.contingency import ContingencyTable, table_to_contingency
from plumbline.metrics.intervals.auroc import auroc_interval
from plumbline.metrics.scores import calibration

from .entries import CONFIDENCE, cell, table

DRAWS = 1_000
TABLES = 100
SETS = 300
BASES = (0.01, 0.05, 0.1, 0.3, 0.5)
Law = Callable[[np.random.Generator, int, float], tuple[np.ndarray, np.ndarray]]


def tables() -> list[str]:
    return [
        "## Ranking and calibration by group",
        area_table(),
        large_table(),
        design_table(),
        error_table(),
        alarm_table(),
    ]


# Positives' and negatives' standard deviations.
SPREADS = {"alike": (1.0, 1.0), "positives wide": (2.0, 1.0), "positives narrow": (0.4, 1.0)}


def area_table() -> str:
    rng, rows = np.random.default_rng(11), []
    for spread, scales in SPREADS.items():
        for m in (3, 5, 10, 20, 50):
            for n in (20, 200, 5000):
                if n < m:
                    continue
                entries = [cell(area_holds(rng, m, n, area, scales)) for area in AREAS]
                rows.append([spread, f"{m}", f"{n:,}", *entries])
    words = (
        f"AUROC of normal scores, {DRAWS:,} draws an entry (fewer with 5,000 negatives). With some "
        "ten positives the audit begins to compare. The interval is the wider one of two: DeLong's "
        "alone covers 60 to 80 % of high areas with few positives, Newcombe's alone 82 % where "
        "positives spread more widely than negatives. So it is too wide where either would do."
    )
    return (
        words
        + "\n\n"
        + table(["spread", "positives", "negatives", *(f"AUROC {area:g}" for area in AREAS)], rows)
    )


AREAS = (0.5, 0.7, 0.9, 0.98)


def area_holds(
    rng: np.random.Generator, m: int, n: int, area: float, scales: tuple[float, float]
) -> float:
    """Return the percentage of intervals that hold; the moments are those of an audit."""
    draws = DRAWS if n < 1000 else DRAWS // 4
    apart = np.hypot(*scales) * ndtri(area)
    found = []
    for _ in range(draws):
        above, below = scales[0] * rng.normal(size=m) + apart, scales[1] * rng.normal(size=n)
        right = np.searchsorted(np.sort(below), above) / n
        left = 1 - np.searchsorted(np.sort(above), below) / m
        parts = np.array([right.var(ddof=1) / m, left.var(ddof=1) / n])
        spread = (parts**2 / (m - 1, n - 1)).sum()
        found.append((right.mean(), parts.sum(), parts.sum() ** 2 / spread if spread else 0.0))
    low, high = auroc_interval(*np.array(found).T, m, n, confidence=CONFIDENCE)
    return 100 * float(((low <= area) & (area <= high)).mean())


def one_score(rng: np.random.Generator, n: int, base: float) -> tuple[np.ndarray, np.ndarray]:
    score = np.full(n, base)
    return score, score


def spread_scores(rng: np.random.Generator, n: int, base: float) -> tuple[np.ndarray, np.ndarray]:
    score = expit(logit(base) + rng.normal(size=n))
    return score, score


def sharp_scores(rng: np.random.Generator, n: int, base: float) -> tuple[np.ndarray, np.ndarray]:
    score = expit(logit(base) + 4 * rng.normal(size=n))
    return score, score


def overconfident(rng: np.random.Generator, n: int, base: float) -> tuple[np.ndarray, np.ndarray]:
    true = logit(base) + rng.normal(size=n)
    return expit(3 * true), expit(true)


LAWS: dict[str, Law] = {
    "one score": one_score,
    "scores spread": spread_scores,
    "scores sharp": sharp_scores,
    "overconfident": overconfident,
}


def counted(
    score: np.ndarray, y: np.ndarray, group: np.ndarray, **design: np.ndarray
) -> ContingencyTable:
    frame = pd.DataFrame({"y_true": y.astype(int), "y_pred": 0, "g": group})
    cells = table_to_contingency(
        frame, attributes=("g",), classes=("0", "1"), positive="1", score=score, **design
    )
    return replace(cells, most=len(frame))  # draws are groups, of which none is to be pooled


def large_table() -> str:
    rng, rows = np.random.default_rng(12), []
    for name, law in LAWS.items():
        for n in (10, 25, 100, 1000):
            entries = [cell(large_holds(rng, law, n, base)) for base in BASES]
            rows.append([name, f"{n:,}", *entries])
    words = (
        f"Calibration in the large, {DRAWS // 2} draws an entry. Scores are right but for the "
        "overconfident ones, whose logits are three times what they should be. Where few rows or "
        "sharp scores leave few surprises, the interval allows for those that chance has left out, "
        "and is too wide."
    )
    return words + "\n\n" + table(["scores", "rows", *(f"base rate {b:g}" for b in BASES)], rows)


def large_holds(rng: np.random.Generator, law: Law, n: int, base: float) -> float:
    """Return the percentage of intervals that hold; each draw is a group of one table."""
    score, chance = law(rng, 400_000, base)
    truth, draws = float((score - chance).mean()), DRAWS // 2
    score, chance = law(rng, n * draws, base)
    y, group = rng.random(len(score)) < chance, np.repeat(np.arange(draws), n)
    return holds(score, y, group, names.CALIBRATION_IN_THE_LARGE, truth)


def holds(
    score: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    metric: str,
    truth: float,
    **design: np.ndarray,
) -> float:
    one = counted(score, y, group, **design)
    found = discrimination.score_rates(one, max_order=1, confidence=CONFIDENCE)
    own = found[
        (found["metric"] == metric) & (found["attribute"] != names.OVERALL) & found["low"].notna()
    ]
    held = (own["low"] <= truth + 1e-12) & (own["high"] >= truth - 1e-12)
    return 100 * float(held.mean())


def design_table() -> str:
    rng, rows = np.random.default_rng(15), []
    for n in (20, 50, 200):
        entries = []
        for base in (0.05, 0.3):
            group = np.repeat(np.arange(SETS), n)
            four, entity = np.repeat(group, 4), np.repeat(np.arange(len(group)), 4)
            weight = rng.lognormal(0, 1, size=len(group))
            score = expit(logit(base) + rng.normal(size=len(group)))
            y = rng.random(len(group)) < score
            large = names.CALIBRATION_IN_THE_LARGE
            entries.append(holds(score, y, group, large, 0.0, weight=weight))
            score = expit(logit(base) + rng.normal(size=len(four)))
            y = ndtr(shared(rng, len(group))) < score
            entries.append(holds(score, y, four, large, 0.0, entity=entity))
            y, area = rng.random(len(group)) < base, float(ndtr(0.8 / np.sqrt(2)))
            score = expit(0.8 * y + rng.normal(size=len(y)))
            entries.append(holds(score, y, group, names.AUROC, area, weight=weight))
            score = expit(0.8 * np.repeat(y, 4) + shared(rng, len(y)))
            entries.append(holds(score, np.repeat(y, 4), four, names.AUROC, area, entity=entity))
        rows.append([f"{n}", *map(cell, entries)])
    words = (
        f"Calibration in the large of right scores, and an AUROC of 0.71: {SETS} draws an entry of "
        "rows with lognormal weights, and of entities with four rows whose chances correlate by "
        "0.49. With few effective rows both intervals allow for what few rows cannot show."
    )
    kinds = ("calibration, weights", "calibration, entities", "AUROC, weights", "AUROC, entities")
    header = [f"{kind}, {base:g}" for base in (0.05, 0.3) for kind in kinds]
    return words + "\n\n" + table(["rows or entities", *header], rows)


def shared(rng: np.random.Generator, entities: int) -> np.ndarray:
    """Return standard normal numbers, four of each entity, that correlate by 0.49 within it."""
    own = rng.normal(size=4 * entities)
    return np.repeat(0.7 * rng.normal(size=entities), 4) + np.sqrt(0.51) * own


def error_table() -> str:
    rng, rows = np.random.default_rng(13), []
    for name, law in LAWS.items():
        for n in (50, 200, 1000, 10_000):
            entries = []
            for base in (0.05, 0.3, 0.5):
                score, chance = law(rng, 1_000_000, base)
                place = calibration.score_bins(score)
                truth = float(np.abs(np.bincount(place, score - chance)).sum() / len(score))
                held = 0
                for _ in range(DRAWS // 4):
                    score, chance = law(rng, n, base)
                    ones = np.ones(n)
                    sums = calibration.bin_sums(
                        calibration.score_bins(score), score, rng.random(n) < chance,
                        weight=ones, weight2=ones,
                    )  # fmt: skip
                    _, low, high = calibration.calibration_error(sums, confidence=CONFIDENCE)
                    held += low <= truth + 1e-12 and truth <= high
                entries.append(cell(100 * held / (DRAWS // 4)))
            rows.append([name, f"{n:,}", *entries])
    words = (
        f"Expected calibration error in fifteen bins, {DRAWS // 4} draws an entry: how often the "
        "interval holds the error that infinitely many rows would show. Its upper end bounds the "
        "error whatever the bins' signs are, and is too high where they are small."
    )
    return words + "\n\n" + table(["scores", "rows", "base rate 0.05", "0.3", "0.5"], rows)


def alarm_table() -> str:
    rng, rows = np.random.default_rng(14), []
    for name in ("one score", "scores spread", "overconfident"):
        law = LAWS[name]
        for small, large in ((25, 1000), (300, 300)):
            entries = []
            for base in (0.05, 0.3):
                alarms = [alarm(rng, law, base, (small, large)) for _ in range(TABLES)]
                wrong = 100 * float(np.mean(alarms))
                entries.append(f"{wrong:.1f}" + (" (!)" if wrong > 9 else ""))
            rows.append([name, f"{small} and {large:,}", *entries])
    words = (
        f"False verdicts: of {TABLES} tables of two groups with one law of scores and labels, the "
        "percentage in which the audit calls any gap a difference, in scores or decisions. More "
        "than 5 % would be wrong; an entry has a standard error of 2.2."
    )
    return words + "\n\n" + table(["scores", "rows", "base rate 0.05", "base rate 0.3"], rows)


def alarm(rng: np.random.Generator, law: Law, base: float, sizes: tuple[int, int]) -> bool:
    score, chance = law(rng, sum(sizes), base)
    one = counted(score, rng.random(len(score)) < chance, np.repeat(["a", "b"], sizes))
    audit = statistics_to_audit(
        contingency_to_statistics(one, max_order=1), pd.DataFrame(columns=groups.RATE_COLUMNS),
        AuditOptions(CONFIDENCE, 1, 0, min_group_size=10, max_order=1),
    )  # fmt: skip
    return any(gap["verdict"] == names.DIFFERENCE for gap in audit["gaps"])
