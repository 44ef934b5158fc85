"""The change that a mitigation method makes, on the same rows.

Two intervals that overlap do not tell whether a method changed anything: both sets of decisions are
about the same people. Rows are therefore resampled in pairs, as counts of (group, label, decision
before, decision after), which is the bootstrap of rows (see `intervals.resample_counts`). Weighted
rows are summed by their weights, and rows of one entity are drawn together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.mitigation.problem import Codes, Floats, Rows


def decision_change(
    rows: Rows, before: Codes, after: Codes, options: Resampling
) -> dict[str, dict[str, float]]:
    """Return the change of accuracy and of the equalised-odds gap, after minus before.

    Parameters
    ----------
    rows : Rows
        With labels ``y``.
    before, after : arrays, (N,)
        Decisions 0 or 1.
    options : Resampling
        Of the percentile bootstrap.

    Returns
    -------
    dict
        ``accuracy`` and ``gap``, each ``{value, low, high}``; the gap is the larger one of true and
        false positive rates between any two groups, NaN where a group lacks a class.
    """
    groups = int(rows.group.max()) + 1
    code = ((rows.group * 2 + rows.y) * 2 + before) * 2 + after
    shape = (groups, 2, 2, 2)
    cells = np.bincount(code, rows.weight, minlength=8 * groups).astype(np.float64)
    draws = {"replicates": options.replicates, "seed": options.seed}
    if rows.design.plain:
        drawn = proportions.resample_counts(cells, **draws).astype(float)
    else:
        drawn = rows.design.replicates(code, 8 * groups, **draws)
    found = {}
    for name, measure in (("accuracy", _accuracy), ("gap", _gap)):
        many = _change(measure, drawn.reshape(-1, *shape))
        low, high = proportions.percentile(many, confidence=options.confidence)
        value = float(_change(measure, cells.reshape(shape)))
        found[name] = {"value": value, "low": low, "high": high}
    return found


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
