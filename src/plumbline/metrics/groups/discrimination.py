"""Ranking and calibration of groups, from the score bins of a contingency table.

With a bin for every score the values are exact. With bins of ranges (`score_bins`) AUROC takes the
scores within a bin as ties; by how much it may be off is computed and added to its interval.
Calibration in the large stays exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.metrics.groups.contingency import ContingencyTable, table_to_contingency
from plumbline.metrics.groups.counting import sum_by
from plumbline.metrics.groups.scored_cells import ScoredCells, scored_groups
from plumbline.metrics.intervals.auroc import auroc_interval
from plumbline.metrics.intervals.excess import excess_interval
from plumbline.metrics.intervals.survey_design import Design
from plumbline.metrics.scores import calibration
from plumbline.metrics.scores.curves import roc_points

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_COLUMNS = ["attribute", "group", "metric", "value", "low", "high", "n", "effective"]


def score_rates(
    contingency: ContingencyTable, *, max_order: int, confidence: float
) -> pd.DataFrame:
    """Return AUROC and calibration in the large of every group; see `moments_to_rates`."""
    return moments_to_rates(score_moments(contingency, max_order=max_order), confidence=confidence)


def area_of_rows(
    y_true: npt.ArrayLike, score: npt.ArrayLike, design: Design, *, confidence: float
) -> tuple[float, float, float]:
    """Return the area under the ROC curve of rows with labels 0 and 1, and its interval.

    It is what the audit of these rows says of all of them.
    """
    counted = table_to_contingency(
        pd.DataFrame({"y_true": np.asarray(y_true), "y_pred": 0}),
        attributes=(),
        classes=("0", "1"),
        positive="1",
        score=score,
        weight=design.weight,
        entity=design.entity,
    )
    rows = score_rates(counted, max_order=0, confidence=confidence).set_index("metric")
    value, low, high = rows.loc[[names.AUROC], ["value", "low", "high"]].to_numpy(np.float64)[0]
    return float(value), float(low), float(high)


def score_moments(contingency: ContingencyTable, *, max_order: int) -> pd.DataFrame:
    """Return what the intervals of every group at any confidence are computed from.

    Returns
    -------
    DataFrame
        ``attribute, group, designed`` and the results of `area_moments` and, of scores that are
        probabilities, `excess_moments`.
    """
    designed = contingency.weighted or contingency.clustered
    rows = [
        {"attribute": attribute, "group": group, "designed": designed}
        | area_moments(cells)
        | (excess_moments(cells) if contingency.probabilities else {})
        for attribute, group, cells in scored_groups(contingency, max_order)
    ]
    return pd.DataFrame(rows)


def moments_to_rates(moments: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Return AUROC and, where scores are probabilities, calibration in the large of every group.

    Columns ``attribute, group, metric, value, low, high, n, effective``. AUROC is undefined in a
    group that lacks one of the labels; its n is the rows of the rarer label. Calibration in the
    large is the mean score minus the share of positives: above 0, the scores are too high.
    """
    given = {name: moments[name].to_numpy() for name in moments}
    low, high = auroc_interval(
        given["area"],
        given["area_variance"],
        given["freedom"],
        given["positives"],
        given["negatives"],
        confidence=confidence,
    )
    area = (
        given["area"], np.maximum(low - given["bound"], 0), np.minimum(high + given["bound"], 1),
        given["rarer"],
    )  # fmt: skip
    found = {names.AUROC: area}
    if "excess" in given:
        ends = excess_interval(
            given["excess"],
            given["share"],
            given["size"],
            variance=given["excess_variance"],
            predicted=given["predicted"],
            designed=bool(given["designed"].any()),
            confidence=confidence,
        )
        found[names.CALIBRATION_IN_THE_LARGE] = (given["excess"], *ends, given["rows"])
    frames = [
        moments[["attribute", "group"]].assign(
            metric=metric, value=value, low=low, high=high, n=n, effective=np.nan
        )
        for metric, (value, low, high, n) in found.items()
    ]
    both = pd.concat(frames).sort_index(kind="stable")  # the metrics of a group stand together
    return both.reset_index(drop=True)[_COLUMNS]


def calibration_errors(
    contingency: ContingencyTable, *, max_order: int, confidence: float
) -> pd.DataFrame:
    """Return the expected calibration error of every group; columns as `moments_to_rates`.

    A small group's error is large by chance: it is described, not compared.
    """
    rows = []
    for attribute, group, cells in scored_groups(contingency, max_order):
        value = low = high = float("nan")
        if cells.units > 1 and cells.weight.sum() > 0:
            sums = calibration.bin_sums(
                calibration.score_bins(cells.lowest),
                cells.score,
                cells.positive,
                weight=cells.weight,
                weight2=cells.weight2,
                unit=cells.cluster if cells.clustered else None,
            )
            value, low, high = calibration.calibration_error(sums, confidence=confidence)
        n = int(cells.n.sum())
        rows.append((attribute, group, names.ECE, value, low, high, n, np.nan))
    return pd.DataFrame(rows, columns=_COLUMNS)


def roc_curves(contingency: ContingencyTable, *, confidence: float) -> list[dict[str, Any]]:
    """Return the ROC curve of every group of every attribute that has rows of both labels.

    Returns
    -------
    list of dict
        ``attribute, group, positives, negatives`` (rows), ``fpr`` and ``tpr`` (from 0 to 1, at most
        `curves.ROC_POINTS` points of the curve itself), ``margin_fpr`` and ``margin_tpr``: half
        widths of a band that contains the whole true curve with ``confidence``; None for weighted
        rows and entities, for which no such band is known.
    """
    found = []
    for attribute, group, cells in scored_groups(contingency, 1):
        sides = [int(cells.n[side].sum()) for side in (cells.positive, ~cells.positive)]
        weights = [cells.weight[side].sum() for side in (cells.positive, ~cells.positive)]
        if attribute == names.OVERALL or not min(weights) > 0:
            continue
        fpr, tpr = _roc(cells)
        independent = not (contingency.weighted or contingency.clustered)
        margins = [_margin(n, confidence) if independent else None for n in sides]
        found.append(
            {
                "attribute": attribute, "group": group, "positives": sides[0],
                "negatives": sides[1], "fpr": fpr.tolist(), "tpr": tpr.tolist(),
                "margin_fpr": margins[1], "margin_tpr": margins[0],
            }
        )  # fmt: skip
    return found


def _roc(cells: ScoredCells) -> tuple[Floats, Floats]:
    size = int(cells.bin.max()) + 1
    above, below = (
        np.bincount(cells.bin[side], weights=cells.weight[side], minlength=size)[::-1]
        for side in (cells.positive, ~cells.positive)
    )
    return roc_points(above, below)


def _margin(n: int, confidence: float) -> float:
    """Return the band's half width around a distribution of n rows; both labels share the error."""
    return float(np.sqrt(np.log(2 / (1 - np.sqrt(confidence))) / (2 * n)))


def area_moments(cells: ScoredCells) -> dict[str, float]:
    """Return the area under the ROC curve of a group, and what its interval needs.

    Returns
    -------
    dict
        ``area`` (NaN if a label has no row or no weight), ``area_variance`` by DeLong's placements,
        ``freedom`` of it by Satterthwaite, ``positives`` and ``negatives`` (effective numbers),
        ``rarer`` (rows of the rarer label), ``bound``: how far the area is at most from that of
        single scores.
    """
    _, place = np.unique(cells.bin, return_inverse=True)
    size = int(place.max(initial=-1)) + 1
    place = place + size * cells.positive

    def by_bin(values: Floats | Integers) -> Floats:
        return sum_by(place, values, 2 * size).reshape(2, size)

    effective = [cells.effective(side) for side in (~cells.positive, cells.positive)]
    rarer = int(by_bin(cells.n).sum(axis=1).min())
    found = {
        "area": np.nan, "area_variance": np.nan, "freedom": np.nan, "bound": 0.0,
        "positives": effective[1], "negatives": effective[0], "rarer": rarer,
    }  # fmt: skip
    weight = by_bin(cells.weight)
    whole = weight.sum(axis=1, keepdims=True)
    if not rarer or not (whole > 0).all():
        return found
    below, above = weight / whole
    # Placements: share of the other label that a row is ranked right against, ties by half.
    placement = np.stack([1 - np.cumsum(above) + above / 2, np.cumsum(below) - below / 2])
    value = min(max(float(above @ placement[1]), 0.0), 1.0)
    influence = ((placement - value) / whole).ravel()[place]
    wide = np.zeros(size, dtype=bool)
    wide[place % max(size, 1)] = cells.wide
    variance, freedom = _area_variance(cells, influence, effective)
    return found | {
        "area": value,
        "area_variance": variance,
        "freedom": freedom,
        "bound": float((below * above)[wide].sum()) / 2,
    }


def _area_variance(
    cells: ScoredCells, influence: Floats, effective: list[float]
) -> tuple[float, float]:
    """Return the variance of the area and its degrees of freedom; of entities those of fewer."""
    if cells.clustered:
        units = [len(np.unique(cells.cluster[side])) for side in (cells.positive, ~cells.positive)]
        return cells.variance_of_sum(influence), min(units) - 1.0
    parts, freedom = [], []
    for label, size in enumerate(effective):
        side = cells.positive == bool(label)
        rows = int(cells.n[side].sum())
        if rows < 2:
            return float("nan"), 0.0
        parts.append(float((cells.weight2 * influence**2)[side].sum()) * rows / (rows - 1))
        freedom.append(max(size - 1, 1e-9))
    spread = sum(part**2 / own for part, own in zip(parts, freedom, strict=True))
    return sum(parts), sum(parts) ** 2 / spread if spread > 0 else 0.0


def excess_moments(cells: ScoredCells) -> dict[str, float]:
    """Return the mean of score minus label of a group, and what `excess_interval` needs."""
    whole, n = float(cells.weight.sum()), int(cells.n.sum())
    found: dict[str, float] = {"rows": n, "size": cells.effective()}
    if cells.units < 2 or not whole > 0:
        return found | dict.fromkeys(("excess", "share", "excess_variance", "predicted"), np.nan)
    excess = cells.score - cells.positive
    value = float(cells.weight @ excess / whole)
    influence = (excess - value) / whole
    variance, by_row = (cells.variance_of_sum(influence, by_row=alone) for alone in (False, True))
    predicted = float((cells.weight2 * cells.score * (1 - cells.score)).sum()) / whole**2
    if by_row > 0:  # entities vary more than their rows would by themselves
        predicted *= max(variance / by_row, 1.0)
    return found | {
        "excess": value,
        "share": float(cells.weight @ cells.positive / whole),
        "excess_variance": variance * found["size"],
        "predicted": max(predicted, 0.0) * found["size"],
    }
