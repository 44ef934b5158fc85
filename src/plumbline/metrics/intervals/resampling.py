"""Options that every resampled interval has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resampling:
    """How an interval is found by resampling.

    Attributes
    ----------
    confidence : float
        In (0, 1).
    replicates : int
        Number of bootstrap replicates, or of random draws.
    seed : int
        Of the draws.
    """

    confidence: float
    replicates: int
    seed: int
