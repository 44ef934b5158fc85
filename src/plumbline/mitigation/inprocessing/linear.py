"""Logistic regression on standardised columns: the model that every method starts from."""

from __future__ import annotations

from typing import Any

import numpy as np

from plumbline.mitigation.problem import Codes, Floats, Rows

STRENGTH = 1.0  # C of scikit-learn's logistic regression, and 1 / C of the penalties below


def estimator() -> Any:
    """Return an unfitted logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=STRENGTH, max_iter=2000)


def fit_scores(rows: Rows, factor: Floats | None = None) -> Any:
    """Return a function from features ``(N, F)`` to probabilities of class 1, ``(N,)``.

    ``factor (N,)`` multiplies the weights of the rows.
    """
    weight = rows.design.weight if factor is None else rows.weight * factor
    fitted = estimator().fit(rows.x, rows.y, sample_weight=weight)
    return lambda x: np.asarray(fitted.predict_proba(x)[:, 1], dtype=np.float64)


def with_intercept(x: Floats) -> Floats:
    """Return the columns with a one before them."""
    return np.column_stack([np.ones(len(x)), x])


def sigmoid(z: Floats) -> Floats:
    """Return 1 / (1 + exp(-z)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(z / 2)), dtype=np.float64)


def log_loss(z: Floats, y: Codes) -> Floats:
    """Return the logistic loss of each row."""
    return np.asarray(np.logaddexp(0, z) - y * z, dtype=np.float64)


def cells(rows: Rows) -> Codes:
    """Return the code of each row's group and label together, ``2 · group + y``."""
    return np.asarray(2 * rows.group + rows.y, dtype=np.int64)
