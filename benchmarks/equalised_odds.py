"""Thresholds by group under equalised odds, against fairlearn's ThresholdOptimizer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin

from plumbline.mitigation.postprocessing.equalised_odds import (
    RandomizedThresholds,
    fit_randomized_thresholds,
)

import measure
from measure import Row, faster, take_turns

ROWS, GROUPS = 100_000, 5
GRID = 1000  # the peer's default: its optimum may be off by a step of it


class Known(ClassifierMixin, BaseEstimator):
    """An estimator whose probability is its only feature."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> Known:
        """Learn nothing."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities of both labels."""
        return np.column_stack([1 - x[:, 0], x[:, 0]])


def rows() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    group, y = rng.integers(GROUPS, size=ROWS), rng.integers(2, size=ROWS)
    z = (y - 0.5) * (1 + 0.3 * group) + rng.normal(size=ROWS)
    score = 1 / (1 + np.exp(-z))

    known = Known().fit(score[:, None], y)

    def ours() -> RandomizedThresholds:
        return fit_randomized_thresholds(score, y, group)

    def peer() -> ThresholdOptimizer:
        made = ThresholdOptimizer(
            estimator=known, constraints="equalized_odds", objective="accuracy_score",
            prefit=True, predict_method="predict_proba", grid_size=GRID,
        )  # fmt: skip
        return made.fit(score[:, None], y, sensitive_features=group)

    def accuracy(chance: np.ndarray) -> float:
        return float(np.where(y == 1, chance, 1 - chance).mean())

    theirs = accuracy(peer()._pmf_predict(score[:, None], sensitive_features=group)[:, 1])
    exact = accuracy(ours()(score, group))
    assert theirs - 1e-9 <= exact <= theirs + 1 / GRID
    yield faster(
        19, "equalised-odds thresholds of 5 groups", f"{ROWS:,}", "fairlearn",
        take_turns(ours, peer), goal=30,
        note=f"accuracy of the optimum {exact:.6f}, of the peer's (grid of {GRID:,}) {theirs:.6f}",
    )  # fmt: skip


if __name__ == "__main__":
    measure.main(rows, __doc__)
