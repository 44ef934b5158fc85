"""Sets of features that come from outside: two rows or more, one width, finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError

# Single precision stays single: it is what networks give, and what the peers compute in.
Features = npt.NDArray[Any]


def check_features(features: npt.ArrayLike, name: str) -> Features:
    """Return features ``(N, F)``, N >= 2, as float32 if they are, else as float64.

    Raises
    ------
    MetricError
        If there are fewer than two rows, or a value is not finite.
    """
    x = np.asarray(features)
    if x.dtype != np.float32:
        x = x.astype(np.float64, copy=False)
    if x.ndim != 2 or len(x) < 2:
        raise MetricError(
            f"features: {name} must have two rows of features or more, got shape {x.shape}"
        )
    return check_finite(x, name)


def check_finite(x: Features, name: str) -> Features:
    """Return an array without NaN and inf.

    Raises
    ------
    MetricError
        If there is one.
    """
    if not np.isfinite(x).all():
        raise MetricError(f"features: {name} must be finite, got NaN or inf")
    return x


def check_pair(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Features, Features]:
    """Return two sets of features of one width and type; double precision if either has it.

    Raises
    ------
    MetricError
        If a set is unfit, or widths differ.
    """
    a, b = check_features(first, "first"), check_features(second, "second")
    if a.shape[1] != b.shape[1]:
        raise MetricError(
            f"features: both sets must have one number of features, got "
            f"{a.shape[1]} and {b.shape[1]}"
        )
    both = np.result_type(a, b)
    return a.astype(both, copy=False), b.astype(both, copy=False)
