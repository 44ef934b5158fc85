"""Preprocessing: training rows are reweighted or resampled.

F. Kamiran and T. Calders, "Data preprocessing techniques for classification without
discrimination", Knowledge and Information Systems 33 (2012) 1-33.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from plumbline.mitigation.inprocessing.linear import cells
from plumbline.mitigation.problem import Codes, Floats, Problem, Rows


def independence_weights(rows: Rows) -> Floats:
    """Return the factor of each row's weight that makes label and group independent.

    ``P(group) P(label) / P(group, label)`` (their section 5.3), with shares of summed weights; the
    sum of all weights stays.
    """
    weight, cell = rows.weight, cells(rows)
    group, label = np.bincount(rows.group, weight), np.bincount(rows.y, weight, minlength=2)
    joint = np.bincount(cell, weight, minlength=2 * len(group))
    found: Floats = group[rows.group] * label[rows.y] / (weight.sum() * joint[cell])
    return found


def independent_draw(rows: Rows, *, seed: int) -> Codes:
    """Return row numbers drawn so that label and group are independent (their section 5.4).

    Cells of group and label that are too large lose random rows; those too small repeat some. Rows
    keep their weights: of weighted rows label and group are independent on average over the draws.
    """
    rng, cell, weight = np.random.default_rng(seed), cells(rows), independence_weights(rows)
    taken = []
    for code in np.unique(cell):
        members = np.flatnonzero(cell == code)
        wanted = round(float(weight[members[0]]) * len(members))
        whole, rest = divmod(wanted, len(members))
        taken += [np.tile(members, whole), rng.choice(members, size=rest, replace=False)]
    return np.sort(np.concatenate(taken))


def plan_settings(rows: int, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return how far a plan is from the training rows as they are.

    ``least`` and ``most``, the factors of the rows' weights; or ``rows`` that are drawn, and
    ``rows_not_once``, how many of all are repeated or left out.
    """
    if (factor := plan.get("weight")) is not None:
        return {"least": float(factor.min()), "most": float(factor.max())}
    if (drawn := plan.get("drawn")) is not None:
        times = np.bincount(drawn, minlength=rows)
        return {"rows": len(drawn), "rows_not_once": int((times != 1).sum())}
    return {}


def training_plan(
    name: str, problem: Problem, strength: float, *, adversary_lr: float, seed: int
) -> dict[str, Any]:
    """Return the arguments of `plumbline.training.recipes.mitigation.TrainingMitigation`."""
    train = problem.train
    plan: dict[str, Any] = {"train_group": train.group, "val_group": problem.val.group}
    if name == "reweighing":
        return {**plan, "weight": independence_weights(train)}
    if name == "resampling":
        return {**plan, "drawn": independent_draw(train, seed=seed)}
    return {**plan, "scheme": name, "strength": strength, "adversary_lr": adversary_lr}
