"""How far generated samples are from real ones, in the space of a named feature extractor.

The kernel distance and the Inception score; `plumbline.metrics.generative.frechet` has the Fréchet
distance.
``N M`` samples, ``F`` features, ``K`` classes. An extractor is part of the name of its metric:
another extractor gives another metric.

Sources
-------
Kernel distance: Bińkowski et al., ICLR 2018, https://arxiv.org/abs/1801.01401, section 4.
Inception score: Salimans et al., NeurIPS 2016, https://arxiv.org/abs/1606.03498, section 4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.metrics.generative.features import Features, check_pair

Floats = npt.NDArray[np.float64]

FEWEST = 4  # samples of either kind that the error of a kernel distance takes
_TILE = 1024  # rows and columns of a kernel matrix in memory at once: they fit a cache


def kernel_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[float, float]:
    """Return the kernel distance (squared MMD) of two sets of features and its standard error.

    Kernel (x·y / F + 1)³. The full U-statistic over all pairs, which is unbiased (and so may fall
    below 0) and needs no subsets. The variance of a U-statistic is V1 + V2, V1 of its Hájek
    projection (van der Vaart, "Asymptotic Statistics" (1998), section 12.2) and V2 of what is left,
    which is all of it where the laws are equal. The variance of the estimated projection is
    V1 + 2·V2 on average, so an estimate of V2, from the doubly centred kernel, is taken off.
    Features in single precision are multiplied in it and summed in double precision.
    """
    a, b = (_augmented(x) for x in check_pair(first, second))
    n, m = len(a), len(b)
    own_a, square_a = _own_sums(a)
    own_b, square_b = _own_sums(b)
    cross_a, cross_b, square = np.zeros(n), np.zeros(m), 0.0
    for i in _tiles(n):
        for j in _tiles(m):
            rows, columns, squares = _cube_sums(a[i] @ b[j].T)
            cross_a[i] += rows
            cross_b[j] += columns
            square += squares
    part_a = own_a / (n - 1) - cross_a / m
    part_b = own_b / (m - 1) - cross_b / n
    twice = 4 * part_a.var(ddof=1) / n + 4 * part_b.var(ddof=1) / m
    rest = 2 * _own_rest(own_a, square_a) / (n * (n - 1))
    rest += 2 * _own_rest(own_b, square_b) / (m * (m - 1))
    rest += 4 * _cross_rest(cross_a, cross_b, square) / (n * m)
    variance = max(twice - rest, rest / 2, 0.0)  # rest is the variance at least, but estimated
    return float(part_a.mean() + part_b.mean()), float(np.sqrt(variance))


def _own_rest(sums: Floats, square: float) -> float:
    """Return the mean square of a set's kernel, doubly centred without its diagonal."""
    n = len(sums)
    if n < FEWEST:
        return 0.0
    total = sums.sum()
    centred = square - 2 * (sums**2).sum() / (n - 2) + total**2 / ((n - 1) * (n - 2))
    return float(max(centred, 0.0) / (n * (n - 3)))


def _cross_rest(rows: Floats, columns: Floats, square: float) -> float:
    """Return the mean square of the kernel of two sets, doubly centred."""
    n, m = len(rows), len(columns)
    total = rows.sum()
    centred = square - (rows**2).sum() / m - (columns**2).sum() / n + total**2 / (n * m)
    return float(max(centred, 0.0) / ((n - 1) * (m - 1)))


def inception_score(scores: npt.ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Return exp of the mean KL divergence of class probabilities from their mean, ``(B,)``.

    Parameters
    ----------
    scores : array_like, (N, K)
        Class probabilities of the named extractor.
    weights : ndarray, (N, B), optional
        Without weights ``B`` is 1.

    Returns
    -------
    ndarray
        In [1, K].
    """
    p = np.asarray(scores, dtype=np.float64)
    w = np.ones((len(p), 1)) if weights is None else weights
    n = w.sum(axis=0)
    mean = p.T @ w / n
    score: Floats = np.exp(_plogp(p).sum(axis=1) @ w / n - _plogp(mean).sum(axis=0))
    return score


def _augmented(features: Features) -> Features:
    """Return ``(N, F + 1)``, of which products are x·y / F + 1."""
    scaled = features / np.sqrt(features.shape[1]).astype(features.dtype)
    return np.concatenate([scaled, np.ones_like(scaled[:, :1])], axis=1)


def _own_sums(x: Features) -> tuple[Floats, float]:
    """Return the row sums of a set's kernel matrix without its diagonal, and the sum of squares."""
    sums, square = np.zeros(len(x)), 0.0
    for i in _tiles(len(x)):
        products = x[i] @ x[i].T
        np.fill_diagonal(products, 0)
        rows, _, squares = _cube_sums(products)
        sums[i] += rows
        square += squares
        for j in _tiles(len(x), first=i.stop):  # the other half is its mirror image
            rows, columns, squares = _cube_sums(x[i] @ x[j].T)
            sums[i] += rows
            sums[j] += columns
            square += 2 * squares
    return sums, square


def _tiles(n: int, *, first: int = 0) -> list[slice]:
    return [slice(start, min(start + _TILE, n)) for start in range(first, n, _TILE)]


def _cube_sums(products: Features) -> tuple[Floats, Floats, float]:
    """Return the row and column sums of the cubes of a tile, and the sum of their squares."""
    cubes = products * products
    cubes *= products
    sums = cubes.sum(axis=1, dtype=np.float64), cubes.sum(axis=0, dtype=np.float64)
    return *sums, float(np.vdot(cubes, cubes))


def _plogp(p: Floats) -> Floats:
    product: Floats = p * np.log(np.where(p > 0, p, 1.0))
    return product
