"""Curves of a classifier: ROC curve, reliability diagram and confusion matrix, as plain numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import shares
from plumbline.metrics.intervals.survey_design import PLAIN, Design

Floats = npt.NDArray[np.float64]

ROC_POINTS = 200  # of one curve at most
RELIABILITY_BINS = 8


def classifier_curves(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    positive: int | None,
    confidence: float,
    design: Design = PLAIN,
) -> dict[str, Any]:
    """Return the curves of a classifier on one split.

    Parameters
    ----------
    y_true, y_pred : array_like of int, (N,)
        Class codes in 0…K-1.
    scores : array_like, (N, K)
        Predicted probabilities.
    positive : int or None
        Code of the positive class of two; None where no class is.
    confidence : float
        Of the intervals, in (0, 1).
    design : Design
        Weights and entities of the rows.

    Returns
    -------
    dict
        ``confusion`` (`confusion_matrix`), ``reliability`` (`reliability_curve` of the positive
        class, or of the largest probability) and, with a positive class and rows of both classes,
        ``roc``: ``fpr`` and ``tpr``.
    """
    true, decided, probabilities = np.asarray(y_true), np.asarray(y_pred), np.asarray(scores)
    found: dict[str, Any] = {
        "confusion": confusion_matrix(true, decided, classes=probabilities.shape[1]).tolist()
    }
    if positive is None:
        outcome, predicted = true == decided, probabilities.max(axis=1)
    else:
        outcome, predicted = true == positive, probabilities[:, positive]
        weight = design.weights(len(true))
        if weight[outcome].sum() > 0 and weight[~outcome].sum() > 0:
            fpr, tpr = roc_curve(outcome, predicted, weight=design.weight)
            found["roc"] = {"fpr": fpr.tolist(), "tpr": tpr.tolist()}
    found["reliability"] = reliability_curve(
        outcome, predicted, confidence=confidence, design=design
    )
    return found


def confusion_matrix(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, *, classes: int
) -> npt.NDArray[np.int64]:
    """Return the number of rows of each true class (row) and predicted class (column), (K, K)."""
    codes = np.asarray(y_true, dtype=np.int64) * classes + np.asarray(y_pred, dtype=np.int64)
    return np.bincount(codes, minlength=classes**2).reshape(classes, classes)


def roc_curve(
    positive: npt.NDArray[np.bool_], score: Floats, *, weight: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return false and true positive rates over all thresholds, from (0, 0) to (1, 1).

    Parameters
    ----------
    positive : bool array, (N,)
        Rows of both kinds.
    score : float array, (N,)
    weight : float array, (N,), optional
    """
    place = np.unique(-score, return_inverse=True)[1]  # rows of one score pass a threshold together
    each = np.ones(len(score)) if weight is None else weight
    above, below = (
        np.bincount(place[side], weights=each[side], minlength=int(place.max()) + 1)
        for side in (positive, ~positive)
    )
    return roc_points(above, below)


def roc_points(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the corners of a ROC curve, at most `ROC_POINTS`; all are points of the curve.

    Parameters
    ----------
    positives, negatives : array_like, (T,)
        Weight of the rows of either kind at each score, the highest score first; both sums > 0.

    Returns
    -------
    fpr, tpr : float array
    """
    above, below = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    used = np.flatnonzero(above + below)  # a score that no row has is no point of the curve
    tpr, fpr = (np.append(0.0, np.cumsum(side[used]) / side.sum()) for side in (above, below))
    # A point within a vertical or horizontal stretch is no corner.
    step = np.stack([np.diff(fpr) > 0, np.diff(tpr) > 0])
    straight = (step[:, 1:] == step[:, :-1]).all(axis=0) & ~step[:, 1:].all(axis=0)
    kept = np.flatnonzero(np.concatenate([[True], ~straight, [True]]))
    if len(kept) > ROC_POINTS:
        kept = kept[np.round(np.linspace(0, len(kept) - 1, ROC_POINTS)).astype(int)]
    return fpr[kept], tpr[kept]


def reliability_curve(
    outcome: npt.NDArray[np.bool_],
    predicted: Floats,
    *,
    confidence: float,
    bins: int = RELIABILITY_BINS,
    design: Design = PLAIN,
) -> dict[str, list[Any]]:
    """Return predicted probability against observed frequency, in quantile bins.

    The edges are quantiles of the predicted probabilities, so that bins hold about equally many
    rows; rows of one probability are in one bin, and empty bins are left out.

    Parameters
    ----------
    outcome : bool array, (N,)
        Whether the predicted event came true.
    predicted : float array, (N,)
        Predicted probability of the event, in [0, 1].
    confidence : float
        Of the intervals of the frequencies, in (0, 1).
    bins : int
    design : Design

    Returns
    -------
    dict of lists, one entry per bin
        ``n`` (rows), ``predicted`` (mean), ``observed``, ``low``, ``high``.
    """
    edges = np.quantile(predicted, np.linspace(0, 1, bins + 1))[1:-1]
    _, place = np.unique(np.searchsorted(edges, predicted), return_inverse=True)
    count = int(place.max(initial=-1)) + 1
    weight = design.weights(len(place))
    whole = np.bincount(place, weights=weight, minlength=count)
    sums = np.bincount(place, weights=weight * predicted, minlength=count)
    mean = np.divide(sums, whole, out=np.full(count, np.nan), where=whole > 0)
    observed = design.rates(outcome, place, count)
    low, high = shares.share_interval(observed.successes, observed.trials, confidence=confidence)
    found = {"predicted": mean, "observed": observed.value, "low": low, "high": high}
    return {"n": np.bincount(place).tolist(), **{key: v.tolist() for key, v in found.items()}}
