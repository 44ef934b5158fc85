"""Where generated samples lie among real ones, by k-nearest-neighbour manifolds.

The manifold of a set is the union of balls about its samples, each reaching to the k-th nearest
other one. ``N`` generated samples, ``M`` real ones, ``F`` features.

Precision and recall: Kynkäänniemi et al., "Improved precision and recall metric for assessing
generative models", NeurIPS 2019, https://arxiv.org/abs/1904.06991, section 2. Density and
coverage: Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020,
https://arxiv.org/abs/2002.09797, sections 3.1 and 3.3 (expected coverage).
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plumbline.errors import MetricError
from plumbline.metrics.generative.features import Features, check_pair

# Share of real samples that lie nearer to another one than the distance that says "repeated".
REPEATED = 0.05
_BLOCK = 512  # generated samples whose distances from all real ones are in memory at once
_TILE = 1024  # rows and columns of a distance matrix within a set that are in memory at once


class Overlap(NamedTuple):
    """How two sets of samples overlap; see `overlap`."""

    precision: float
    recall: float
    density: float
    coverage: float
    repetition: float


def overlap(generated: npt.ArrayLike, real: npt.ArrayLike, *, neighbours: int) -> Overlap:
    """Return precision, recall, density, coverage and repetition of generated samples.

    precision
        Share of generated samples in the manifold of the real ones, in [0, 1].
    recall
        Share of real samples in the manifold of the generated ones, in [0, 1].
    density
        Mean number of real samples in whose balls a generated one lies, over k; >= 0, and 1 is
        expected of sets from one law.
    coverage
        Share of real samples in whose ball any generated one lies, in [0, 1];
        1 - Π (M - i) / (N + M - i) over i = 1…k is expected of sets from one law, near 1 - 2^-k
        for sets of one size.
    repetition
        Share of generated samples that lie at least as near to another generated one as the
        nearest `REPEATED` of the real samples lie to another real one, in [0, 1]; `REPEATED` is
        expected of sets of one size from one law. Distances shrink as sets grow: give both sets
        one size.

    Parameters
    ----------
    generated, real : array_like, (N, F), (M, F)
        Distances are taken in single precision where both are.
    neighbours : int
        k; Kynkäänniemi et al. use 3, Naeem et al. 5. Values depend on k and on the sample size:
        compare only at the same k, N and M.

    Raises
    ------
    MetricError
        If a set is unfit, or has not more than ``neighbours`` samples.
    """
    x, y = check_pair(generated, real)
    centre = y.mean(axis=0)  # distances stay, and lose fewer digits
    x, y = x - centre, y - centre
    (own_nearest, own), (nearest, others) = (_radii(z, neighbours) for z in (x, y))
    squares, norms = _squared_norms(x), _squared_norms(y)
    precise, within = 0, 0
    recalled, covered = np.zeros(len(y), dtype=bool), np.zeros(len(y), dtype=bool)
    for start in range(0, len(x), _BLOCK):
        block = slice(start, start + _BLOCK)
        distances = _squared_distances(x[block], y, squares[block], norms)
        inside = distances <= others
        precise += int(inside.any(axis=1).sum())
        within += int(np.count_nonzero(inside))
        covered |= inside.any(axis=0)
        recalled |= (distances <= own[block, None]).any(axis=0)
    return Overlap(
        precision=precise / len(x),
        recall=float(recalled.mean()),
        density=within / (neighbours * len(x)),
        coverage=float(covered.mean()),
        repetition=float((own_nearest <= np.quantile(nearest, REPEATED)).mean()),
    )


def _radii(x: Features, neighbours: int) -> tuple[Features, Features]:
    """Return the squared distances to the nearest and to the k-th nearest other sample."""
    if not 1 <= neighbours < len(x):
        raise MetricError(
            f"manifold: neighbours must be in 1…{len(x) - 1} for {len(x)} samples, got {neighbours}"
        )
    norms = _squared_norms(x)
    nearest = np.full((len(x), neighbours + 1), np.inf, dtype=x.dtype)  # with the sample itself
    tiles = [slice(start, start + _TILE) for start in range(0, len(x), _TILE)]
    for first, second in itertools.combinations_with_replacement(tiles, 2):
        squares = _squared_distances(x[first], x[second], norms[first], norms[second])
        if first is second:
            np.fill_diagonal(squares, 0)  # exactly, so that a sample is its own nearest
        else:
            nearest[second] = _smallest(nearest[second], squares.T)
        nearest[first] = _smallest(nearest[first], squares)
    nearest.partition(1, axis=1)  # the sample itself stands first
    return nearest[:, 1], nearest.max(axis=1)


def _smallest(known: Features, found: Features) -> Features:
    """Return of each row of both as many values as were known, the smallest, in any order."""
    count = known.shape[1]
    both = np.concatenate([known, found], axis=1)
    both.partition(count - 1, axis=1)
    return both[:, :count]


def _squared_norms(x: Features) -> Features:
    norms: Features = np.einsum("nf,nf->n", x, x)
    return norms


def _squared_distances(a: Features, b: Features, of_a: Features, of_b: Features) -> Features:
    squares: Features = a @ b.T
    squares *= -2
    squares += of_a[:, None]
    squares += of_b
    return np.maximum(squares, 0, out=squares)
