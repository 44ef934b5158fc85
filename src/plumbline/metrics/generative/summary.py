"""Sample quality of a generator, against real images, with its floor: real against real."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.errors import MetricError
from plumbline.metrics.estimates import Estimate, Estimates, MetricOptions, estimate, share
from plumbline.metrics.generative import distances, frechet, manifold
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.survey_design import PLAIN


def generator_metrics(
    predictions: Predictions, options: MetricOptions
) -> tuple[Estimates, Estimates]:
    """Return a generator's metrics and their real-vs-real floors.

    In each of ``splits`` rounds the real images are halved at random into A and B of n images
    each, and n generated ones G are drawn, n being half of the smaller of both sets. The distance
    of G from A is the generator's, that of B from A its floor: both at the same n, on which the
    Fréchet distance and the k-NN manifolds depend. Values are means over the rounds. A random half
    of a set varies about the whole as the whole does about its law (delete-half jackknife, Shao
    and Tu, "The Jackknife and Bootstrap" (1995), section 5.2), so the interval is the mean ± z
    standard deviations of the rounds. It covers the choice of samples and real images, not another
    training; where more than 2n images were generated it errs on the wide side. The kernel distance
    is unbiased at any size: it is taken once over all samples.
    """
    table = predictions.table
    made, real = (table["split"] == split for split in (names.TEST, names.REFERENCE))
    features, scores = predictions.features(), predictions.scores()[made.to_numpy()]
    fake, true = features[made.to_numpy()], features[real.to_numpy()]
    values, floors = half_sample_rounds(
        fake, true, neighbours=options.neighbours, splits=options.splits, seed=options.seed
    )
    name, z = names.generative, proportions.critical_value(options.confidence)
    metrics = {name(key): _spread(key, series, z) for key, series in values.items()}
    reference = {name(key): _spread(key, series, z) for key, series in floors.items()}
    ratio = float(np.mean(values[names.FID]) / np.mean(floors[names.FID]))
    metrics[name(names.FID_TO_FLOOR)] = estimate(ratio, np.nan, np.nan)
    kid, error = distances.kernel_distance(fake, true)
    metrics[name(names.KID)] = estimate(kid, kid - z * error, kid + z * error)
    weights = proportions.resample_weights(
        len(scores), replicates=options.replicates, seed=options.seed
    )
    metrics[name(names.INCEPTION_SCORE)] = estimate(
        distances.inception_score(scores)[0],
        *proportions.percentile(
            distances.inception_score(scores, weights=weights), confidence=options.confidence
        ),
    )
    reference[name(names.INCEPTION_SCORE)] = estimate(
        distances.inception_score(predictions.scores()[real.to_numpy()])[0], np.nan, np.nan
    )
    for split, target in ((made, metrics), (real, reference)):
        rows = table[split]
        agreed = (rows["y_true"] == rows["y_pred"]).to_numpy()
        target[names.CLASS_AGREEMENT] = share(
            PLAIN.rates(agreed, np.zeros(len(agreed), dtype=np.int64), 1), options.confidence
        )
    return metrics, reference


def half_sample_rounds(
    generated: npt.NDArray[np.float64],
    real: npt.NDArray[np.float64],
    *,
    neighbours: int,
    splits: int,
    seed: int,
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return Fréchet distance, precision and recall of every round, and those of the floor."""
    n = min(len(generated), len(real)) // 2
    if n <= neighbours:
        raise MetricError(
            f"generator: half of the generated and of the real images must be > {neighbours} "
            f"(nearest_neighbours), got {n}"
        )
    rng = np.random.default_rng(seed)
    keys = (names.FID, names.GEN_PRECISION, names.GEN_RECALL)
    rounds: tuple[dict[str, list[float]], ...] = ({k: [] for k in keys}, {k: [] for k in keys})
    for _ in range(splits):
        order = rng.permutation(len(real))
        half, other = real[order[:n]], real[order[n : 2 * n]]
        drawn = generated[rng.permutation(len(generated))[:n]]
        for series, sample in zip(rounds, (drawn, other), strict=True):
            measured = (
                frechet.features_to_fid(sample, half),
                *manifold.overlap(sample, half, neighbours=neighbours)[:2],
            )
            for key, value in zip(keys, measured, strict=True):
                series[key].append(value)
    return rounds[0], rounds[1]


def _spread(quantity: str, series: list[float], z: float) -> Estimate:
    """Return mean ± z standard deviations, within what the quantity can be."""
    mean, half = float(np.mean(series)), np.nan
    if len(series) > 1:
        half = z * float(np.std(series, ddof=1))
    low, high = (np.maximum(mean - half, 0.0), mean + half)
    return estimate(mean, low, high if quantity == names.FID else np.minimum(high, 1.0))
