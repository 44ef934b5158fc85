"""Weighted rows, entities with several rows, AUROC."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.metrics.groups import contingency, discrimination
from plumbline.metrics.groups import rates as groups
from plumbline.metrics.groups.confusions import contingency_to_counts

from .entries import CONFIDENCE, GAP_DRAWS, cell, table


def tables() -> list[str]:
    return ["## Weighted rows, entities with several rows, AUROC", design_table()]


def design_table() -> str:
    rng, rows = np.random.default_rng(3), []
    for n in (30, 100, 300, 1000):
        held = np.zeros((GAP_DRAWS, 3))
        for i in range(GAP_DRAWS):
            weight = rng.gamma(2, size=n)
            # Weights go with the outcome: the truth is the weighted rate, 0.3 · 1.5 / 1.15.
            y = (rng.random(n) < 0.3).astype(int)
            weighted = covers(y, np.where(y == 1, 1.5, 1.0) * weight, None, 0.45 / 1.15)
            # Entities of four rows whose own rate varies: Beta(1.5, 3.5) has mean 0.3.
            own = np.repeat(rng.beta(1.5, 3.5, size=n), 4)
            z = (rng.random(4 * n) < own).astype(int)
            clustered = covers(z, None, np.repeat(np.arange(n), 4), 0.3)
            held[i] = weighted, clustered, auroc_holds(rng, n)
        rows.append([f"{n:,}", *(cell(100 * float(h)) for h in held.mean(axis=0))])
    header = ["rows (or entities)", "weighted rate", "rate of entities with four rows each",
              "AUROC of 0.71"]  # fmt: skip
    return f"{GAP_DRAWS:,} draws an entry.\n\n" + table(header, rows)


def covers(y: np.ndarray, weight: np.ndarray | None, entity: object, truth: float) -> bool:
    frame = pd.DataFrame({"y_true": 1, "y_pred": y})
    counted = contingency.table_to_contingency(
        frame, attributes=(), classes=("0", "1"), positive="1", weight=weight, entity=entity
    )
    counts = contingency_to_counts(counted, max_order=0, overall=True)
    rate = groups.counts_to_rates(counts, confidence=CONFIDENCE).set_index("metric")
    row = rate.loc[names.SELECTION_RATE]
    return bool(row["low"] <= truth <= row["high"])


def auroc_holds(rng: np.random.Generator, n: int) -> bool:
    from scipy.special import expit, ndtr

    y = rng.integers(2, size=n)
    score = expit(rng.normal(size=n) + 0.8 * y)
    counted = contingency.table_to_contingency(
        pd.DataFrame({"y_true": y, "y_pred": 0}), attributes=(), classes=("0", "1"), positive="1",
        score=score,
    )  # fmt: skip
    rows = discrimination.score_rates(counted, max_order=0, confidence=CONFIDENCE)
    row = rows.set_index("metric").loc[names.AUROC]
    return bool(row["low"] <= ndtr(0.8 / np.sqrt(2)) <= row["high"])
