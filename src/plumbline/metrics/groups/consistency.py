"""Consistency of decisions over nearest neighbours.

``C = 1 - 1 / (N k) Σ_i Σ_j∈near(i) d(i, j)`` with ``d`` 1 where two decisions differ, over the
``k`` nearest other samples in standardised features. ``N`` samples, ``K`` classes.

Source: R. Zemel, Y. Wu, K. Swersky, T. Pitassi and C. Dwork, "Learning Fair Representations", ICML
2013, section 5.2. Toolkits that count a sample among its own neighbours (AIF360) have
``1 - k / (k + 1) (1 - C)`` of k + 1 neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.resampling import Resampling

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_DISTANCES = 2_000_000  # held at once
_BLOCK = 256  # replicates at a time


def standardised(x: Floats, like: Floats) -> Floats:
    """Return features ``(N, F)`` in standard deviations of the columns of ``like``.

    Columns that do not vary there count for nothing.
    """
    scale = like.std(axis=0)
    return np.where(scale > 0, (x - like.mean(axis=0)) / np.where(scale > 0, scale, 1.0), 0.0)


def nearest(x: Floats, *, neighbours: int, entity: npt.ArrayLike | None = None) -> Integers:
    """Return the places of the nearest other samples, ``(N, k)``; of equals the first.

    Parameters
    ----------
    x : ndarray, (N, F)
        Comparable columns.
    neighbours : int
        k; samples of the same entity are no neighbours.
    entity : array_like, (N,), optional

    Raises
    ------
    MetricError
        If a sample has fewer than ``neighbours`` others.
    """
    own = np.arange(len(x))
    if entity is not None:
        own = np.unique(np.asarray(entity).astype(str), return_inverse=True)[1]
    others = len(x) - np.bincount(own)[own]
    if not len(x) or others.min() < neighbours:
        least = int(others.min()) if len(x) else 0
        raise MetricError(
            f"consistency: neighbours must be at most the other samples ({least}), got {neighbours}"
        )
    squares, found = (x**2).sum(axis=1), np.empty((len(x), neighbours), dtype=np.int64)
    step = max(_DISTANCES // len(x), 1)
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        distance = squares[part, None] + squares - 2 * x[part] @ x.T
        # Rounding must not choose among samples that are equally far.
        distance = np.round(distance, 9)
        distance[own[part, None] == own] = np.inf
        found[part] = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    return found


def consistency(
    decision: Integers,
    near: Integers,
    options: Resampling,
    *,
    among: npt.NDArray[np.bool_] | None = None,
    unit: Integers | None = None,
) -> dict[str, float]:
    """Return the consistency of decisions with its interval: ``value, low, high, n``.

    The percentile bootstrap draws samples (entities), and a pair of neighbours counts as often as
    both were drawn: samples share neighbours, and their terms are not independent.

    Parameters
    ----------
    decision : ndarray of int, (N,)
    near : ndarray of int, (N, k)
        From `nearest`.
    options : Resampling
    among : ndarray of bool, (N,), optional
        Samples whose neighbours count; the neighbours may be others.
    unit : ndarray of int, (N,), optional
        0…U - 1: units of resampling.
    """
    from scipy.sparse import csr_array

    n, k = near.shape
    rows = np.flatnonzero(np.ones(n, dtype=bool) if among is None else among)
    nothing = {"value": float("nan"), "low": float("nan"), "high": float("nan"), "n": len(rows)}
    if not len(rows):
        return nothing
    apart = (decision[rows, None] != decision[near[rows]]).astype(np.float64)
    value = 1 - float(apart.mean())
    place = (near[rows].ravel(), np.repeat(rows, k))  # transposed, to stand before the draws
    pairs = csr_array((np.ones(apart.size), place), shape=(n, n))
    differ = csr_array((apart.ravel(), place), shape=(n, n))
    own = np.arange(n) if unit is None else unit
    units = int(own.max()) + 1
    rng, drawn = np.random.default_rng(options.seed), []
    for start in range(0, options.replicates, _BLOCK):
        size = min(_BLOCK, options.replicates - start)
        times = rng.multinomial(units, np.full(units, 1 / units), size=size)
        weight = times[:, own].T.astype(np.float64)
        counted, wrong = (((part.T @ weight) * weight).sum(axis=0) for part in (pairs, differ))
        drawn.append(1 - np.divide(wrong, counted, out=np.full(size, np.nan), where=counted > 0))
    low, high = proportions.percentile(np.concatenate(drawn), confidence=options.confidence)
    return nothing | {"value": value, "low": low, "high": high}


def by_noise(score: Floats, near: Integers, options: Resampling) -> Any:
    """Return the consistency of decisions drawn by the scores, each sample by itself.

    That is what chance alone leaves of consistency if scores are right and every label is a draw
    from its own: ``value`` is its mean (exact), ``low`` and ``high`` bound the middle of draws.

    Parameters
    ----------
    score : ndarray, (N, K)
        Probabilities.
    near : ndarray of int, (N, k)
    options : Resampling
    """
    alike = np.einsum("ic,ijc->ij", score, score[near])
    upper = np.cumsum(score, axis=1)
    rng, drawn = np.random.default_rng(options.seed), []
    for _ in range(options.replicates):
        label = (rng.random(len(score))[:, None] >= upper[:, :-1]).sum(axis=1)
        drawn.append(float((label[:, None] == label[near]).mean()))
    low, high = proportions.percentile(drawn, confidence=options.confidence)
    return {"value": float(alike.mean()), "low": low, "high": high}
