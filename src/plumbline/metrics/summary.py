"""From a predictions table to the numbers a model is reported by.

Intervals: Wilson for shares, bootstrap over rows (over entities where there are any, over documents
for text) for the rest. Rows count by their weight where they have one. A generator is judged by
repeated half-samples, see `generator_metrics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.errors import MetricError
from plumbline.metrics.generative import distances, frechet, manifold
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.survey_design import PLAIN, Counted, Design
from plumbline.metrics.scores import classification, curves, language, regression

Estimate = dict[str, float | None]
Estimates = dict[str, Estimate]

UNWEIGHTED = "unweighted_rows"  # head of references in which every row counts once


def predictions_to_metrics(
    predictions: Predictions,
    *,
    confidence: float,
    replicates: int,
    bins: int,
    neighbours: int,
    splits: int,
    seed: int,
    others: Mapping[str, Predictions] | None = None,
    extractor_info: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the report of a model on its test rows, as ``reports/metrics/<model>.json`` holds it.

    Parameters
    ----------
    predictions : Predictions
    confidence : float
        Of every interval, in (0, 1).
    replicates : int
        Bootstrap replicates.
    bins : int
        Bins of the expected calibration error.
    neighbours, splits : int
        k of generative precision and recall; number of half-samples (generators only).
    seed : int
    others : mapping of str to Predictions, optional
        Other models on the same rows, to be read beside this one: reference
        ``<other>/<quantity>`` each, from the same resamples.
    extractor_info : mapping, optional
        What made the features of a generator's table; passed on.

    Raises
    ------
    MetricError
        If there is no test row, or another model's rows are not these.
    """
    test = predictions.table[predictions.table["split"] == names.TEST]
    if test.empty:
        raise MetricError(f"{predictions.model}: predictions must have test rows, got none")
    options: dict[str, Any] = {"confidence": confidence, "replicates": replicates, "seed": seed}
    reference: Estimates = {}
    if predictions.kind == names.GENERATOR:
        metrics, reference = generator_metrics(
            predictions, neighbours=neighbours, splits=splits, **options
        )
    else:
        metrics = _table_metrics(predictions, bins=bins, **options)
    design = _design(predictions)
    if predictions.kind == names.CLASSIFICATION:
        majority = _majority(test["y_true"].to_numpy(np.int64), design)
        reference[f"majority_class/{names.ACCURACY}"] = _share(majority, confidence)
    if design.weight is not None:
        same = _table_metrics(predictions, bins=bins, weighted=False, **options)
        reference |= {f"{UNWEIGHTED}/{quantity}": value for quantity, value in same.items()}
    for name, other in (others or {}).items():
        _check_same_rows(predictions, other, name)
        measured = _table_metrics(other, bins=bins, **options)
        reference |= {f"{name}/{quantity}": value for quantity, value in measured.items()}
    report = {
        "model": predictions.model,
        "kind": predictions.kind,
        "dataset": predictions.dataset,
        "source": predictions.source,
        "split": names.TEST,
        "n": len(test),
        **design.facts(),
        "headline": _headline(predictions.model, metrics),
        "metrics": metrics,
        "reference": reference,
        **_curves(predictions, confidence, design),
    }
    if extractor_info is None:
        return report
    real = int((predictions.table["split"] == names.REFERENCE).sum())
    sizes = {"generated": len(test), "real": real, "compared": min(len(test), real) // 2}
    return {**report, "extractor_info": {**extractor_info, **sizes}}


def classification_metrics(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    bins: int,
    confidence: float,
    replicates: int,
    seed: int,
    design: Design = PLAIN,
) -> Estimates:
    """Return every classification metric with its interval.

    Accuracy has Wilson's, the calibration error the basic bootstrap (it is biased upwards), the
    rest percentiles of the bootstrap.
    """
    true, decided = np.asarray(y_true), np.asarray(y_pred)
    values, resampled = (
        classification.weighted_metrics(true, decided, scores, bins=bins, weights=weights)
        for weights in _weights(design, len(true), replicates, seed)
    )
    estimates = _with_percentiles(values, resampled, confidence)
    estimates[names.ACCURACY] = _share(_rate(true == decided, design), confidence)
    ece = float(values[names.ECE][0])
    ends = proportions.basic(ece, resampled[names.ECE], confidence=confidence, minimum=0)
    return {**estimates, names.ECE: _estimate(ece, *ends)}


def regression_metrics(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    confidence: float,
    replicates: int,
    seed: int,
    design: Design = PLAIN,
) -> Estimates:
    """Return every regression metric with its percentile bootstrap interval."""
    values, resampled = (
        regression.weighted_metrics(y_true, y_pred, weights=weights)
        for weights in _weights(design, len(np.asarray(y_true)), replicates, seed)
    )
    return _with_percentiles(values, resampled, confidence)


def language_metrics(
    documents: pd.DataFrame, *, confidence: float, replicates: int, seed: int
) -> Estimates:
    """Return bits per character and perplexity; documents are resampled, not blocks."""
    columns = documents["nll"], documents["characters"]
    values = language.weighted_metrics(*columns)
    if len(documents) < 2:  # one document says nothing of how documents vary
        return {name: _estimate(value[0], np.nan, np.nan) for name, value in values.items()}
    weights = proportions.resample_weights(len(documents), replicates=replicates, seed=seed)
    resampled = language.weighted_metrics(*columns, weights=weights)
    return _with_percentiles(values, resampled, confidence)


def generator_metrics(
    predictions: Predictions,
    *,
    neighbours: int,
    splits: int,
    confidence: float,
    replicates: int,
    seed: int,
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
    values, floors = half_sample_rounds(fake, true, neighbours=neighbours, splits=splits, seed=seed)
    name, z = names.generative, proportions.critical_value(confidence)
    metrics = {name(key): _spread(key, series, z) for key, series in values.items()}
    reference = {name(key): _spread(key, series, z) for key, series in floors.items()}
    ratio = float(np.mean(values[names.FID]) / np.mean(floors[names.FID]))
    metrics[name(names.FID_TO_FLOOR)] = _estimate(ratio, np.nan, np.nan)
    kid, error = distances.kernel_distance(fake, true)
    metrics[name(names.KID)] = _estimate(kid, kid - z * error, kid + z * error)
    weights = proportions.resample_weights(len(scores), replicates=replicates, seed=seed)
    metrics[name(names.INCEPTION_SCORE)] = _estimate(
        distances.inception_score(scores)[0],
        *proportions.percentile(
            distances.inception_score(scores, weights=weights), confidence=confidence
        ),
    )
    reference[name(names.INCEPTION_SCORE)] = _estimate(
        distances.inception_score(predictions.scores()[real.to_numpy()])[0], np.nan, np.nan
    )
    for split, target in ((made, metrics), (real, reference)):
        rows = table[split]
        agreed = (rows["y_true"] == rows["y_pred"]).to_numpy()
        target[names.CLASS_AGREEMENT] = _share(_rate(agreed, PLAIN), confidence)
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


def _design(predictions: Predictions) -> Design:
    if predictions.kind not in (names.CLASSIFICATION, names.REGRESSION):
        return PLAIN
    chosen = (predictions.table["split"] == names.TEST).to_numpy()
    return Design.of(predictions.weights(chosen), predictions.entities(chosen))


def _weights(
    design: Design, rows: int, replicates: int, seed: int
) -> Iterator[npt.NDArray[np.float64] | None]:
    """Yield the weights of the value itself, None for ones, and those of its replicates."""
    yield None if design.weight is None else design.weight[:, None]
    yield design.resampled(rows, replicates=replicates, seed=seed)


def _rate(holds: npt.NDArray[np.bool_], design: Design) -> Counted:
    return design.rates(holds, np.zeros(len(holds), dtype=np.int64), 1)


def _majority(y: npt.NDArray[np.int64], design: Design) -> Counted:
    """Return the share of the class that most weight is of."""
    sizes = np.bincount(y, weights=design.weights(len(y)))
    return _rate(y == sizes.argmax(), design)


def _table_metrics(
    predictions: Predictions, *, bins: int, weighted: bool = True, **options: Any
) -> Estimates:
    chosen = (predictions.table["split"] == names.TEST).to_numpy()
    design = _design(predictions)
    design = design if weighted else replace(design, weight=None)
    test = predictions.table[chosen]
    if predictions.kind == names.LANGUAGE:
        documents = language.blocks_to_documents(
            test["document_id"], test["nll"], test["characters"]
        )
        return language_metrics(documents, **options)
    if predictions.kind == names.REGRESSION:
        return regression_metrics(test["y_true"], test["y_pred"], design=design, **options)
    scores = predictions.scores()[chosen]
    return classification_metrics(
        test["y_true"], test["y_pred"], scores, bins=bins, design=design, **options
    )


def _curves(predictions: Predictions, confidence: float, design: Design) -> dict[str, Any]:
    """Return ``curves`` with the names of the ``classes``; nothing where there are no classes."""
    chosen = (predictions.table["split"] == names.TEST).to_numpy()
    test = predictions.table[chosen]
    if predictions.kind == names.GENERATOR:
        codes = test["y_true"], test["y_pred"]
        matrix = curves.confusion_matrix(*codes, classes=len(predictions.classes))
        found: dict[str, Any] = {"confusion": matrix.tolist()}
    elif predictions.kind == names.CLASSIFICATION:
        positive = predictions.positive
        found = curves.classifier_curves(
            test["y_true"],
            test["y_pred"],
            predictions.scores()[chosen],
            positive=None if positive is None else predictions.classes.index(positive),
            confidence=confidence,
            design=design,
        )
    else:
        return {}
    return {"curves": {"classes": list(predictions.classes), **found}}


def _check_same_rows(predictions: Predictions, other: Predictions, name: str) -> None:
    ids, others = (
        list(p.table.loc[p.table["split"] == names.TEST, "sample_id"]) for p in (predictions, other)
    )
    if ids != others or predictions.kind != other.kind:
        raise MetricError(
            f"{predictions.model}: rows of {name} must be the same test rows, got others"
        )


def _with_percentiles(
    values: Mapping[str, npt.NDArray[np.float64]],
    resampled: Mapping[str, npt.NDArray[np.float64]],
    confidence: float,
) -> Estimates:
    return {
        name: _estimate(value[0], *proportions.percentile(resampled[name], confidence=confidence))
        for name, value in values.items()
    }


def _share(counted: Counted, confidence: float) -> Estimate:
    low, high = proportions.wilson(counted.successes, counted.trials, confidence=confidence)
    return _estimate(float(counted.value[0]), float(low[0]), float(high[0]))


def _spread(quantity: str, series: list[float], z: float) -> Estimate:
    """Return mean ± z standard deviations, within what the quantity can be."""
    mean, half = float(np.mean(series)), np.nan
    if len(series) > 1:
        half = z * float(np.std(series, ddof=1))
    low, high = (np.maximum(mean - half, 0.0), mean + half)
    return _estimate(mean, low, high if quantity == names.FID else np.minimum(high, 1.0))


def _estimate(value: float, low: float, high: float) -> Estimate:
    parts = {"value": float(value), "low": float(low), "high": float(high)}
    return {key: part if np.isfinite(part) else None for key, part in parts.items()}


def _headline(model: str, metrics: Estimates) -> str:
    """Return the model's headline quantity, or the first there is for a model not of the story."""
    wanted = names.HEADLINE.get(model, "")
    return wanted if wanted in metrics else next(iter(metrics))
