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
from plumbline.metrics.generative.distances import Strata

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

    def estimates(self, *, confidence: float) -> tuple[Floats, Floats]:
        """Return means of the generated samples' quantities, and half their intervals, ``(Q,)``.

        A mean estimates the expected value of one comparison. Its variance is minus the covariance
        of the two comparisons of a round: they share no sample, so that their covariance, 0, is
        that within the given samples plus the variance of the mean (Wang and Lindsay 2014). This
        is exact for every quantity, smooth or not; the rounds estimate the covariance. As a few
        rounds may put it near 0, half the variance of the mean of both comparisons is its least:
        that mean varies by terms of second order, which alone would make both variances equal, and
        higher ones. Student's t has the degrees of freedom that an estimated covariance of normal
        values is worth (Satterthwaite, Biometrics Bulletin 2 (1946) 110-114).
        """
        from scipy.special import stdtrit

        rounds = len(self.generated)
        means = self.generated.mean(axis=1)
        deviations = self.generated - self.generated.mean(axis=0)
        covariance = (deviations[:, 0] * deviations[:, 1]).sum(axis=0) / (rounds - 1)
        spread, each = means.var(axis=0, ddof=1), self.generated.var(axis=0, ddof=1)
        variance = np.maximum(-covariance, spread / 2)
        noise = (each.prod(axis=0) + variance**2) / (rounds - 1)
        freedom = np.divide(2 * variance**2, noise, out=np.ones_like(noise), where=noise > 0)
        t = stdtrit(np.maximum(freedom, 1), (1 + confidence) / 2)
        halves: Floats = t * np.sqrt(variance + spread / rounds)
        return means.mean(axis=0), halves


def half_sample_rounds(
    generated: Floats,
    real: Floats,
    *,
    neighbours: int,
    splits: int,
    seed: int,
    strata: Strata | None = None,
) -> Halves:
    """Return quantities of ``splits`` random partitions of both sets.

    In a round the real samples are halved at random into A and B of n each, and disjoint blocks
    of n generated samples are drawn, up to `BLOCKS` for each half. The quantity of a half is the
    mean over its blocks. Every part has the same share of each of the ``strata`` (as in
    `kernel_distance`), to one sample.

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
    of_made, of_real = strata or (np.zeros(len(x), np.int64) for x in (generated, real))
    parts = len(generated) // n
    blocks = min(parts // 2, BLOCKS)
    pairs, floors = [], []
    for _ in range(splits):
        halves = real[partition(rng, of_real, parts=2, size=n)]
        made = generated[partition(rng, of_made, parts=parts, size=n)[: 2 * blocks]]
        pairs.append(
            [
                np.mean([measure(block, half, neighbours) for block in own], axis=0)
                for half, own in zip(halves, (made[:blocks], made[blocks:]), strict=True)
            ]
        )
        floors.append(measure(halves[1], halves[0], neighbours))
    return Halves(n, np.asarray(pairs), np.asarray(floors))


def partition(
    rng: np.random.Generator, strata: npt.NDArray[np.int64], *, parts: int, size: int
) -> npt.NDArray[np.int64]:
    """Return disjoint random parts, ``(parts, size)`` places, with equal shares of the strata.

    Samples in random order are sorted by stratum and dealt to the parts in random turn.
    """
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    kept = order[np.arange(parts * size) * len(order) // (parts * size)]
    dealt = kept.reshape(size, parts)
    return np.asarray(rng.permuted(dealt, axis=1).T)


def fid_infinity(
    generated: Floats, real: Floats, half: float, *, size: int, strata: Strata | None = None
) -> tuple[float, float]:
    """Return the Fréchet distance extrapolated to endless samples, and its standard error.

    Its bias is near b / n for n samples of either kind, so that twice the distance at 2n less that
    at n is free of it (Chong and Forsyth 2020 fit a line through more sizes of the generated set,
    and leave the real set as it is). The error is by the delta method. The value may be below 0.

    Parameters
    ----------
    half : float
        Mean distance at ``size`` samples of either kind, of `half_sample_rounds`.
    """
    rng = np.random.default_rng(0)  # the parts are all there are; which sample is where says little
    of_made, of_real = strata or (np.zeros(len(x), np.int64) for x in (generated, real))
    (all_real,) = real[partition(rng, of_real, parts=1, size=2 * size)]
    blocks = generated[partition(rng, of_made, parts=len(generated) // (2 * size), size=2 * size)]
    whole = np.mean([frechet.features_to_fid(block, all_real) for block in blocks])
    error = frechet.fid_variance(generated, real, strata=strata) ** 0.5
    return float(2 * whole - half), error


def measure(generated: Floats, real: Floats, neighbours: int) -> list[float]:
    """Return the quantities of one comparison, in the order of `QUANTITIES`."""
    fid = frechet.features_to_fid(generated, real)
    single = (x.astype(np.float32) for x in (generated, real))
    return [fid, *manifold.overlap(*single, neighbours=neighbours)]
