"""The Fréchet distance of two sets of features, never negative.

``N M`` samples, ``F`` features. The distance of N(m, S) and N(m', T) is
|m - m'|² + tr S + tr T - 2 tr (S T)^½, and tr (S T)^½ is the nuclear norm of AᵀB for any roots
S = AAᵀ, T = BBᵀ. Where both sets have more samples than features, covariances serve as long as they
keep the digits; that is twice as fast. Otherwise none is formed: the root is the centred feature
matrix itself for N <= F, and the triangle of its QR factorisation for N > F. So singular
covariances need no regularisation, and no digit is lost where a square root of a matrix product
loses half of them.

Sources
-------
Distance: Heusel et al., NeurIPS 2017, https://arxiv.org/abs/1706.08500, equation 6 of the appendix;
the closed form is Dowson and Landau, J. Multivariate Analysis 12 (1982) 450-455.
Error of eigenvalues: Golub and Van Loan, "Matrix Computations" (4th ed., 2013), section 8.1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.metrics.generative.distances import Strata, members, variance_of_mean
from plumbline.metrics.generative.features import Features, check_pair

Floats = npt.NDArray[np.float64]

# Below this share of the total variance, subtracting traces would lose digits.
_NEAR = 1e-3
# Ratio of a Cholesky factor's squared pivots up to which a covariance counts as singular.
_SINGULAR = 1e-12
# Largest error that eigenvalues may have, relative to the distance of the covariances.
_TOLERANCE = 1e-12


def features_to_fid(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the Fréchet distance (squared) of two sets of features ``(N, F)``, ``(M, F)``, >= 0.

    Raises
    ------
    MetricError
        If a set has fewer than two rows or a value that is not finite, or widths differ.
    """
    a, b = check_pair(first, second)
    shift = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    spread = _covariance_distance(a, b) if min(len(a), len(b)) > a.shape[1] else None
    return float(shift @ shift) + (_distance(_root(a), _root(b)) if spread is None else spread)


def fid_variance(
    first: npt.ArrayLike, second: npt.ArrayLike, *, strata: Strata | None = None
) -> float:
    """Return the variance of the Fréchet distance by the delta method, >= 0.

    The derivative in the direction of a sample x of the first set is
    |x - m|² - (x - m)ᵀ T (x - m) + 2 (m - m') · (x - m), T the optimal linear map between the two
    normal laws. Where the laws are equal the derivative is 0 and what is returned is noise: twice
    the variance, as with every jackknife of a quadratic statistic. ``strata`` as in
    `kernel_distance`.
    """
    a, b = check_pair(first, second)
    parts = (_derivative(x, y) for x, y in ((a, b), (b, a)))
    return sum(
        variance_of_mean(part, members(len(part), strata, i)) for i, part in enumerate(parts)
    )


def _derivative(first: Features, second: Features) -> Floats:
    """Return the derivative of the distance in the direction of each sample of the first set."""
    x = first.astype(np.float64, copy=False)
    mean = x.mean(axis=0)
    centred, shift = x - mean, mean - second.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred / (len(x) - 1))
    kept = values > _SINGULAR * values[-1]
    scale, axes = np.sqrt(values[kept]), axes[:, kept]
    moved = axes * scale
    lengths, turned = np.linalg.eigh(moved.T @ _covariance(second) @ moved)
    white = centred @ (axes / scale) @ turned
    derivative: Floats = (centred**2).sum(axis=1) + 2 * centred @ shift
    derivative -= white**2 @ np.sqrt(np.maximum(lengths, 0))
    return derivative


def _covariance_distance(first: Features, second: Features) -> float | None:
    """Return tr(S + T - 2 (S T)^½) by eigenvalues of AᵀTA; None if digits would be lost."""
    s, t = _covariance(first), _covariance(second)
    try:
        root = np.linalg.cholesky(s)
    except np.linalg.LinAlgError:
        return None
    pivots = np.diag(root) ** 2
    if pivots.min() <= _SINGULAR * pivots.max():
        return None
    norm, error = _nuclear_norm(root.T @ t @ root)
    total = float(np.trace(s) + np.trace(t))
    spread = total - 2 * norm
    exact = spread >= _NEAR * total and 2 * error <= _TOLERANCE * spread
    return spread if exact else None


def _covariance(features: Features) -> Floats:
    x = features.astype(np.float64, copy=False)
    centred = x - x.mean(axis=0)
    covariance: Floats = centred.T @ centred / (len(centred) - 1)
    return covariance


def _distance(first: Floats, second: Floats) -> float:
    """Return tr(S + T - 2 (S T)^½) from roots, S = first·firstᵀ, ``(F, r)`` each.

    Where little is left after the subtraction, the same quantity is taken as the residual of the
    orthogonal Procrustes problem, a sum of squares.
    """
    total = float((first**2).sum() + (second**2).sum())
    product = first.T @ second
    norm, error = _nuclear_norm(product @ product.T)
    spread = total - 2 * norm
    if not 2 * error <= _TOLERANCE * spread:
        spread = total - 2 * float(np.linalg.svd(product, compute_uv=False).sum())
    if spread < _NEAR * total:
        rank = max(first.shape[1], second.shape[1])
        a, b = (np.pad(root, ((0, 0), (0, rank - root.shape[1]))) for root in (first, second))
        u, _, vt = np.linalg.svd(b.T @ a)
        spread = float(((a - b @ (u @ vt)) ** 2).sum())
    return spread


def _nuclear_norm(gram: Floats) -> tuple[float, float]:
    """Return the nuclear norm of P by eigenvalues of PPᵀ, and a bound of its error.

    A fifth of the time of singular values. An eigenvalue may be wrong by ε times the largest, and
    its root by more the smaller it is.
    """
    values = np.linalg.eigvalsh(gram)
    lost = float(np.finfo(np.float64).eps) * values[-1]
    roots = np.sqrt(np.maximum(values, max(lost, np.finfo(np.float64).tiny)))
    return float(np.sqrt(np.maximum(values, 0)).sum()), float((lost / (2 * roots)).sum())


def _root(features: Features) -> Floats:
    """Return R with R·Rᵀ the unbiased covariance, ``(F, min(N, F))``."""
    x = features.astype(np.float64, copy=False)
    centred = x - x.mean(axis=0)
    tall = centred.shape[0] > centred.shape[1]
    triangle = np.asarray(np.linalg.qr(centred, mode="r")) if tall else centred
    root: Floats = triangle.T / np.sqrt(len(centred) - 1)
    return root
