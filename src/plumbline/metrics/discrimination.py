"""Ranking and calibration of groups, read off the score bins of a count tensor.

With a bin for every score the values are exact; with `tensor.BINS` bins of one width, AUROC takes
the scores within a bin as ties and calibration in the large stays exact.

Sources
-------
Standard error of AUROC: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845, by
placements; its interval on the logit scale: Qin and Hotilovac, Statistical Methods in Medical
Research 17 (2008) 207-221. Calibration error: `plumbline.metrics.calibration`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.metrics import intervals, shares
from plumbline.metrics.confusions import combinations
from plumbline.metrics.tensor import Tensor, groups_of

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
    clustered: bool


def score_rates(tensor: Tensor, *, max_order: int, confidence: float) -> pd.DataFrame:
    """Return AUROC and calibration in the large of every group.

    Columns ``attribute, group, metric, value, low, high, n, effective``. AUROC is undefined in a
    group that lacks one of the labels. Calibration in the large is the mean score minus the share
    of positives: above 0, the scores promise too much.
    """
    rows = []
    for attribute, group, cells in _groups(tensor, max_order):
        for metric, measure in (
            (names.AUROC, auroc),
            (names.CALIBRATION_IN_THE_LARGE, calibration_in_the_large),
        ):
            value, low, high, n = measure(cells, confidence=confidence)
            rows.append((attribute, group, metric, value, low, high, n, np.nan))
    columns = ["attribute", "group", "metric", "value", "low", "high", "n", "effective"]
    return pd.DataFrame(rows, columns=columns)


def calibration_errors(
    tensor: Tensor, *, max_order: int, confidence: float, replicates: int, seed: int
) -> pd.DataFrame:
    """Return the expected calibration error of every group; columns as `score_rates`.

    Scores of the positive class go to `CALIBRATION_BINS` bins of one width, closed below as the
    decision "score >= threshold" is. The interval is the basic bootstrap's, with normal draws of
    each bin's sum of (score - label). A small group's error is large by chance: it is described,
    not compared.
    """
    rng, rows = np.random.default_rng(seed), []
    for attribute, group, cells in _groups(tensor, max_order):
        value, low, high, n = _calibration_error(cells, confidence, replicates, rng)
        rows.append((attribute, group, names.ECE, value, low, high, n, np.nan))
    columns = ["attribute", "group", "metric", "value", "low", "high", "n", "effective"]
    return pd.DataFrame(rows, columns=columns)


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
    half = intervals.critical_value(confidence) * standard_error / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-(logit - half))), 1 / (1 + np.exp(-(logit + half)))
    return value, float(low), float(high), n


def auroc_and_error(cells: Scored) -> tuple[float, float, int]:
    """Return AUROC, its standard error, and rows of the rarer label; NaN if a label is missing."""
    sides = [cells.n[cells.positive].sum(), cells.n[~cells.positive].sum()]
    n = int(min(sides))
    if n == 0:
        return float("nan"), float("nan"), 0
    size = int(cells.bin.max()) + 1
    above = np.bincount(cells.bin, weights=cells.weight * cells.positive, minlength=size)
    below = np.bincount(cells.bin, weights=cells.weight * ~cells.positive, minlength=size)
    if not above.sum() > 0 or not below.sum() > 0:
        return float("nan"), float("nan"), n
    # Placements: share of the other label that a row is ranked right against, ties by half.
    of_positive = (np.cumsum(below) - below / 2) / below.sum()
    of_negative = (above.sum() - np.cumsum(above) + above / 2) / above.sum()
    value = float(above @ of_positive / above.sum())
    placement = np.where(cells.positive, of_positive[cells.bin], of_negative[cells.bin])
    share = np.where(cells.positive, 1 / above.sum(), 1 / below.sum())
    influence = (placement - value) * share
    if cells.clustered:
        variance = _clustered(cells.cluster, cells.weight * influence)
    else:
        rows = np.where(cells.positive, sides[0], sides[1]).astype(np.float64)
        correction = np.divide(rows, rows - 1, out=np.full(rows.shape, np.nan), where=rows > 1)
        variance = float((cells.weight2 * influence**2 * correction).sum())
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
    half = intervals.critical_value(confidence) * np.sqrt(variance)
    return value, value - half, value + half, n


def _calibration_error(
    cells: Scored, confidence: float, replicates: int, rng: np.random.Generator
) -> tuple[float, float, float, int]:
    n, whole = int(cells.n.sum()), cells.weight.sum()
    if n < 2 or not whole > 0:
        return float("nan"), float("nan"), float("nan"), n
    place = np.minimum((cells.score * CALIBRATION_BINS + 1e-9).astype(int), CALIBRATION_BINS - 1)
    excess = cells.score - cells.positive
    sums = np.bincount(place, weights=cells.weight * excess, minlength=CALIBRATION_BINS)
    square = np.bincount(place, weights=cells.weight2 * excess**2, minlength=CALIBRATION_BINS)
    value = float(np.abs(sums).sum() / whole)
    drawn = sums + np.sqrt(square) * rng.normal(size=(replicates, CALIBRATION_BINS))
    low, high = intervals.basic(
        value, np.abs(drawn).sum(axis=1) / whole, confidence=confidence, minimum=0
    )
    return value, low, high, n


def _clustered(cluster: Integers, influence: Floats) -> float:
    _, own = np.unique(cluster, return_inverse=True)
    sums = np.bincount(own, weights=influence)
    return float((sums**2).sum() * len(sums) / (len(sums) - 1)) if len(sums) > 1 else float("nan")


def _groups(tensor: Tensor, max_order: int) -> list[tuple[str, str, Scored]]:
    positive = tensor.true == tensor.classes.index(str(tensor.positive))
    mean = np.divide(
        tensor.score,
        tensor.weight,
        out=tensor.edges[tensor.bin].copy(),
        where=tensor.weight > 0,
    )
    found = []
    for chosen in combinations(tensor.attributes, max_order=max_order, overall=True):
        attribute, labels, codes = groups_of(tensor, chosen)
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(labels) + 1))
        for i, label in enumerate(labels):
            own = order[ends[i] : ends[i + 1]]
            cells = Scored(
                tensor.bin[own],
                positive[own],
                tensor.cluster[own],
                tensor.n[own],
                tensor.weight[own],
                tensor.weight2[own],
                mean[own],
                tensor.clustered,
            )
            found.append((attribute, label, cells))
    return found
