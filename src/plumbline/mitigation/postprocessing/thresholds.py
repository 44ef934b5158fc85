"""Postprocessing of scores: thresholds, calibration and rejection by group.

Settings are chosen on validation rows, by their weights. The group must be known when a decision is
made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.mitigation.problem import Codes, Floats, Rows

GRID = np.linspace(0.01, 0.99, 99)
MARGINS = np.linspace(0.5, 0.8, 31)


def equal_opportunity_thresholds(rows: Rows, score: Floats, *, threshold: float = 0.5) -> Floats:
    """Return a threshold per group ``(G,)`` that brings true positive rates together.

    Each is the threshold of `GRID` whose rate is nearest to that of all rows at the threshold of
    the model; of equals the one nearest to that threshold (M. Hardt, E. Price and N. Srebro,
    "Equality of opportunity in supervised learning", NeurIPS 2016).
    """
    positive, weight = rows.y == 1, rows.weight
    wanted = _share(score[positive] >= threshold, weight[positive])
    found = []
    for group in range(int(rows.group.max()) + 1):
        own = positive & (rows.group == group)
        off = np.abs(_share(score[own, None] >= GRID, weight[own]) - wanted)
        near = np.flatnonzero(off <= off.min() + 1e-12)
        found.append(GRID[near[np.argmin(np.abs(GRID[near] - threshold))]])
    return np.asarray(found)


@dataclass(frozen=True)
class GroupCalibration:
    """Platt's sigmoid for each group: ``slope, intercept (G,)`` of the logit."""

    slope: Floats
    intercept: Floats

    def __call__(self, score: Floats, group: Codes) -> Floats:
        """Return calibrated probabilities."""
        z = self.slope[group] * _logit(score) + self.intercept[group]
        return np.asarray(0.5 * (1 + np.tanh(z / 2)), dtype=np.float64)


def calibrate_groups(rows: Rows, score: Floats) -> GroupCalibration:
    """Fit Platt's sigmoid in each group.

    J. Platt, "Probabilistic outputs for support vector machines" (1999), with his smoothed targets;
    by group as in G. Pleiss et al., "On fairness and calibration", NeurIPS 2017.
    """
    from sklearn.linear_model import LogisticRegression

    found = []
    for group in range(int(rows.group.max()) + 1):
        own = rows.group == group
        z, y, times = _logit(score[own])[:, None], rows.y[own], rows.weight[own]
        # A target of t stands for a row of class 1 with weight t and one of class 0 with 1 - t.
        ones, zeros = (times * y).sum(), (times * (1 - y)).sum()
        target = np.where(y == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
        twice = np.concatenate([z, z])
        weight = np.concatenate([times * target, times * (1 - target)])
        label = np.repeat([1, 0], len(z))
        model = LogisticRegression(C=1e6, max_iter=1000).fit(twice, label, sample_weight=weight)
        found.append((float(model.coef_[0, 0]), float(model.intercept_[0])))
    slope, intercept = np.asarray(found).T
    return GroupCalibration(slope, intercept)


@dataclass(frozen=True)
class RejectOption:
    """Within ``margin`` of the boundary the groups that are ``raised (G,)`` get 1, others 0.

    ``threshold`` is the boundary. The margin is of scores whose odds are divided by those of the
    boundary, so that it lies at 1/2.
    """

    margin: float
    raised: Codes
    threshold: float = 0.5

    def __call__(self, score: Floats, group: Codes) -> Codes:
        """Return decisions."""
        middle = _around_half(score, self.threshold)
        unsure = np.maximum(middle, 1 - middle) < self.margin
        return np.where(unsure, self.raised[group], score >= self.threshold).astype(np.int64)


def fit_reject_option(rows: Rows, score: Floats, *, threshold: float = 0.5) -> RejectOption:
    """Return the reject option whose selection rates lie nearest together on these rows.

    F. Kamiran, A. Karim and X. Zhang, "Decision theory for discrimination-aware classification",
    ICDM 2012. Groups that are selected less often than all together are raised; of equal margins
    the smallest is taken.
    """
    decided, groups = score >= threshold, int(rows.group.max()) + 1

    def rates(chosen: npt.NDArray[Any]) -> Floats:
        of = [rows.group == group for group in range(groups)]
        return np.array([_share(chosen[own], rows.weight[own]) for own in of])

    raised = (rates(decided) < _share(decided, rows.weight)).astype(np.int64)
    spread = []
    for margin in MARGINS:
        made = RejectOption(float(margin), raised, threshold)(score, rows.group)
        spread.append(np.ptp(rates(made)))
    return RejectOption(float(MARGINS[int(np.argmin(spread))]), raised, threshold)


def _share(chosen: npt.NDArray[Any], weight: Floats) -> Any:
    """Return the share of the weights ``(N,)`` that is chosen, along the first axis."""
    return weight @ chosen / weight.sum()


def _around_half(score: Floats, threshold: float) -> Floats:
    """Return scores whose odds are divided by those of a threshold, which becomes 1/2."""
    if threshold == 0.5:
        return score
    z = _logit(score) - _logit(np.array(threshold))
    return np.asarray(0.5 * (1 + np.tanh(z / 2)), dtype=np.float64)


def _logit(score: Floats) -> Floats:
    safe = np.clip(score, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(safe) - np.log1p(-safe), dtype=np.float64)
