"""Quantities that depend on the sample size, of half-samples: values, variances and references.

Sources
-------
Variance: Wang and Lindsay, "Variance estimation of a general U-statistic with application to
cross-validation", Statistica Sinica 24 (2014) 1117-1141, https://doi.org/10.5705/ss.2012.215.
Extrapolation: Chong and Forsyth, "Effectively unbiased FID and Inception Score and where to find
them", CVPR 2020, https://arxiv.org/abs/1911.07023, section 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.generative import frechet, manifold

Floats = npt.NDArray[np.float64]

QUANTITIES = (
    names.FID, names.GEN_PRECISION, names.GEN_RECALL, names.DENSITY, names.COVERAGE,
    names.REPETITION,
)  # fmt: skip
BLOCKS = 2  # of generated samples beside one half of the real ones


class Halves(NamedTuple):
    """Quantities of every round, ``Q`` as in `QUANTITIES`.

    Attributes
    ----------
    size : int
        Samples of either kind that are compared with one another.
    generated : ndarray, (R, 2, Q)
        Of the two comparisons of a round, which have no sample in common.
    real : ndarray, (R, Q)
        One half of the real samples against the other.
    """

    size: int
    generated: Floats
    real: Floats

    def estimates(self) -> tuple[Floats, Floats]:
        """Return the means of the generated samples' quantities and their errors, ``(Q,)`` each.

        A mean estimates the expected value of one comparison. Its variance is minus the covariance
        of the two comparisons of a round: they share no sample, so that their covariance, 0, is
        that within the given samples plus the variance of the mean (Wang and Lindsay 2014). This
        is exact for every quantity, smooth or not; the rounds estimate the covariance. As a few
        rounds may put it near 0, half the variance of the mean of both comparisons is its least:
        that mean varies by terms of second order, which alone would make both variances equal, and
        higher ones.
        """
        rounds = len(self.generated)
        means = self.generated.mean(axis=1)
        deviations = self.generated - self.generated.mean(axis=0)
        covariance = (deviations[:, 0] * deviations[:, 1]).sum(axis=0) / (rounds - 1)
        spread = means.var(axis=0, ddof=1)
        errors: Floats = np.sqrt(np.maximum(-covariance, spread / 2) + spread / rounds)
        return means.mean(axis=0), errors


def half_sample_rounds(
    generated: Floats, real: Floats, *, neighbours: int, splits: int, seed: int
) -> Halves:
    """Return quantities of ``splits`` random partitions of both sets.

    In a round the real samples are halved at random into A and B of n each, and disjoint blocks
    of n generated samples are drawn, up to `BLOCKS` for each half. The quantity of a half is the
    mean over its blocks.

    Raises
    ------
    MetricError
        If half of a set has no more than ``neighbours`` samples.
    """
    n = min(len(generated), len(real)) // 2
    if n <= neighbours:
        raise MetricError(
            f"generator: half of the generated and of the real images must be > {neighbours} "
            f"(nearest_neighbours), got {n}"
        )
    rng = np.random.default_rng(seed)
    blocks = min(len(generated) // (2 * n), BLOCKS)
    pairs, floors = [], []
    for _ in range(splits):
        halves = real[rng.permutation(len(real))[: 2 * n]].reshape(2, n, -1)
        drawn = generated[rng.permutation(len(generated))[: 2 * blocks * n]]
        pairs.append(
            [
                np.mean([measure(block, half, neighbours) for block in own], axis=0)
                for half, own in zip(halves, drawn.reshape(2, blocks, n, -1), strict=True)
            ]
        )
        floors.append(measure(halves[1], halves[0], neighbours))
    return Halves(n, np.asarray(pairs), np.asarray(floors))


def fid_infinity(generated: Floats, real: Floats, half: float, *, size: int) -> tuple[float, float]:
    """Return the Fréchet distance extrapolated to endless samples, and its standard error.

    Its bias is near b / n for n samples of either kind, so that twice the distance at 2n less that
    at n is free of it (Chong and Forsyth 2020 fit a line through more sizes of the generated set,
    and leave the real set as it is). The error is by the delta method. The value may be below 0.

    Parameters
    ----------
    half : float
        Mean distance at ``size`` samples of either kind.
    """
    blocks = len(generated) // (2 * size)
    whole = np.mean(
        [
            frechet.features_to_fid(generated[start::blocks][: 2 * size], real[: 2 * size])
            for start in range(blocks)
        ]
    )
    return float(2 * whole - half), frechet.fid_variance(generated, real) ** 0.5


def measure(generated: Floats, real: Floats, neighbours: int) -> list[float]:
    """Return the quantities of one comparison, in the order of `QUANTITIES`."""
    fid = frechet.features_to_fid(generated, real)
    single = (x.astype(np.float32) for x in (generated, real))
    return [fid, *manifold.overlap(*single, neighbours=neighbours)]
