"""A paired difference of two models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """The difference of a metric of two models on the same rows, the first less the second.

    Attributes
    ----------
    value, low, high : float
        NaN where undefined.
    p : float
        Two-sided, of "the models do not differ"; NaN where undefined. The interval excludes 0
        where p is below 1 - confidence.
    method : str
        Of the interval.
    """

    value: float
    low: float
    high: float
    p: float
    method: str

    def turned(self) -> Paired:
        """Return the second model less the first."""
        return Paired(0.0 - self.value, 0.0 - self.high, 0.0 - self.low, self.p, self.method)
