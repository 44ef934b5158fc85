"""Precision and recall of generated samples, by k-nearest-neighbour manifolds.

Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models",
NeurIPS 2019, https://arxiv.org/abs/1904.06991, section 2. ``N M`` samples, ``F`` features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError

Floats = npt.NDArray[np.float64]

_BLOCK = 1024  # rows of a distance matrix in memory at once


def neighbour_radii(features: npt.ArrayLike, *, neighbours: int) -> Floats:
    """Return the squared distance of every sample to its k-th nearest other one, ``(N,)``.

    Raises
    ------
    MetricError
        If there are not more than ``neighbours`` samples.
    """
    x = np.asarray(features, dtype=np.float64)
    if not 1 <= neighbours < len(x):
        raise MetricError(
            f"manifold: neighbours must be in 1…{len(x) - 1} for {len(x)} samples, got {neighbours}"
        )
    radii = np.empty(len(x))
    for start in range(0, len(x), _BLOCK):
        squares = _squared_distances(x[start : start + _BLOCK], x)
        own = np.arange(len(squares))
        squares[own, start + own] = 0  # exactly, so that a sample is its own nearest
        radii[start : start + _BLOCK] = np.partition(squares, neighbours, axis=1)[:, neighbours]
    return radii


def coverage(points: npt.ArrayLike, manifold: npt.ArrayLike, *, neighbours: int) -> float:
    """Return the share of ``points`` (N, F) within the manifold of ``manifold`` (M, F)."""
    x, y = np.asarray(points, dtype=np.float64), np.asarray(manifold, dtype=np.float64)
    radii = neighbour_radii(y, neighbours=neighbours)
    inside = [
        (_squared_distances(x[start : start + _BLOCK], y) <= radii).any(axis=1)
        for start in range(0, len(x), _BLOCK)
    ]
    return float(np.concatenate(inside).mean())


def precision_and_recall(
    generated: npt.ArrayLike, real: npt.ArrayLike, *, neighbours: int
) -> tuple[float, float]:
    """Return the share of generated samples among the real and of real among the generated.

    Parameters
    ----------
    generated, real : array_like, (N, F), (M, F)
    neighbours : int
        k; the paper uses 3. Values rise with k and fall with the sample size: compare only at the
        same k, N and M.
    """
    return (
        coverage(generated, real, neighbours=neighbours),
        coverage(real, generated, neighbours=neighbours),
    )


def _squared_distances(a: Floats, b: Floats) -> Floats:
    squares: Floats = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * (a @ b.T)
    return np.maximum(squares, 0, out=squares)
