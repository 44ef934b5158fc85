"""Quality of class decisions and probabilities, for one table and for all bootstrap replicates.

Every metric is written once, for weighted rows: weights ``(N, B)`` give ``B`` values. All ones is
the metric itself; bootstrap counts (`intervals.resample_weights`) are its replicates. ``N``
samples, ``K`` classes, ``B`` columns of weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.scores import calibration

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def accuracy(y_true: Codes, y_pred: Codes, *, weights: Floats) -> Floats:
    """Return the share of right decisions, ``(B,)``."""
    share: Floats = (y_true == y_pred).astype(np.float64) @ weights / weights.sum(axis=0)
    return share


def balanced_accuracy(y_true: Codes, y_pred: Codes, *, classes: int, weights: Floats) -> Floats:
    """Return the mean recall over the classes that have rows, ``(B,)``."""
    hits, actual, _ = _class_sums(y_true, y_pred, classes, weights)
    return _mean_defined(hits, actual)


def f1_macro(y_true: Codes, y_pred: Codes, *, classes: int, weights: Floats) -> Floats:
    """Return the mean F1 over the classes that occur in truth or decision, ``(B,)``."""
    hits, actual, decided = _class_sums(y_true, y_pred, classes, weights)
    return _mean_defined(2 * hits, actual + decided)


def auroc(y_true: Codes, scores: Floats, *, weights: Floats) -> Floats:
    """Return the area under the ROC curve, ``(B,)``; NaN where a class has no weight.

    Two classes: of class 1, by ``scores[:, 1]``. More: the mean over classes of one against the
    rest. The area is P(score of a positive > score of a negative) + P(equal) / 2, from weighted
    mid-ranks (Hanley and McNeil, Radiology 143 (1982) 29-36).
    """
    classes = scores.shape[1]
    if classes == 2:
        return binary_auroc(y_true == 1, scores[:, 1], weights=weights)
    with_rows = [k for k in range(classes) if (y_true == k).any()]
    areas = [binary_auroc(y_true == k, scores[:, k], weights=weights) for k in with_rows]
    return np.asarray(np.mean(areas, axis=0))


def binary_auroc(positive: npt.NDArray[np.bool_], score: Floats, *, weights: Floats) -> Floats:
    """Return the area under the ROC curve of one score, ``(B,)``; see `auroc`."""
    order = np.argsort(score)  # rows of one score are taken together: their order does not matter
    ordered, above = score[order], np.flatnonzero(positive[order])
    below = np.zeros((len(score) + 1, weights.shape[1]))
    np.cumsum(weights[order], axis=0, out=below[1:])
    # Twice the weighted mid-rank of each positive: rows before its tie plus rows up to its end.
    first = np.searchsorted(ordered, ordered[above], side="left")
    last = np.searchsorted(ordered, ordered[above], side="right")
    own = weights[order[above]]
    total, positives = below[-1], own.sum(axis=0)
    twice_ranks = np.einsum("pb,pb->b", own, below[first] + below[last])
    pairs = positives * (total - positives)
    defined = pairs > 0
    area = np.full(len(pairs), np.nan)
    np.divide(twice_ranks - positives**2, 2 * pairs, out=area, where=defined)
    return area


def brier(y_true: Codes, scores: Floats, *, weights: Floats) -> Floats:
    """Return the Brier score, ``(B,)``, in [0, 1].

    Half of the mean over rows of the sum over all K classes of (probability - indicator)²: Brier,
    Monthly Weather Review 78 (1950) 1-3, equation 2. For two classes that is the mean of
    (probability of class 1 - label)². scikit-learn's ``brier_score_loss`` with ``scale_by_half``,
    which for two classes is its default.
    """
    score: Floats = row_losses(y_true, scores)[0] @ weights / weights.sum(axis=0)
    return score


def log_loss(y_true: Codes, scores: Floats, *, weights: Floats) -> Floats:
    """Return the mean negative log-probability of the true class in nats, ``(B,)``.

    A probability of 0 counts as the smallest positive float64, so the loss stays finite.
    """
    loss: Floats = row_losses(y_true, scores)[1] @ weights / weights.sum(axis=0)
    return loss


def expected_calibration_error(
    y_true: Codes, scores: Floats, *, weights: Floats, positive: int | None = None
) -> Floats:
    """Return the expected calibration error, ``(B,)``; see `calibration`."""
    score, outcome = calibration.scored_event(y_true, scores, positive=positive)
    member = _indicator(calibration.score_bins(score), calibration.BINS)
    gaps: Floats = np.abs((member * (score - outcome)) @ weights).sum(axis=0)
    return np.asarray(gaps / weights.sum(axis=0))


def weighted_metrics(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    positive: int | None = None,
    weights: Floats | None = None,
) -> dict[str, Floats]:
    """Return every classification metric by name, ``(B,)`` each; without weights ``B`` is 1.

    Parameters
    ----------
    y_true, y_pred : array_like of int, (N,)
        Class codes in 0…K-1.
    scores : array_like, (N, K)
        Class probabilities.
    positive : int, optional
        Code of the positive class of two, whose calibration is measured; by default 1.
    weights : ndarray, (N, B), optional

    Raises
    ------
    MetricError
        If there is no row, or shapes or codes do not fit.
    """
    true, decided = _codes(y_true), _codes(y_pred)
    p = np.asarray(scores, dtype=np.float64)
    check(true, decided, p)
    w = np.ones((len(true), 1)) if weights is None else weights
    classes = p.shape[1]
    return {
        names.ACCURACY: accuracy(true, decided, weights=w),
        names.BALANCED_ACCURACY: balanced_accuracy(true, decided, classes=classes, weights=w),
        names.F1_MACRO: f1_macro(true, decided, classes=classes, weights=w),
        names.AUROC: auroc(true, p, weights=w),
        names.BRIER: brier(true, p, weights=w),
        names.LOG_LOSS: log_loss(true, p, weights=w),
        names.ECE: expected_calibration_error(true, p, weights=w, positive=positive),
    }


def check(y_true: Codes, y_pred: Codes, scores: Floats) -> None:
    """Check that codes and scores belong together; see `weighted_metrics`."""
    where = "classification"
    if not len(y_true):
        raise MetricError(f"{where}: table must have a row, got none")
    if scores.ndim != 2 or not len(y_true) == len(y_pred) == len(scores):
        raise MetricError(
            f"{where}: y_true, y_pred and scores must have one length, got "
            f"{len(y_true)}, {len(y_pred)} and {scores.shape}"
        )
    for name, codes in (("y_true", y_true), ("y_pred", y_pred)):
        if codes.min() < 0 or codes.max() >= scores.shape[1]:
            raise MetricError(
                f"{where}: {name} must be a code in 0…{scores.shape[1] - 1}, "
                f"got {codes.min()}…{codes.max()}"
            )


def _class_sums(
    y_true: Codes, y_pred: Codes, classes: int, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return weights of right, true and decided rows by class, ``(K, B)`` each."""
    if weights.shape[1] == 1:  # counted: a tenth of the time of comparing rows with classes
        right = y_true == y_pred
        hits = _count(y_true[right], classes, weights[right])
        return hits, _count(y_true, classes, weights), _count(y_pred, classes, weights)
    truth = _indicator(y_true, classes)
    right = truth * (y_true == y_pred)
    return right @ weights, truth @ weights, _indicator(y_pred, classes) @ weights


def _count(codes: Codes, classes: int, weight: Floats) -> Floats:
    counts = np.bincount(codes, weight[:, 0], minlength=classes).astype(np.float64)
    return counts[:, None]


def _indicator(codes: Codes, classes: int) -> Floats:
    member: Floats = (np.arange(classes)[:, None] == codes).astype(np.float64)
    return member


def _mean_defined(numerator: Floats, denominator: Floats) -> Floats:
    """Return the mean along axis 0 of the ratios whose denominator is not 0."""
    defined = denominator > 0
    ratios = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=defined)
    mean: Floats = ratios.sum(axis=0) / defined.sum(axis=0)
    return mean


def row_losses(y_true: Codes, scores: Floats) -> tuple[Floats, Floats]:
    """Return the terms of each row of which `brier` and `log_loss` are the means, ``(N,)``."""
    own = scores[np.arange(len(y_true)), y_true]
    squares = ((scores**2).sum(axis=1) - 2 * own + 1) / 2
    return squares, -np.log(np.maximum(own, np.finfo(np.float64).tiny))


def _codes(values: Any) -> Codes:
    codes: Codes = np.asarray(values).astype(np.int64)
    return codes
