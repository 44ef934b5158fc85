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

_TILE = 1024  # rows and columns of a kernel matrix in memory at once: they fit a cache


def kernel_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[float, float]:
    """Return the kernel distance (squared MMD) of two sets of features and its standard error.

    Kernel (x·y / F + 1)³. The full U-statistic over all pairs, which is unbiased (and so may fall
    below 0) and needs no subsets; the error is of its Hájek projection (van der Vaart,
    "Asymptotic Statistics" (1998), section 12.2), for laws that differ. Features in single
    precision are multiplied in it and summed in double precision.
    """
    a, b = (_augmented(x) for x in check_pair(first, second))
    own_a, own_b = _own_sums(a), _own_sums(b)
    cross_a, cross_b = np.zeros(len(a)), np.zeros(len(b))
    for i in _tiles(len(a)):
        for j in _tiles(len(b)):
            rows, columns = _cube_sums(a[i] @ b[j].T)
            cross_a[i] += rows
            cross_b[j] += columns
    n, m = len(a), len(b)
    part_a = own_a / (n - 1) - cross_a / m
    part_b = own_b / (m - 1) - cross_b / n
    variance = 4 * part_a.var(ddof=1) / n + 4 * part_b.var(ddof=1) / m
    return float(part_a.mean() + part_b.mean()), float(np.sqrt(variance))


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


def _own_sums(x: Features) -> Floats:
    """Return the row sums of the kernel matrix of a set with itself, without its diagonal."""
    sums = np.zeros(len(x))
    for i in _tiles(len(x)):
        square = x[i] @ x[i].T
        np.fill_diagonal(square, 0)
        sums[i] += _cube_sums(square)[0]
        for j in _tiles(len(x), first=i.stop):  # the other half is its mirror image
            rows, columns = _cube_sums(x[i] @ x[j].T)
            sums[i] += rows
            sums[j] += columns
    return sums


def _tiles(n: int, *, first: int = 0) -> list[slice]:
    return [slice(start, min(start + _TILE, n)) for start in range(first, n, _TILE)]


def _cube_sums(products: Features) -> tuple[Floats, Floats]:
    """Return the row and column sums of the cubes of a tile, ``(n,)`` and ``(m,)``."""
    squares = products * products
    return np.einsum("nm,nm->n", squares, products), np.einsum("nm,nm->m", squares, products)


def _plogp(p: Floats) -> Floats:
    product: Floats = p * np.log(np.where(p > 0, p, 1.0))
    return product
