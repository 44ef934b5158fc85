"""Decomposition of a gap into base rates, model and composition.

The gap between two groups, in the share that is selected and in the share that is decided wrongly,
is split in two ways, each exactly, into parts that add up to it.

*Base rates and the model.* A group with base rate p is selected at the rate
``p · TPR + (1 - p) · FPR``, and decided wrongly at ``p · FNR + (1 - p) · FPR``. The part of base
rates is what the difference of p would make with the mean of both groups' rates, the parts of the
model what the difference of each rate would make at the mean of both base rates (Kitagawa,
"Components of a difference between two rates", JASA 50 (1955) 1168-1194; in economics named after
Oaxaca and Blinder).

*Composition.* Groups also differ in who is in them by the other attributes. Within strata of those
the gap is split into the part of composition and the part that remains when both groups have the
mean of their compositions, again by Kitagawa. Strata that lack one of the groups say nothing; the
part of the gap that they make is given by itself (Ñopo, Review of Economics and Statistics 90
(2008) 290-299).

This is arithmetic, not causation: `CANNOT` says what it leaves open. ``R`` replicates, ``S``
strata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.metrics.groups.contingency import ContingencyTable, collapse, without_scores
from plumbline.metrics.groups.grouping import occurring, pooled_groups
from plumbline.metrics.groups.replicates import replicate_counts
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.resampling import Resampling

Floats = npt.NDArray[np.float64]

ERROR_RATE = "error_rate"
SPLIT = (names.SELECTION_RATE, ERROR_RATE)
# Parts in the order in which they are shown.
MODEL_PARTS = ("base_rates", "positives", "negatives")
COMPOSITION_PARTS = ("composition", "within", "unmatched")
CANNOT = (
    "Labels are taken as they are. If one group's labels are wrong more often, that shows as a "
    "difference of base rates or of error rates, and nothing in these counts tells which.",
    "Too few rows of a group in the training data show, if at all, as a part of the model: how "
    "much of it more rows would remove is known only after fitting again, with other weights or "
    "other rows.",
    "A part of base rates or of composition is no excuse: it says where the gap would be looked "
    "for, not that it ought to be.",
)
_CELLS = 4  # tp, fp, tn, fn
_MOST, _FEWEST = 2000, 500  # replicates
_MOST_VALUES = 20_000_000  # replicates × cells
MOST_STRATA = _MOST_VALUES // (_FEWEST * 2 * _CELLS)


def contingency_to_causes(
    contingency: ContingencyTable,
    gaps: Sequence[Mapping[str, Any]],
    options: Resampling,
) -> list[dict[str, Any]]:
    """Return the parts of the widest gap of selection rates by each attribute.

    Parameters
    ----------
    contingency : ContingencyTable
        With a positive class.
    gaps : sequence of mapping
        Those of the audit: they name the two groups.
    options : Resampling
        Of the percentile bootstrap of rows (of entities, where there are some). No more than
        2000 replicates, which are enough for percentiles; fewer, but 500, of very many cells.

    Returns
    -------
    list of dict
        For each attribute and each of `SPLIT`: ``attribute, metric, highest, lowest, strata`` (the
        other attributes; none of more than `MOST_STRATA`, and of a table that is not kept whole),
        ``matched`` (share of both groups' rows that is in strata with both; None without strata),
        ``gap`` (its interval stands among the gaps of the audit) and the parts, each
        ``{value, low, high}``. ``positives`` and ``negatives`` are what
        the model does among those with and without the positive label. All parts of base rates and
        model add up to the gap, and so do all of composition, which are absent without strata.
        Attributes without two groups that
        have rows of both labels are left out.
    """
    found = []
    whole = without_scores(contingency)
    for gap in gaps:
        single = names.INTERSECTION not in gap["attribute"]
        wanted = gap["metric"] == names.SELECTION_RATE and gap["comparison"] == "difference"
        if not (single and wanted) or gap["lowest"] is None:
            continue
        cells, strata = _stratified(whole, gap["attribute"])
        pair = _pair(cells, gap)
        counts, drawn = _counts(cells, gap["attribute"], pair, options)
        sides = counts.sum(axis=1)
        if not all(side[0] + side[3] and side[1] + side[2] for side in sides):
            continue
        both = counts.sum(axis=2)
        shown = MODEL_PARTS + (COMPOSITION_PARTS if strata else ())
        matched = float(both[:, (both > 0).all(axis=0)].sum() / both.sum()) if strata else None
        for metric in SPLIT:
            value, spread = split(counts[None], metric), split(drawn, metric)
            parts = {
                name: _estimate(value[name], spread[name], options.confidence) for name in shown
            }
            head = {"attribute": gap["attribute"], "metric": metric, "highest": pair[0]}
            found.append(
                head
                | {
                    "lowest": pair[1],
                    "strata": strata,
                    "matched": matched,
                    "gap": float(value["gap"][0]),
                }
                | parts
            )
    return found


def split(counts: Floats, metric: str) -> dict[str, Floats]:
    """Return the gap, first group minus second, and its parts, ``(R,)`` each.

    Parameters
    ----------
    counts : ndarray, (R, 2, S, 4)
        Weights of tp, fp, tn and fn of two groups in each stratum; NaN where a group lacks a label.
    metric : {'selection_rate', 'error_rate'}
    """
    tp, fp, tn, fn = np.moveaxis(counts.sum(axis=2), -1, 0)
    hit = tp if metric == names.SELECTION_RATE else fn
    with np.errstate(invalid="ignore", divide="ignore"):
        base = (tp + fn) / (tp + fp + tn + fn)
        of_positives, of_negatives = hit / (tp + fn), fp / (fp + tn)
    rate = base * of_positives + (1 - base) * of_negatives
    mean = base.mean(axis=1)
    return {
        "gap": _apart(rate),
        "base_rates": _apart(base) * (of_positives - of_negatives).mean(axis=1),
        "positives": mean * _apart(of_positives),
        "negatives": (1 - mean) * _apart(of_negatives),
        **_composition(counts, metric),
    }


def _composition(counts: Floats, metric: str) -> dict[str, Floats]:
    rows = counts.sum(axis=3)
    tp, fp, _, fn = np.moveaxis(counts, -1, 0)
    hits = tp + fp if metric == names.SELECTION_RATE else fn + fp
    matched = (rows > 0).all(axis=1)[:, None, :]
    inside = rows * matched
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(matched, hits / rows, 0.0)
        share = inside / inside.sum(axis=2, keepdims=True)
        whole = hits.sum(axis=2) / rows.sum(axis=2)
    composition = (_apart(share) * rate.mean(axis=1)).sum(axis=-1)
    within = (share.mean(axis=1) * _apart(rate)).sum(axis=-1)
    return {
        "composition": composition,
        "within": within,
        "unmatched": _apart(whole) - composition - within,
    }


def _apart(values: Floats) -> Floats:
    """Return first minus second group, which stand on axis 1."""
    difference: Floats = values[:, 0] - values[:, 1]
    return difference


def _stratified(whole: ContingencyTable, attribute: str) -> tuple[ContingencyTable, list[str]]:
    """Return the cells of an attribute, and the other attributes whose values are the strata.

    None, where the table is not kept whole or has too many strata.
    """
    strata = [name for name in whole.attributes if name != attribute]
    cells = whole.of((attribute,))
    if whole.margins:
        return cells, []
    place = cells.attributes.index(attribute)
    others = [cells.codes[:, i] for i in range(len(cells.attributes)) if i != place]
    groups = [own for i, own in enumerate(cells.values) if i != place]
    count = len(occurring(others, groups)[0]) if strata else 1
    if count <= MOST_STRATA and count * len(cells.values[place]) * _CELLS <= _MOST_VALUES:
        return cells, strata
    alone = replace(
        cells, attributes=(attribute,), values=(cells.values[place],),
        codes=cells.codes[:, place : place + 1],
    )  # fmt: skip
    return collapse(alone), []


def _pair(cells: ContingencyTable, gap: Mapping[str, Any]) -> tuple[str, str]:
    """Return the groups of a gap, of tied ones those that their members choose, not their names."""
    place = cells.attributes.index(gap["attribute"])
    values, own = cells.values[place], cells.codes[:, place]
    kind = _kind(cells)
    others = np.unique(np.delete(cells.codes, place, axis=1), axis=0, return_inverse=True)[1]
    width = int(others.max(initial=0)) + 1
    # Strata by the members of all groups, then each group by its members of every stratum.
    stratum = _by_content(kind, others.reshape(-1), width, cells.weight)
    content = np.bincount(
        (own * width + stratum) * _CELLS + kind, cells.weight, len(values) * width * _CELLS
    ).reshape(len(values), width * _CELLS)
    rows = np.bincount(own, cells.n, len(values))
    by_kind = content.reshape(len(values), width, _CELLS).sum(axis=1)
    rate = np.round((by_kind[:, 0] + by_kind[:, 1]) / by_kind.sum(axis=1), 9)
    order = np.lexsort(np.round(content, 9).T)

    def tied(group: str) -> list[str]:
        one = values.index(group)
        return [
            values[i]
            for i in order
            if rate[i] == rate[one]
            and rows[i] == rows[one]
            and values[i] != names.UNKNOWN
            and not pooled_groups(values[i])
        ] or [group]

    return tied(gap["highest"])[-1], tied(gap["lowest"])[0]


def _kind(cells: ContingencyTable) -> npt.NDArray[np.int64]:
    """Return tp, fp, tn or fn of each cell, in the order of `shares.CELLS`."""
    positive = cells.classes.index(str(cells.positive))
    truth, decision = cells.true == positive, cells.decided == positive
    return np.where(decision, np.where(truth, 0, 1), np.where(truth, 3, 2))


def _counts(
    cells: ContingencyTable, attribute: str, pair: tuple[str, str], options: Resampling
) -> tuple[Floats, Floats]:
    """Return counts ``(2, S, 4)`` of two groups, and their replicates ``(R, 2, S, 4)``."""
    kind, place = _kind(cells), cells.attributes.index(attribute)
    own = cells.codes[:, place]
    side = np.full(len(own), 2)
    for i, group in enumerate(pair):
        side[own == cells.values[place].index(group)] = i
    others = np.delete(cells.codes, place, axis=1)
    strata, stratum = np.unique(others, axis=0, return_inverse=True)
    width = len(strata)
    stratum = _by_content(side * _CELLS + kind, stratum.reshape(-1), width, cells.weight)
    # Rows of other groups are drawn with them and put into one place, that is left out.
    where = np.where(side < 2, (side * width + stratum) * _CELLS + kind, -1)
    size = 2 * width * _CELLS
    where[where < 0] = size
    counts = np.bincount(where, weights=cells.weight, minlength=size + 1).astype(np.float64)
    draws = min(options.replicates, _MOST, max(_FEWEST, _MOST_VALUES // (size + 1)))
    drawn = replicate_counts(cells, where, size + 1, replicates=draws, seed=options.seed)
    shape = (2, width, _CELLS)
    return counts[:-1].reshape(shape), drawn[:, :-1].reshape(-1, *shape)


def _by_content(
    part: npt.NDArray[np.int64], stratum: npt.NDArray[np.int64], width: int, weight: Floats
) -> npt.NDArray[np.int64]:
    """Return the strata numbered by what is in them, not by the names of their groups.

    Draws go by place: so they do not depend on names, nor on the order of rows.
    """
    parts = 3 * _CELLS  # of the two groups and of all others
    content = np.bincount(stratum * parts + part, weight, minlength=width * parts)
    order = np.lexsort(np.round(content.reshape(width, parts), 9).T)
    place = np.empty(width, dtype=np.int64)
    place[order] = np.arange(width)
    return place[stratum]


def _estimate(value: Floats, drawn: Floats, confidence: float) -> dict[str, float]:
    low, high = proportions.percentile(drawn, confidence=confidence)
    return {"value": float(value[0]), "low": low, "high": high}
