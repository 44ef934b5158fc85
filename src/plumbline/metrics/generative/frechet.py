"""The Fréchet distance of two sets of features: features → moments → distance, never negative.

``N M`` samples, ``F`` features. The distance of N(m, S) and N(m', T) is
|m - m'|² + tr S + tr T - 2 tr (S T)^½, and tr (S T)^½ is the nuclear norm of AᵀB for any roots
S = AAᵀ, T = BBᵀ. Which roots, and how the norm is had, is a ladder from fast to exact; a rung is
left where its own bound, or a check of what it found, says that it would lose digits.

Sources
-------
Distance: Heusel et al., NeurIPS 2017, https://arxiv.org/abs/1706.08500, equation 6 of the appendix;
the closed form is Dowson and Landau, J. Multivariate Analysis 12 (1982) 450-455.
Pooling of moments: Chan, Golub and LeVeque, The American Statistician 37 (1983) 242-247.
Error of eigenvalues: Golub and Van Loan, "Matrix Computations" (4th ed., 2013), section 8.1; of
graded matrices: Demmel and Veselić, SIAM J. Matrix Anal. Appl. 13 (1992) 1204-1245.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError
from plumbline.metrics.generative.features import Features, check_features, check_finite, check_pair

Floats = npt.NDArray[np.float64]
Roots = tuple[Floats, Floats]

# Below this share of the total variance, subtracting traces would lose digits.
_NEAR = 1e-3
# What the eigenvalues may be wrong by, relative to the distance of the covariances.
_TOLERANCE = 1e-12
_EPSILON = float(np.finfo(np.float64).eps)
# What the relative errors of all eigenvalues together may come to where the small ones are kept.
_KEPT = 1e-9
# Squared ratio of a Cholesky factor's pivots from which a covariance counts as singular.
_SINGULAR = 1e-12
_STEPS = 4  # of power iteration
_BLOCK = 2048  # rows whose products are summed at once
_TILE = 256  # side of the part of a matrix that is transposed at once


@dataclass(frozen=True)
class Moments:
    """Number of samples, their mean ``(F,)`` and unbiased covariance ``(F, F)``."""

    n: int
    mean: Floats
    covariance: Floats


def features_to_moments(features: npt.ArrayLike) -> Moments:
    """Return the moments of features ``(N, F)``, N >= 2, in double precision.

    Raises
    ------
    MetricError
        If there are fewer than two rows, or a value is not finite.
    """
    return _pool([check_features(features, "features")])


def batches_to_moments(batches: Iterable[npt.ArrayLike]) -> Moments:
    """Return the moments of features that come in batches ``(n, F)`` of any sizes.

    Rows are gathered into blocks, each centred at its own mean, and pooled: nothing but one block
    and one matrix ``(F, F)`` is held, and an offset of the features costs no digit.

    Raises
    ------
    MetricError
        If there are fewer than two rows in all, widths differ, or a value is not finite.
    """
    return _pool(check_finite(np.asarray(batch), "batches") for batch in batches)


def merge_moments(first: Moments, second: Moments) -> Moments:
    """Return the moments of two sets of samples taken together."""
    n = first.n + second.n
    shift = second.mean - first.mean
    scatter = (first.n - 1) * first.covariance + (second.n - 1) * second.covariance
    scatter = scatter + np.outer(shift, shift) * (first.n * second.n / n)
    return Moments(n, first.mean + shift * (second.n / n), scatter / (n - 1))


def moments_to_fid(first: Moments, second: Moments) -> float:
    """Return the Fréchet distance (squared) of two normal laws, >= 0.

    Covariances that are singular, or laws so near that digits would be lost, are factored by
    pivoted Cholesky; what the covariances themselves have lost is not recovered.
    """

    def roots() -> Roots:
        return _pivoted_cholesky(first.covariance), _pivoted_cholesky(second.covariance)

    return _climb(first, second, roots)


def features_to_fid(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the Fréchet distance (squared) of two sets of features ``(N, F)``, ``(M, F)``, >= 0.

    Where both sets have more samples than features, covariances serve as long as they keep the
    digits. Else none is formed: the root of a covariance is the centred feature matrix itself for
    N <= F, and the triangle of its QR factorisation otherwise.

    Raises
    ------
    MetricError
        If a set has fewer than two rows or a value that is not finite, or widths differ.
    """
    a, b = check_pair(first, second)

    def roots() -> Roots:
        return _root(a), _root(b)

    if min(len(a), len(b)) > a.shape[1]:
        return _climb(_pool([a]), _pool([b]), roots)
    return _distance(a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64), *roots())


def _climb(first: Moments, second: Moments, roots: Callable[[], Roots]) -> float:
    """Return the distance by Cholesky factors of the covariances, else by ``roots``.

    The nuclear norm is taken the first of three ways that keeps the digits, each slower than the
    one before it. Where variances fall over many orders the first is not tried.
    """
    shift = first.mean - second.mean
    total = float(np.trace(first.covariance) + np.trace(second.covariance))
    a = _cholesky(first.covariance)
    if a is not None:
        ways = (_eigenvalue_norm, _graded_norm, _singular_norm)
        for norm in ways[1:] if _falls(first.covariance, a) else ways:
            inner, error = norm(a, second.covariance)
            distance = total - 2 * inner
            if distance < _NEAR * total:
                break
            if 2 * error <= _TOLERANCE * distance:
                return float(shift @ shift) + distance
    return _distance(shift, *roots())


def _falls(covariance: Floats, root: Floats) -> bool:
    """Say whether eigenvalues would lose digits if both covariances were this one.

    The largest variance is had by a few steps of power iteration, the others from the pivots.
    """
    direction = covariance[:, np.argmax(np.diag(covariance))]
    for _ in range(_STEPS):
        direction = covariance @ (direction / np.linalg.norm(direction))
    lost = _EPSILON * float(direction @ direction) * (1 / np.diag(root) ** 2).sum() / 2
    return bool(lost > _TOLERANCE * np.trace(covariance))


def _eigenvalue_norm(root: Floats, covariance: Floats) -> tuple[float, float]:
    """Return the nuclear norm by eigenvalues of AᵀTA, and a bound of its error.

    An eigenvalue may be wrong by ε times the largest, and its root by more the smaller it is.
    """
    from scipy.linalg import eigvalsh
    from scipy.linalg.lapack import dsygst

    product, _ = dsygst(covariance, root, itype=2, lower=1)
    values = eigvalsh(product, lower=True, check_finite=False)
    lost = _EPSILON * values[-1]
    roots = np.sqrt(np.maximum(values, lost))
    return float(np.sqrt(np.maximum(values, 0)).sum()), float((lost / (2 * roots)).sum())


def _graded_norm(root: Floats, covariance: Floats) -> tuple[float, float]:
    """Return the nuclear norm by eigenvalues that keep their digits, or an infinite error.

    The columns of BᵀA, the largest first, are made a triangle R, whose Gram matrix RRᵀ is graded:
    its large elements stand at the top left, where the reduction starts, and the small ones are
    not mixed with them (Demmel and Veselić). That the small eigenvalues were kept is held to the
    product of all, which the factors' pivots give as well.
    """
    from scipy.linalg import eigvalsh, qr
    from scipy.linalg.blas import dtrmm
    from scipy.linalg.lapack import dlauum

    other = _cholesky(covariance)
    if other is None:
        return 0.0, np.inf
    product = dtrmm(1.0, other, root, trans_a=1, lower=1)
    descending = np.argsort(-np.einsum("ij,ij->j", product, product), kind="stable")
    (triangle,) = qr(product[:, descending], mode="r", overwrite_a=True, check_finite=False)
    gram, _ = dlauum(triangle.T, lower=1)
    values = eigvalsh(gram, lower=True, check_finite=False, overwrite_a=True)
    if not values[0] > 0:
        return 0.0, np.inf
    pivots = np.log(np.diag(root)).sum() + np.log(np.diag(other)).sum()
    kept = abs(np.log(values).sum() - 2 * pivots) < _KEPT
    return float(np.sqrt(values).sum()), 0.0 if kept else np.inf


def _singular_norm(root: Floats, covariance: Floats) -> tuple[float, float]:
    other = _cholesky(covariance)
    return (0.0, np.inf) if other is None else (_singular_value_norm(root, other), 0.0)


def _singular_value_norm(first: Floats, second: Floats) -> float:
    return float(np.linalg.svd(first.T @ second, compute_uv=False).sum())


def _distance(shift: Floats, first: Floats, second: Floats) -> float:
    """Return |shift|² + tr(S + T - 2 (S T)^½) from roots, S = first·firstᵀ, ``(F, r)`` each.

    Where little is left after the subtraction, the same quantity is taken as the residual of the
    orthogonal Procrustes problem, a sum of squares.
    """
    total = float((first**2).sum() + (second**2).sum())
    spread = total - 2 * _singular_value_norm(first, second)
    if spread < _NEAR * total:
        rank = max(first.shape[1], second.shape[1])
        a, b = (np.pad(root, ((0, 0), (0, rank - root.shape[1]))) for root in (first, second))
        u, _, vt = np.linalg.svd(b.T @ a)
        spread = float(((a - b @ (u @ vt)) ** 2).sum())
    return float(shift @ shift) + spread


def _root(features: Features) -> Floats:
    """Return R with R·Rᵀ the unbiased covariance, ``(F, min(N, F))``."""
    x = features.astype(np.float64, copy=False)
    centred = x - x.mean(axis=0)
    tall = centred.shape[0] > centred.shape[1]
    triangle = np.asarray(np.linalg.qr(centred, mode="r")) if tall else centred
    root: Floats = triangle.T / np.sqrt(len(centred) - 1)
    return root


def _cholesky(covariance: Floats) -> Floats | None:
    """Return the lower factor, or None for a covariance that is singular to working precision."""
    from scipy.linalg.lapack import dpotrf

    factor, failed = dpotrf(covariance, lower=1)
    if failed:
        return None
    pivots = np.diag(factor)
    root: Floats = np.asfortranarray(factor)
    return root if pivots.min() ** 2 > _SINGULAR * pivots.max() ** 2 else None


def _pivoted_cholesky(covariance: Floats) -> Floats:
    from scipy.linalg import lapack

    if not covariance.any():
        return np.zeros((len(covariance), 1))
    factor, pivots, rank, _ = lapack.dpstrf(covariance, lower=1)
    root = np.zeros((len(covariance), rank))
    root[pivots - 1] = np.tril(factor)[:, :rank]
    return root


def _pool(batches: Iterable[Features]) -> Moments:
    """Return the moments of all rows, by Chan, Golub and LeVeque, equation 2.1, block by block."""
    from scipy.linalg.blas import dsyrk

    n, mean, scatter = 0, np.zeros(0), np.zeros((0, 0))
    for block in _blocks(batches):
        m = len(block) - 1
        own = block[:m].mean(axis=0)
        if n == 0:
            mean, scatter = own, np.zeros((len(own), len(own)), order="F")
        block[:m] -= own
        # What the distance of both means adds to the scatter is the product of one more row.
        block[m] = (own - mean) * np.sqrt(n * m / (n + m))
        scatter = dsyrk(1.0, block.T, beta=1.0, c=scatter, lower=1, overwrite_c=1)
        mean = mean + (own - mean) * (m / (n + m))
        n += m
    if n < 2:
        raise MetricError(f"features: batches must have two rows or more, got {n}")
    _mirror(scatter)
    return Moments(n, mean, np.divide(scatter, n - 1, out=scatter))


def _mirror(lower: Floats) -> None:
    """Fill the upper triangle, which is 0, tile by tile: whole columns would miss every cache."""
    for start in range(0, len(lower), _TILE):
        here, after = slice(start, start + _TILE), slice(start + _TILE, None)
        lower[here, here] += np.tril(lower[here, here], -1).T
        lower[here, after] = lower[after, here].T


def _blocks(batches: Iterable[Features]) -> Iterator[Floats]:
    """Yield the rows in blocks ``(m + 1, F)``, m <= `_BLOCK`; the last row is free."""
    block, filled = np.empty((0, 0)), 0
    for batch in batches:
        if batch.ndim != 2 or (block.size and batch.shape[1] != block.shape[1]):
            raise MetricError(
                f"features: batches must have shape (n, {block.shape[1] or 'F'}), got {batch.shape}"
            )
        if not block.size:
            block = np.empty((_BLOCK + 1, batch.shape[1]))
        taken = 0
        while taken < len(batch):
            part = batch[taken : taken + _BLOCK - filled]
            block[filled : filled + len(part)] = part
            filled, taken = filled + len(part), taken + len(part)
            if filled == _BLOCK:
                yield block
                filled = 0
    if filled:
        yield block[: filled + 1]
