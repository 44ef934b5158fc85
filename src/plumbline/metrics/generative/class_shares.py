"""Shares of the classes among generated samples, corrected for the classifier's errors.

A classifier that reads some 3s as 9s adds 9s to what it counts. Its confusion on real samples of
known classes says how often, and the shares of the classes follow: recognised = shareᵀ · confusion.
This assumes that the classifier errs on generated samples of a class as on real ones of it.

Sources
-------
Lipton, Wang and Smola, "Detecting and correcting for label shift with black
box predictors", ICML 2018, https://arxiv.org/abs/1802.03916, section 3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plumbline.metrics.estimates import Estimate, estimate
from plumbline.metrics.intervals import proportions

Floats = npt.NDArray[np.float64]

PRESENT = 0.1  # a class is missing with a smaller part of its share of the real samples


class ClassShares(NamedTuple):
    """Shares of the classes, ``(K,)`` each.

    Attributes
    ----------
    real : ndarray
        Of the real samples, by their known classes.
    recognised : ndarray
        Of the generated samples, as the classifier reads them.
    value, low, high : ndarray
        Of the generated samples, corrected, with simultaneous intervals.
    """

    real: Floats
    recognised: Floats
    value: Floats
    low: Floats
    high: Floats

    def missing(self) -> Estimate:
        """Return the number of missing classes.

        A class is missing if its share is below `PRESENT` of the real one. The lower end counts
        classes whose whole interval is, the upper end those whose interval reaches below it.
        """
        limit = PRESENT * self.real
        return estimate(*(float((x < limit).sum()) for x in (self.value, self.high, self.low)))

    def rows(self, classes: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return ``class, real, recognised, value, low, high`` of every class."""
        parts = {key: column.tolist() for key, column in self._asdict().items()}
        return [
            {"class": name, **dict(zip(parts, row, strict=True))}
            for name, row in zip(classes, zip(*parts.values(), strict=True), strict=True)
        ]


def class_shares(
    recognised: npt.ArrayLike,
    confusion: npt.ArrayLike,
    *,
    confidence: float,
    replicates: int,
    seed: int,
) -> ClassShares:
    """Return shares of the classes, with intervals that hold for all classes together.

    Parameters
    ----------
    recognised : array_like, (K,)
        Generated samples that the classifier reads as each class.
    confusion : array_like, (K, K)
        Real samples of each class (row) that it reads as each class (column). Of a class without
        real samples it is taken to make no errors.
    confidence : float
        Of all intervals together (Bonferroni). They are percentiles of ``replicates`` draws of both
        arguments (Bayesian bootstrap: Rubin, Annals of Statistics 9 (1981) 130-134; counts of
        generated samples with one more sample, spread over the classes, so that a class that was
        not seen may have a share above 0).
    """
    seen = np.asarray(recognised, dtype=np.float64)
    counts = np.asarray(confusion, dtype=np.float64)
    real = counts.sum(axis=1)
    counts = np.where(real[:, None] > 0, counts, np.eye(len(seen)))
    value = _shares(_normalised(seen)[None], _normalised(counts)[None])[0]
    value = _normalised(np.clip(value, 0, None))
    rng = np.random.default_rng(seed)
    shape = (replicates, len(seen))
    drawn = _shares(
        _normalised(rng.standard_gamma(seen + 1 / len(seen), shape)),
        _normalised(rng.standard_gamma(counts + 1 / len(seen), (replicates, *counts.shape))),
    )
    tail = (1 - proportions.bonferroni(confidence, len(seen))) / 2
    low, high = np.clip(np.quantile(drawn, [tail, 1 - tail], axis=0), 0, 1)
    return ClassShares(
        _normalised(real),
        _normalised(seen),
        value,
        np.minimum(low, value),
        np.maximum(high, value),
    )


def _normalised(x: Floats) -> Floats:
    shares: Floats = x / x.sum(axis=-1, keepdims=True)
    return shares


def _shares(recognised: Floats, confusion: Floats) -> Floats:
    """Solve for the shares ``(B, K)`` from ``(B, K)`` and ``(B, K, K)``; they may leave [0, 1]."""
    transposed = np.swapaxes(confusion, 1, 2)
    try:
        return np.asarray(np.linalg.solve(transposed, recognised[:, :, None]))[:, :, 0]
    except np.linalg.LinAlgError:  # the classifier cannot tell some classes apart
        return np.asarray(np.linalg.pinv(transposed) @ recognised[:, :, None])[:, :, 0]
