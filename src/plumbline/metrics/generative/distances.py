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
Strata = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

FEWEST = 4  # samples of a set, or of a stratum of it, that an error takes
_TILE = 1024  # rows and columns of a kernel matrix in memory at once: they fit a cache


def kernel_distance(
    first: npt.ArrayLike, second: npt.ArrayLike, *, strata: Strata | None = None
) -> tuple[float, float]:
    """Return the kernel distance (squared MMD) of two sets of features and its standard error.

    Kernel (x·y / F + 1)³. The full U-statistic over all pairs, which is unbiased (and so may fall
    below 0) and needs no subsets. Its variance is V1 + V2, V1 of its Hájek projection (van der
    Vaart, "Asymptotic Statistics" (1998), section 12.2) and V2 of what is left, which is all of it
    where the laws are equal. The error is of the estimated projection, whose variance is V1 + 2·V2
    on average, as with every jackknife: the distance is skewed, and with V1 + V2 the interval of
    small sets would end too early. Features in single precision are multiplied in it.

    Parameters
    ----------
    first, second : array_like, (N, F), (M, F)
    strata : pair of int arrays, (N,), (M,), optional
        Strata whose sizes are fixed, not drawn, such as the classes of a stratified split: such
        sets have fewer pairs of one stratum than drawn ones, and without strata their distance is
        too small. Ignored in a set that has fewer than `FEWEST` samples of one of its strata.
    """
    a, b = (_augmented(x) for x in check_pair(first, second))
    n, m = len(a), len(b)
    of_a, of_b = (members(len(x), strata, i) for i, x in enumerate((a, b)))
    own_a, own_b = _own_sums(a, of_a), _own_sums(b, of_b)
    cross_a, cross_b = np.zeros((n, of_b.shape[1])), np.zeros((m, of_a.shape[1]))
    for i in _tiles(n):
        for j in _tiles(m):
            cubes = _cubes(a[i] @ b[j].T)
            cross_a[i] += cubes @ of_b[j].astype(cubes.dtype)
            cross_b[j] += cubes.T @ of_a[i].astype(cubes.dtype)
    part_a = _projection(own_a, cross_a, of_a, of_b)
    part_b = _projection(own_b, cross_b, of_b, of_a)
    variance = 4 * (variance_of_mean(part_a, of_a) + variance_of_mean(part_b, of_b))
    return float(part_a.mean() + part_b.mean()), float(np.sqrt(variance))


def members(size: int, strata: Strata | None, which: int) -> Floats:
    """Return which stratum (column) each sample of one of two sets is of, ``(N, K)``, 0 or 1."""
    if strata is not None:
        codes = np.unique(strata[which])
        found: Floats = (np.asarray(strata[which])[:, None] == codes).astype(np.float64)
        if found.sum(axis=0).min() >= FEWEST:
            return found
    return np.ones((size, 1))


def variance_of_mean(values: Floats, strata: Floats) -> float:
    """Return the variance of the mean of values ``(N,)`` from strata ``(N, K)`` of fixed sizes."""
    sizes = strata.sum(axis=0)
    deviations = values - strata @ (values @ strata / sizes)
    return float((deviations**2 @ strata / (sizes - 1) * sizes).sum() / len(values) ** 2)


def _projection(own: Floats, cross: Floats, members: Floats, others: Floats) -> Floats:
    """Return the mean kernel of each sample with its own set less that with the other, (N,)."""
    sizes = members.sum(axis=0)
    pairs = own / (sizes - members)  # not with itself
    return np.asarray(pairs @ sizes / sizes.sum() - cross.sum(axis=1) / len(others))


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


def _own_sums(x: Features, strata: Floats) -> Floats:
    """Return the sums of a set's kernel matrix without its diagonal, by row and stratum, (N, K)."""
    sums = np.zeros_like(strata)
    for i in _tiles(len(x)):
        products, own = x[i] @ x[i].T, strata[i].astype(x.dtype)
        np.fill_diagonal(products, 0)
        sums[i] += _cubes(products) @ own
        for j in _tiles(len(x), first=i.stop):  # the other half is its mirror image
            cubes = _cubes(x[i] @ x[j].T)
            sums[i] += cubes @ strata[j].astype(x.dtype)
            sums[j] += cubes.T @ own
    return sums


def _tiles(n: int, *, first: int = 0) -> list[slice]:
    return [slice(start, min(start + _TILE, n)) for start in range(first, n, _TILE)]


def _cubes(products: Features) -> Features:
    cubes: Features = products * products
    cubes *= products
    return cubes


def _plogp(p: Floats) -> Floats:
    product: Floats = p * np.log(np.where(p > 0, p, 1.0))
    return product
