"""Quality of predicted numbers, for weighted rows too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.errors import MetricError

Floats = npt.NDArray[np.float64]


def weighted_metrics(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, *, weights: Floats | None = None
) -> dict[str, Floats]:
    """Return root mean squared error, mean absolute error and R² by name, ``(B,)`` each.

    Errors are in units of ``y``. R² is 1 - residual / total sum of squares, NaN where the truth
    does not vary.

    Parameters
    ----------
    y_true, y_pred : array_like, (N,)
    weights : ndarray, (N, B), optional
        Without weights ``B`` is 1.

    Raises
    ------
    MetricError
        If there is no row or the lengths differ.
    """
    true, predicted = np.asarray(y_true, dtype=np.float64), np.asarray(y_pred, dtype=np.float64)
    if not len(true) or true.shape != predicted.shape:
        raise MetricError(
            f"regression: y_true and y_pred must have one length >= 1, got "
            f"{len(true)} and {len(predicted)}"
        )
    w = np.ones((len(true), 1)) if weights is None else weights
    n = w.sum(axis=0)
    residual = true - predicted
    squares = residual**2 @ w
    # Centred first: sums of squares of far-off values would cancel.
    centred = true - true.mean()
    total = centred**2 @ w - (centred @ w) ** 2 / n
    varies = total > 1e-12 * np.maximum(centred @ centred, np.finfo(np.float64).tiny)
    unexplained = np.divide(squares, total, out=np.full_like(n, np.nan), where=varies)
    return {
        names.RMSE: np.sqrt(squares / n),
        names.MAE: np.abs(residual) @ w / n,
        names.R2: 1 - unexplained,
    }
