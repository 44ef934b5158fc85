"""How far generated samples are from real ones, in the space of a named feature extractor.

Each quantity is entered at the level at hand: features → moments → distance. ``N M`` samples,
``F`` features, ``K`` classes. An extractor is part of the name of its metric: another extractor
gives another metric.

Sources
-------
Fréchet distance: Heusel et al., NeurIPS 2017, https://arxiv.org/abs/1706.08500, equation 6 of the
appendix; the closed form is Dowson and Landau, J. Multivariate Analysis 12 (1982) 450-455.
Kernel distance: Bińkowski et al., ICLR 2018, https://arxiv.org/abs/1801.01401, section 4.
Inception score: Salimans et al., NeurIPS 2016, https://arxiv.org/abs/1606.03498, section 4.
Pooling of moments: Chan, Golub and LeVeque, The American Statistician 37 (1983) 242-247.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError

Floats = npt.NDArray[np.float64]

# Below this share of the total variance, subtracting traces would lose digits.
_NEAR = 1e-3
_BLOCK = 2048  # rows of a kernel matrix in memory at once


@dataclass(frozen=True)
class Moments:
    """Number of samples, their mean ``(F,)`` and unbiased covariance ``(F, F)``."""

    n: int
    mean: Floats
    covariance: Floats


def features_to_moments(features: npt.ArrayLike) -> Moments:
    """Return the moments of features ``(N, F)``, N >= 2.

    Raises
    ------
    MetricError
        If there are fewer than two rows, or a value is not finite.
    """
    centred, mean = _centre(features, "features")
    covariance = centred.T @ centred / (len(centred) - 1)
    return Moments(len(centred), mean, covariance)


def merge_moments(first: Moments, second: Moments) -> Moments:
    """Return the moments of two sets of samples taken together."""
    n = first.n + second.n
    shift = second.mean - first.mean
    scatter = (first.n - 1) * first.covariance + (second.n - 1) * second.covariance
    scatter = scatter + np.outer(shift, shift) * (first.n * second.n / n)
    return Moments(n, first.mean + shift * (second.n / n), scatter / (n - 1))


def moments_to_fid(first: Moments, second: Moments) -> float:
    """Return the Fréchet distance (squared) of two normal laws, >= 0.

    Covariances are factored by pivoted Cholesky, which takes singular ones too.
    """
    roots = [_pivoted_cholesky(m.covariance) for m in (first, second)]
    return _distance(first.mean - second.mean, roots[0], roots[1])


def features_to_fid(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the Fréchet distance (squared) of two sets of features ``(N, F)``, ``(M, F)``, >= 0.

    No covariance is formed: its root is the centred feature matrix itself where N <= F, and the
    triangle of its QR factorisation otherwise, so that no digit is lost for N < F either.

    Raises
    ------
    MetricError
        If a set has fewer than two rows or a value that is not finite, or widths differ.
    """
    (a, mean_a), (b, mean_b) = _centre(first, "first"), _centre(second, "second")
    if a.shape[1] != b.shape[1]:
        raise MetricError(
            f"generative: both sets must have one number of features, got "
            f"{a.shape[1]} and {b.shape[1]}"
        )
    return _distance(mean_a - mean_b, _root(a), _root(b))


def kernel_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[float, float]:
    """Return the kernel distance (squared MMD) of two sets of features and its standard error.

    Kernel (x·y / F + 1)³. The full U-statistic over all pairs, which is unbiased (and so may fall
    below 0) and needs no subsets; the error is of its Hájek projection (van der Vaart,
    "Asymptotic Statistics" (1998), section 12.2), for laws that differ.
    """
    a, b = _finite(first, "first"), _finite(second, "second")
    own_a, own_b = _kernel_sums(a, a)[0], _kernel_sums(b, b)[0]
    cross_a, cross_b = _kernel_sums(a, b)
    n, m = len(a), len(b)
    self_a, self_b = (_kernel(np.einsum("nf,nf->n", x, x), x.shape[1]) for x in (a, b))
    part_a = (own_a - self_a) / (n - 1) - cross_a / m
    part_b = (own_b - self_b) / (m - 1) - cross_b / n
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


def _distance(shift: Floats, first: Floats, second: Floats) -> float:
    """Return |shift|² + tr(S + T - 2 (S T)^½) from roots, S = first·firstᵀ, ``(F, r)`` each.

    The trace of (S T)^½ is the nuclear norm of firstᵀ·second. Where little is left after the
    subtraction, the same quantity is taken as the residual of the orthogonal Procrustes problem,
    a sum of squares.
    """
    total = float((first**2).sum() + (second**2).sum())
    inner = np.linalg.svd(first.T @ second, compute_uv=False).sum()
    spread = total - 2 * float(inner)
    if spread < _NEAR * total:
        rank = max(first.shape[1], second.shape[1])
        a, b = (np.pad(root, ((0, 0), (0, rank - root.shape[1]))) for root in (first, second))
        u, _, vt = np.linalg.svd(b.T @ a)
        spread = float(((a - b @ (u @ vt)) ** 2).sum())
    return float(shift @ shift) + spread


def _root(centred: Floats) -> Floats:
    """Return R with R·Rᵀ the unbiased covariance, ``(F, min(N, F))``."""
    tall = centred.shape[0] > centred.shape[1]
    triangle = np.asarray(np.linalg.qr(centred, mode="r")) if tall else centred
    root: Floats = triangle.T / np.sqrt(len(centred) - 1)
    return root


def _pivoted_cholesky(covariance: Floats) -> Floats:
    from scipy.linalg import lapack

    if not covariance.any():
        return np.zeros((len(covariance), 1))
    factor, pivots, rank, _ = lapack.dpstrf(covariance, lower=1)
    root = np.zeros((len(covariance), rank))
    root[pivots - 1] = np.tril(factor)[:, :rank]
    return root


def _finite(features: npt.ArrayLike, name: str) -> Floats:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise MetricError(
            f"generative: {name} must have two rows of features or more, got shape {x.shape}"
        )
    if not np.isfinite(x).all():
        raise MetricError(f"generative: {name} must be finite, got NaN or inf")
    return x


def _centre(features: npt.ArrayLike, name: str) -> tuple[Floats, Floats]:
    x = _finite(features, name)
    mean = x.mean(axis=0)
    return x - mean, mean


def _kernel(products: Floats, width: int) -> Floats:
    kernel: Floats = (products / width + 1) ** 3
    return kernel


def _kernel_sums(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return the row and column sums of the kernel matrix, ``(N,)`` and ``(M,)``."""
    rows, columns = np.empty(len(a)), np.zeros(len(b))
    for start in range(0, len(a), _BLOCK):
        part = _kernel(a[start : start + _BLOCK] @ b.T, a.shape[1])
        rows[start : start + _BLOCK] = part.sum(axis=1)
        columns += part.sum(axis=0)
    return rows, columns


def _plogp(p: Floats) -> Floats:
    product: Floats = p * np.log(np.where(p > 0, p, 1.0))
    return product
