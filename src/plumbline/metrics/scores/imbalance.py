"""Rare classes: weights of classes in a fit, and the threshold of a binary decision.

Neither depends on the test split: weights come from training rows, thresholds from validation rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import Decision
from plumbline.errors import MetricError, ParamsError

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NONE, BALANCED = "none", "balanced"


def class_weights(
    rule: str | Mapping[str, float],
    y: Codes,
    *,
    classes: Sequence[str],
    weights: Floats | None = None,
    where: str,
) -> Floats | None:
    """Return the weight of each class in the loss of a fit ``(K,)``, None for no weights.

    The mean over the training rows is 1, as that of row weights is: only ratios between classes
    count, and learning rates and penalties keep their meaning.

    Parameters
    ----------
    rule : {'none', 'balanced'} or mapping
        ``balanced``: ``n / (K · n_k)`` for the ``n_k`` of ``n`` training rows with class ``k``, and
        ``K`` the number of classes that have rows (G. King and L. Zeng, "Logistic regression in
        rare events data", 2001; scikit-learn's ``compute_class_weight``). With row weights sums of
        weights take the place of numbers of rows. A mapping has the weight of each class by name.
    y : ndarray, (N,)
        Class codes of the training rows.
    classes : sequence of str
        Names by code; empty where the target is a number.
    weights : ndarray, (N,), optional
        Row weights.
    where : str
        Begins the messages.

    Raises
    ------
    ParamsError
        If there are no classes, or the mapping does not name just these classes.
    """
    if rule == NONE:
        return None
    head = f"{where}: classification.class_weights must be"
    if not classes:
        raise ParamsError(f"{head} {NONE} for a target that is a number, got {_shown(rule)}")
    sums = np.bincount(y, weights, minlength=len(classes)).astype(np.float64)
    if isinstance(rule, str):
        present = sums > 0
        found = np.zeros(len(classes))
        found[present] = sums.sum() / (present.sum() * sums[present])
        return found
    if set(rule) != set(classes):
        raise ParamsError(
            f"{head} a weight for each of the classes {', '.join(map(repr, classes))}, got "
            f"{_shown(rule)}; name each class once, as the data do"
        )
    own = np.array([rule[name] for name in classes], dtype=np.float64)
    return np.asarray(own * sums.sum() / (own @ sums))


def weight_facts(weights: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    """Return the weights of classes as facts of a model."""
    return {"class_weights": dict(zip(classes, weights, strict=True))}


def check_decision(rule: str | float, y: Codes, *, classes: Sequence[str], where: str) -> None:
    """Check, before anything is fitted, that a rule can decide.

    Parameters
    ----------
    rule : str or float
        ``argmax``, a threshold, or the metric that one is chosen for.
    y : ndarray, (N,)
        Class codes of the validation rows.
    classes, where
        See `class_weights`.

    Raises
    ------
    ParamsError
        If there is a threshold and there are not two classes, or it would be chosen on rows of one.
    """
    if rule == names.ARGMAX:
        return
    head = f"{where}: classification.decision must be {names.ARGMAX}"
    if len(classes) != 2:
        kind = f"{len(classes)} classes" if classes else "a target that is a number"
        raise ParamsError(f"{head} for {kind}, got {rule!r}; a threshold divides two classes")
    if isinstance(rule, str) and len(np.unique(y)) < 2:
        raise ParamsError(
            f"{head} or a threshold in (0, 1) where the validation rows are of one class, got "
            f"{rule!r}; use more validation rows"
        )


def fit_decision(
    rule: str | float,
    scores: Floats,
    y: Codes,
    *,
    classes: Sequence[str],
    weights: Floats | None = None,
) -> Decision | None:
    """Return the decision of a classifier by a rule that `check_decision` has passed.

    Parameters
    ----------
    rule, classes
        See `check_decision`.
    scores : ndarray, (N, K)
        Class probabilities of the validation rows.
    y, weights : ndarray, (N,)
        Their class codes, and row weights if any; class weights do not count here.
    """
    if isinstance(rule, float):
        return Decision(rule, classes[1])
    if rule == names.ARGMAX:
        return None
    threshold, reached = choose_threshold(scores[:, 1], y == 1, metric=rule, weights=weights)
    return Decision(threshold, classes[1], chosen_for=rule, reached=reached, rows=len(y))


def choose_threshold(
    score: Floats, positive: npt.NDArray[np.bool_], *, metric: str, weights: Floats | None = None
) -> tuple[float, float]:
    """Return the threshold with the best value of a metric on these rows, and this value.

    A row is decided positive where its score is at least the threshold. Candidates lie midway
    between neighbouring scores, and between the ends and 0 and 1, at 10 significant digits: no
    other threshold in (0, 1) decides these rows differently, but between scores that agree in so
    many digits. Of candidates with equal values the one nearest to 1/2 is taken, of two as near
    the smaller one.

    Parameters
    ----------
    score : ndarray, (N,)
        Probability of the positive class, in [0, 1].
    positive : ndarray of bool, (N,)
    metric : str
        Key of `METRICS`.
    weights : ndarray, (N,), optional
        Row weights.

    Raises
    ------
    MetricError
        If a class has no row.
    """
    weight = np.ones(len(score)) if weights is None else weights
    order = np.argsort(score, kind="stable")
    hits = np.append(0.0, np.cumsum((weight * positive)[order]))
    others = np.append(0.0, np.cumsum((weight * ~positive)[order]))
    if not (hits[-1] > 0 and others[-1] > 0):
        raise MetricError(
            "threshold: rows that it is chosen on must be of both classes, got one class; use more "
            "validation rows, or the decision argmax"
        )
    ends = np.unique(np.concatenate([[0.0, 1.0], score]))
    places = np.unique([float(f"{middle:.10g}") for middle in (ends[:-1] + ends[1:]) / 2])
    places = places[(places > 0) & (places < 1)]
    below = np.searchsorted(score[order], places, side="left")
    tp, fp = hits[-1] - hits[below], others[-1] - others[below]
    values = METRICS[metric](tp, fp, hits[-1], others[-1])
    best = places[values >= values.max() - 1e-12]
    nearest = best[np.argmin(np.abs(best - 0.5))]
    return float(nearest), float(values[places == nearest][0])


def _accuracy(tp: Floats, fp: Floats, positives: float, negatives: float) -> Floats:
    return (tp + negatives - fp) / (positives + negatives)


def _balanced_accuracy(tp: Floats, fp: Floats, positives: float, negatives: float) -> Floats:
    return (tp / positives + 1 - fp / negatives) / 2


def _f1(tp: Floats, fp: Floats, positives: float, negatives: float) -> Floats:
    return 2 * tp / (tp + fp + positives)


def _f1_macro(tp: Floats, fp: Floats, positives: float, negatives: float) -> Floats:
    # Of the negative class: negatives - fp are right, and positives - tp are decided so wrongly.
    other = _f1(negatives - fp, positives - tp, negatives, positives)
    return (_f1(tp, fp, positives, negatives) + other) / 2


METRICS: dict[str, Callable[[Floats, Floats, float, float], Floats]] = {
    names.ACCURACY: _accuracy,
    names.BALANCED_ACCURACY: _balanced_accuracy,
    names.F1: _f1,
    names.F1_MACRO: _f1_macro,
}


def _shown(rule: str | Mapping[str, float]) -> str:
    return repr(rule) if isinstance(rule, str) else repr(dict(rule))
