"""Sample quality of a generator against real images, beside that of real images against real."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.metrics.estimates import Estimate, Estimates, MetricOptions, estimate, share
from plumbline.metrics.generative import distances, halves
from plumbline.metrics.generative.class_shares import ClassShares, class_shares
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.survey_design import PLAIN
from plumbline.metrics.scores import curves

Floats = npt.NDArray[np.float64]


def generator_metrics(
    predictions: Predictions, options: MetricOptions
) -> tuple[Estimates, Estimates, list[dict[str, Any]]]:
    """Return a generator's metrics, their real-vs-real references, and the shares of its classes.

    The kernel distance and the extrapolated Fréchet distance do not depend on the sample size;
    0 is expected of two sets from one law. The Fréchet distance, precision, recall, density,
    coverage and repetition do: they are means over comparisons of n generated with n real images, n
    being half of the smaller set (`half_sample_rounds`), and the reference compares n real images
    with n others. Intervals are of the expected value of such a comparison, over the choice of
    samples and real images of each class, not over another training; the numbers of images of the
    classes are fixed, as the split is stratified. A reference has no interval: there are only two
    halves, and the values of their partitions are not independent.
    """
    table = predictions.table
    made, real = ((table["split"] == split).to_numpy() for split in (names.TEST, names.REFERENCE))
    features, scores = predictions.features(), predictions.scores()
    classes = table["y_true"].to_numpy(np.int64)
    metrics, reference = _distances(
        features[made], features[real], options, strata=(classes[made], classes[real])
    )
    found = _class_shares(predictions, options)
    metrics[names.CLASSES_MISSING] = found.missing()
    score = names.generative(names.INCEPTION_SCORE)
    weights = proportions.resample_weights(
        int(made.sum()), replicates=options.replicates, seed=options.seed
    )
    metrics[score] = estimate(
        distances.inception_score(scores[made])[0],
        *proportions.percentile(
            distances.inception_score(scores[made], weights=weights), confidence=options.confidence
        ),
    )
    reference[score] = estimate(distances.inception_score(scores[real])[0], np.nan, np.nan)
    for rows, target in ((table[made], metrics), (table[real], reference)):
        agreed = (rows["y_true"] == rows["y_pred"]).to_numpy()
        target[names.CLASS_AGREEMENT] = share(
            PLAIN.rates(agreed, np.zeros(len(agreed), dtype=np.int64), 1), options.confidence
        )
    return metrics, reference, found.rows(predictions.classes)


def _distances(
    fake: Floats, real: Floats, options: MetricOptions, *, strata: distances.Strata
) -> tuple[Estimates, Estimates]:
    name, z = names.generative, proportions.critical_value(options.confidence)
    kid, error = distances.kernel_distance(fake, real, strata=strata)
    metrics = {name(names.KID): _distance(kid, error, z)}
    rounds = halves.half_sample_rounds(
        fake, real, neighbours=options.neighbours, splits=options.splits, seed=options.seed,
        strata=strata,
    )  # fmt: skip
    found = rounds.estimates(confidence=options.confidence)
    values = dict(zip(halves.QUANTITIES, zip(*found, strict=True), strict=True))
    fid = values[names.FID][0]
    value, error = halves.fid_infinity(fake, real, fid, size=rounds.size, strata=strata)
    metrics[name(names.FID_INFINITY)] = _distance(value, error, z)
    metrics |= {name(key): _bounded(key, *ends) for key, ends in values.items()}
    floors = zip(halves.QUANTITIES, rounds.real.mean(axis=0), strict=True)
    reference = {name(key): estimate(floor, np.nan, np.nan) for key, floor in floors}
    return metrics, reference


def _distance(value: float, error: float, z: float) -> Estimate:
    """Return value ± z errors; the distance itself is not negative, so its upper end is 0 or more.

    The value is that of an unbiased estimator and may be below 0.
    """
    return estimate(value, value - z * error, max(value + z * error, 0.0))


def _bounded(quantity: str, value: float, half: float) -> Estimate:
    """Return value ± half its interval, within what the quantity can be."""
    most = np.inf if quantity in (names.FID, names.DENSITY) else 1.0
    return estimate(value, max(value - half, 0.0), min(value + half, most))


def _class_shares(predictions: Predictions, options: MetricOptions) -> ClassShares:
    table, classes = predictions.table, len(predictions.classes)
    real = table[table["split"] == names.REFERENCE]
    return class_shares(
        np.bincount(table.loc[table["split"] == names.TEST, "y_pred"], minlength=classes),
        curves.confusion_matrix(real["y_true"], real["y_pred"], classes=classes),
        confidence=options.confidence,
        replicates=options.replicates,
        seed=options.seed,
    )
