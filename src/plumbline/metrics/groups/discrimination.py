"""Ranking and calibration of groups, read off the score bins of a contingency table.

With a bin for every score the values are exact; with `score_bins.BINS` bins of one width, AUROC
takes the scores within a bin as ties and calibration in the large stays exact.

Sources
-------
Standard error of AUROC: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845, by
placements; its interval on the logit scale: Qin and Hotilovac, Statistical Methods in Medical
Research 17 (2008) 207-221. Calibration error: `plumbline.metrics.scores.calibration`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.metrics.groups.confusions import combinations
from plumbline.metrics.groups.contingency import ContingencyTable, groups_of
from plumbline.metrics.groups.counting import sum_by
from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.metrics.scores.curves import roc_points

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Scored:
    """Cells of one group: arrays ``(c,)``; ``positive`` says whether the label is."""

    bin: Integers
    positive: npt.NDArray[np.bool_]
    cluster: Integers
    n: Integers
    weight: Floats
    weight2: Floats
    score: Floats  # mean score of the cell
    weighted: bool
    clustered: bool


def score_rates(
    contingency: ContingencyTable, *, max_order: int, confidence: float
) -> pd.DataFrame:
    """Return AUROC and calibration in the large of every group.

    Columns ``attribute, group, metric, value, low, high, n, effective``. AUROC is undefined in a
    group that lacks one of the labels. Calibration in the large is the mean score minus the share
    of positives: above 0, the scores are too high.
    """
    rows = []
    for attribute, group, cells in _groups(contingency, max_order):
        for metric, measure in (
            (names.AUROC, auroc),
            (names.CALIBRATION_IN_THE_LARGE, calibration_in_the_large),
        ):
            value, low, high, n = measure(cells, confidence=confidence)
            rows.append((attribute, group, metric, value, low, high, n, np.nan))
    columns = ["attribute", "group", "metric", "value", "low", "high", "n", "effective"]
    return pd.DataFrame(rows, columns=columns)


def calibration_errors(
    contingency: ContingencyTable, options: Resampling, *, max_order: int
) -> pd.DataFrame:
    """Return the expected calibration error of every group; columns as `score_rates`.

    Scores of the positive class go to `CALIBRATION_BINS` bins of one width, closed below as the
    decision "score >= threshold" is. The interval is the basic bootstrap's, with normal draws of
    the bins' sums of (score - label), whose covariance is that of rows, or of clusters. A small
    group's error is large by chance: it is described, not compared.
    """
    rng, rows = np.random.default_rng(options.seed), []
    for attribute, group, cells in _groups(contingency, max_order):
        value, low, high, n = _calibration_error(cells, options, rng)
        rows.append((attribute, group, names.ECE, value, low, high, n, np.nan))
    columns = ["attribute", "group", "metric", "value", "low", "high", "n", "effective"]
    return pd.DataFrame(rows, columns=columns)


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
    for attribute, group, cells in _groups(contingency, 1):
        sides = [int(cells.n[side].sum()) for side in (cells.positive, ~cells.positive)]
        if attribute == names.OVERALL or not min(sides):
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


def _roc(cells: Scored) -> tuple[Floats, Floats]:
    size = int(cells.bin.max()) + 1
    above, below = (
        np.bincount(cells.bin[side], weights=cells.weight[side], minlength=size)[::-1]
        for side in (cells.positive, ~cells.positive)
    )
    return roc_points(above, below)


def _margin(n: int, confidence: float) -> float:
    """Return the band's half width around a distribution of n rows; both labels share the error."""
    return float(np.sqrt(np.log(2 / (1 - np.sqrt(confidence))) / (2 * n)))


def auroc(cells: Scored, *, confidence: float) -> tuple[float, float, float, int]:
    """Return AUROC, its interval, and rows of the rarer label.

    Where the labels are separated perfectly no variance can be estimated; the interval is then that
    of a share whose trials are the rows of the rarer label, which is wide.
    """
    value, standard_error, n = auroc_and_error(cells)
    if np.isnan(value):
        return value, value, value, n
    if value in (0.0, 1.0) or standard_error == 0:
        low, high = shares.share_interval(value * n, n, confidence=confidence)
        return value, float(low), float(high), n
    logit = np.log(value / (1 - value))
    half = proportions.critical_value(confidence) * standard_error / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-(logit - half))), 1 / (1 + np.exp(-(logit + half)))
    return value, float(low), float(high), n


def auroc_and_error(cells: Scored) -> tuple[float, float, int]:
    """Return AUROC, its standard error, and rows of the rarer label; NaN if a label is missing."""
    size = int(cells.bin.max(initial=-1)) + 1
    place = cells.bin + size * cells.positive

    def by_bin(values: Floats | Integers) -> Floats:
        return sum_by(place, values, 2 * size).reshape(2, size)

    counts = by_bin(cells.n)
    rows = counts.sum(axis=1)
    n = int(rows.min())
    if n == 0:
        return float("nan"), float("nan"), 0
    weight, weight2 = (
        (by_bin(cells.weight), by_bin(cells.weight2)) if cells.weighted else (counts, counts)
    )
    whole = weight.sum(axis=1, keepdims=True)
    if not (whole > 0).all():
        return float("nan"), float("nan"), n
    below, above = weight
    # Placements: share of the other label that a row is ranked right against, ties by half.
    of_negative = (whole[1] - np.cumsum(above) + above / 2) / whole[1]
    of_positive = (np.cumsum(below) - below / 2) / whole[0]
    value = float(above @ of_positive / whole[1, 0])
    influence = (np.stack([of_negative, of_positive]) - value) / whole
    if cells.clustered:
        variance = _clustered(cells.cluster, cells.weight * influence.ravel()[place])
    else:
        by_label = (weight2 * influence**2).sum(axis=1)
        correction = np.divide(rows, rows - 1, out=np.full(2, np.nan), where=rows > 1)
        variance = float(by_label @ correction)
    return value, float(np.sqrt(variance)), n


def calibration_in_the_large(
    cells: Scored, *, confidence: float
) -> tuple[float, float, float, int]:
    """Return mean score minus share of positives, its interval, and the number of rows."""
    n, whole = int(cells.n.sum()), cells.weight.sum()
    if n < 2 or not whole > 0:
        return float("nan"), float("nan"), float("nan"), n
    excess = cells.score - cells.positive
    value = float(cells.weight @ excess / whole)
    influence = (excess - value) / whole
    if cells.clustered:
        variance = _clustered(cells.cluster, cells.weight * influence)
    else:
        variance = float((cells.weight2 * influence**2).sum()) * n / (n - 1)
    half = proportions.critical_value(confidence) * np.sqrt(variance)
    return value, value - half, value + half, n


def _calibration_error(
    cells: Scored, options: Resampling, rng: np.random.Generator
) -> tuple[float, float, float, int]:
    n, whole = int(cells.n.sum()), cells.weight.sum()
    if n < 2 or not whole > 0:
        return float("nan"), float("nan"), float("nan"), n
    place = np.minimum((cells.score * CALIBRATION_BINS + 1e-9).astype(int), CALIBRATION_BINS - 1)
    excess = cells.score - cells.positive
    sums = np.bincount(place, weights=cells.weight * excess, minlength=CALIBRATION_BINS)
    value = float(np.abs(sums).sum() / whole)
    normal = rng.normal(size=(options.replicates, CALIBRATION_BINS))
    if cells.clustered:
        drawn = sums + normal @ _covariance_root(cells, place, cells.weight * excess)
    else:
        square = np.bincount(place, weights=cells.weight2 * excess**2, minlength=CALIBRATION_BINS)
        drawn = sums + np.sqrt(square) * normal
    low, high = proportions.basic(
        value, np.abs(drawn).sum(axis=1) / whole, confidence=options.confidence, minimum=0
    )
    return value, low, high, n


def _covariance_root(cells: Scored, place: Integers, values: Floats) -> Floats:
    """Return R with RᵀR the covariance of the bins' sums over independent clusters, ``(15, 15)``.

    Rows of a cluster in two bins move together; within a bin they do not cancel.
    """
    from scipy.sparse import csr_array

    _, own = np.unique(cells.cluster, return_inverse=True)
    shape = (int(own.max()) + 1, CALIBRATION_BINS)
    by_cluster = csr_array((values, (own, place)), shape=shape)
    found, directions = np.linalg.eigh((by_cluster.T @ by_cluster).toarray())
    root: Floats = (directions * np.sqrt(np.maximum(found, 0))).T
    return root


def _clustered(cluster: Integers, influence: Floats) -> float:
    _, own = np.unique(cluster, return_inverse=True)
    sums = np.bincount(own, weights=influence)
    return float((sums**2).sum() * len(sums) / (len(sums) - 1)) if len(sums) > 1 else float("nan")


def _groups(contingency: ContingencyTable, max_order: int) -> list[tuple[str, str, Scored]]:
    positive = contingency.true == contingency.classes.index(str(contingency.positive))
    with np.errstate(invalid="ignore"):
        mean = contingency.score / contingency.weight
    without = contingency.weight == 0
    mean[without] = contingency.edges[contingency.bin[without]]
    found = []
    for chosen in combinations(contingency.attributes, max_order=max_order, overall=True):
        attribute, labels, codes = groups_of(contingency, chosen)
        # Cells stand in the order of the first attributes' groups, whose cells are then a slice.
        sorted_ = bool((codes[:-1] <= codes[1:]).all())
        order = None if sorted_ else np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes, np.arange(len(labels) + 1), sorter=order)
        for i, label in enumerate(labels):
            span = slice(ends[i], ends[i + 1])
            own = span if order is None else order[span]
            cells = Scored(
                contingency.bin[own],
                positive[own],
                contingency.cluster[own],
                contingency.n[own],
                contingency.weight[own],
                contingency.weight2[own],
                mean[own],
                contingency.weighted,
                contingency.clustered,
            )
            found.append((attribute, label, cells))
    return found
