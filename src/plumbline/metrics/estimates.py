"""Values with their intervals, as a report holds them, and the options that they are made by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions, shares
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.metrics.intervals.survey_design import Counted

Estimate = dict[str, float | None]
Estimates = dict[str, Estimate]


@dataclass(frozen=True)
class MetricOptions(Resampling):
    """How a model is measured; see ``evaluate`` in ``params.yaml``.

    Attributes
    ----------
    neighbours, splits : int
        k of generative precision, recall, density and coverage; number of random partitions into
        halves (generators only).
    """

    neighbours: int
    splits: int


def estimate(value: float, low: float, high: float) -> Estimate:
    """Return ``value, low, high``; None if not finite."""
    parts = {"value": float(value), "low": float(low), "high": float(high)}
    return {key: part if np.isfinite(part) else None for key, part in parts.items()}


def share(counted: Counted, confidence: float) -> Estimate:
    """Return a share with its interval."""
    low, high = shares.share_interval(counted.successes, counted.trials, confidence=confidence)
    return estimate(float(counted.value[0]), float(low[0]), float(high[0]))


def with_percentiles(
    values: Mapping[str, npt.NDArray[np.float64]],
    resampled: Mapping[str, npt.NDArray[np.float64]],
    confidence: float,
    *,
    units: int,
) -> Estimates:
    """Return values ``(1,)`` with percentile intervals of their replicates ``(B,)``, by name.

    Percentiles are those of `proportions.expanded`, for the ``units`` that were resampled.
    """
    level = proportions.expanded(confidence, units)
    return {
        name: estimate(value[0], *proportions.percentile(resampled[name], confidence=level))
        for name, value in values.items()
    }
