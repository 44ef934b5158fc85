"""The change that a mitigation method makes, on the same rows.

Two intervals that overlap do not tell whether a method changed anything: both sets of decisions are
about the same people. Rows are therefore resampled in pairs, as counts of (group, label, decision
before, decision after), which is the bootstrap of rows (see `intervals.resample_counts`). Weighted
rows are summed by their weights, and rows of one entity are drawn together. A row that is selected
at random counts as selected by its probability, and as not selected by the rest: what is measured
is the expectation over the method's own draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.metrics.intervals.survey_design import Design
from plumbline.mitigation.problem import Codes, Floats, Rows


def decision_change(
    rows: Rows, before: Codes, after: Codes | Floats, options: Resampling
) -> dict[str, dict[str, float]]:
    """Return the change of accuracy and of the equalised-odds gap, after minus before.

    Parameters
    ----------
    rows : Rows
        With labels ``y``.
    before : array, (N,)
        Decisions 0 or 1.
    after : array, (N,)
        Decisions, or probabilities of selection.
    options : Resampling
        Of the percentile bootstrap.

    Returns
    -------
    dict
        ``accuracy`` and ``gap``, each ``{value, low, high}``; the gap is the larger one of true and
        false positive rates between any two groups, NaN where a group lacks a class.
    """
    groups = int(rows.group.max()) + 1
    row, decision, design = halves(after, rows.design)
    code = ((rows.group * 2 + rows.y) * 2 + before)[row] * 2 + decision
    shape = (groups, 2, 2, 2)
    cells = np.bincount(code, design.weights(len(row)), minlength=8 * groups).astype(np.float64)
    draws = {"replicates": options.replicates, "seed": options.seed}
    if design.plain:
        drawn = proportions.resample_counts(cells, **draws).astype(float)
    else:
        drawn = design.replicates(code, 8 * groups, **draws)
    found = {}
    for name, measure in (("accuracy", _accuracy), ("gap", _gap)):
        many = _change(measure, drawn.reshape(-1, *shape))
        low, high = proportions.percentile(many, confidence=options.confidence)
        value = float(_change(measure, cells.reshape(shape)))
        found[name] = {"value": value, "low": low, "high": high}
    return found


def halves(selected: Codes | Floats, design: Design) -> tuple[Codes, Codes, Design]:
    """Return decisions as rows that are certain: a random one as a part selected and a part not.

    The parts of a row have its weight times their probability and belong to one entity. So sums
    over them are expectations over the random decisions, and variances over entities are those of
    drawing rows alone: of a mean of probabilities, which varies less than one of drawn decisions.
    (Intervals of rates take a row's parts to be worth less than two rows, which makes them wider.)

    Parameters
    ----------
    selected : array, (N,)
        Decisions, or probabilities of selection.
    design : Design
        Of the rows.

    Returns
    -------
    row, decision : int arrays, (M,)
        Number of the row that each part is of, and 0 or 1.
    design : Design
        Of the parts; the given one if no decision is random.
    """
    chance = np.asarray(selected, dtype=np.float64)
    if not ((chance > 0) & (chance < 1)).any():
        return np.arange(len(chance)), chance.astype(np.int64), design
    row = np.concatenate([np.flatnonzero(chance > 0), np.flatnonzero(chance < 1)])
    decision = np.repeat([1, 0], [(chance > 0).sum(), (chance < 1).sum()])
    part = np.where(decision == 1, chance[row], 1 - chance[row])
    weight, entity = design.weights(len(chance)), design.units(len(chance))
    return row, decision, Design(weight[row] * part, entity[row])


def _change(measure: Any, cells: Floats) -> Any:
    """Return the measure of the last axis minus that of the one before it."""
    return measure(cells.sum(axis=-2)) - measure(cells.sum(axis=-1))


def _accuracy(cells: Floats) -> Floats:
    """Return accuracies of counts ``(…, group, label, decision)``."""
    right = cells[..., 0, 0] + cells[..., 1, 1]
    return np.asarray(right.sum(axis=-1) / cells.sum(axis=(-3, -2, -1)), dtype=np.float64)


def _gap(cells: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = cells[..., 1] / cells.sum(axis=-1)  # (…, group, label)
    spread = rates.max(axis=-2) - rates.min(axis=-2)
    return np.asarray(spread.max(axis=-1), dtype=np.float64)
