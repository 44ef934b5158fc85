"""From a predictions table to the numbers a model is reported by.

Shares, errors of numbers and bits per character have the intervals that audits give them, the rest
the bootstrap over rows (over entities where there are any). Rows are weighted where they have
weights. For a generator see `generator_metrics`.
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
from plumbline.metrics.estimates import (
    Estimate,
    Estimates,
    MetricOptions,
    estimate,
    share,
    with_percentiles,
)
from plumbline.metrics.generative.summary import generator_metrics
from plumbline.metrics.groups import discrimination, rates
from plumbline.metrics.intervals import means
from plumbline.metrics.intervals.survey_design import PLAIN, Counted, Design
from plumbline.metrics.scores import calibration, classification, curves, language, regression

UNWEIGHTED = "unweighted_rows"  # head of references in which every row counts once


def predictions_to_metrics(
    predictions: Predictions,
    options: MetricOptions,
    *,
    main_metric: str = "",
    others: Mapping[str, Predictions] | None = None,
    extractor_info: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the report of a model on its test rows, as ``reports/metrics/<model>.json`` holds it.

    Parameters
    ----------
    predictions : Predictions
    options : MetricOptions
    main_metric : str
        The quantity that the model is compared by; the first of its metrics if it lacks this one.
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
    reference: Estimates = {}
    shares: dict[str, Any] = {}
    if predictions.kind == names.GENERATOR:
        metrics, reference, shares["class_shares"] = generator_metrics(predictions, options)
    else:
        metrics = _table_metrics(predictions, options)
    design = _design(predictions)
    if predictions.kind == names.CLASSIFICATION:
        majority = _majority(test["y_true"].to_numpy(np.int64), design)
        reference[f"majority_class/{names.ACCURACY}"] = share(majority, options.confidence)
    if design.weight is not None:
        same = _table_metrics(predictions, options, weighted=False)
        reference |= {f"{UNWEIGHTED}/{quantity}": value for quantity, value in same.items()}
    for name, other in (others or {}).items():
        _check_same_rows(predictions, other, name)
        measured = _table_metrics(other, options)
        reference |= {f"{name}/{quantity}": value for quantity, value in measured.items()}
    report = {
        "model": predictions.model,
        "kind": predictions.kind,
        "dataset": predictions.dataset,
        "source": predictions.source,
        "split": names.TEST,
        "n": len(test),
        **design.facts(),
        **({} if predictions.decision is None else {"decision": predictions.decision.facts()}),
        "main_metric": main_metric if main_metric in metrics else next(iter(metrics)),
        "metrics": metrics,
        "reference": reference,
        **_curves(predictions, options.confidence, design),
        **shares,
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
    options: MetricOptions,
    *,
    positive: int | None = None,
    design: Design = PLAIN,
) -> Estimates:
    """Return every classification metric with its interval.

    Accuracy, balanced accuracy, AUROC of two classes and calibration error have those of audits,
    Brier score and log loss that of a mean, F1 and AUROC of more classes percentiles of the
    bootstrap.
    """
    true, decided, level = np.asarray(y_true), np.asarray(y_pred), options.confidence
    values, resampled = (
        classification.weighted_metrics(true, decided, scores, positive=positive, weights=weights)
        for weights in _weights(design, len(true), options)
    )
    true, decided, p = true.astype(np.int64), decided.astype(np.int64), np.asarray(scores, float)
    estimates = with_percentiles(values, resampled, level, units=design.count(len(true)))
    estimates[names.ACCURACY] = share(_rate(true == decided, design), level)
    balanced = rates.balanced_accuracy_of_rows(true, decided, design, confidence=level)
    estimates[names.BALANCED_ACCURACY] = estimate(*balanced)
    if p.shape[1] == 2:
        _, *ends = discrimination.area_of_rows(true, p[:, 1], design, confidence=level)
        estimates[names.AUROC] = estimate(values[names.AUROC][0], *ends)
    losses = classification.row_losses(true, p)
    for name, loss in zip((names.BRIER, names.LOG_LOSS), losses, strict=True):
        estimates[name] = _mean_loss(loss, design, options)
    score, outcome = calibration.scored_event(true, p, positive=positive)
    weight = design.weights(len(true))
    sums = calibration.bin_sums(
        calibration.score_bins(score),
        score,
        outcome,
        weight=weight,
        weight2=weight**2,
        unit=design.entity,
    )
    ece = calibration.calibration_error(sums, confidence=level)
    return {**estimates, names.ECE: estimate(*ece)}


def regression_metrics(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    options: MetricOptions,
    *,
    design: Design = PLAIN,
) -> Estimates:
    """Return every regression metric with its interval.

    Errors have those that audits give to groups (`plumbline.metrics.intervals.means`), R² has
    percentiles of the bootstrap.
    """
    values, resampled = (
        regression.weighted_metrics(y_true, y_pred, weights=weights)
        for weights in _weights(design, len(np.asarray(y_true)), options)
    )
    residual = np.asarray(y_pred, dtype=np.float64) - np.asarray(y_true, dtype=np.float64)
    everyone = np.zeros(len(residual), dtype=np.int64)
    square = design.means(residual**2, everyone, 1)
    low, high = means.root_mean_square_interval(
        square, len(residual), confidence=options.confidence
    )
    estimates = with_percentiles(
        values, resampled, options.confidence, units=design.count(len(residual))
    )
    return {
        **estimates,
        names.RMSE: estimate(values[names.RMSE][0], low[0], high[0]),
        names.MAE: _mean_loss(np.abs(residual), design, options),
    }


def _mean_loss(loss: npt.NDArray[np.float64], design: Design, options: MetricOptions) -> Estimate:
    """Return the mean of what is never negative."""
    mean = design.means(loss, np.zeros(len(loss), dtype=np.int64), 1)
    low, high = means.mean_interval(mean, confidence=options.confidence)
    return estimate(mean.value[0], np.maximum(low[0], 0), high[0])  # NaN stays NaN


def language_metrics(documents: pd.DataFrame, options: MetricOptions) -> Estimates:
    """Return bits per character and perplexity with the interval over documents, not blocks."""
    bits = language.ratio_interval(
        documents["nll"], documents["characters"], confidence=options.confidence
    )
    with np.errstate(over="ignore"):  # few documents may bound perplexity by nothing
        perplexity = np.exp2(np.asarray(bits))
    return {
        names.BITS_PER_CHARACTER: estimate(*bits),
        names.PERPLEXITY: estimate(*perplexity),
    }


def _text_metrics(blocks: pd.DataFrame, options: MetricOptions) -> Estimates:
    """Return the metrics of all documents, and bits of those that hold little training text."""
    found = language_metrics(_documents(blocks), options)
    if names.CONTAINMENT not in blocks:
        return found
    new = blocks[blocks[names.CONTAINMENT] <= language.UNCONTAINED]
    bits = estimate(np.nan, np.nan, np.nan)
    if not new.empty:
        bits = language_metrics(_documents(new), options)[names.BITS_PER_CHARACTER]
    facts = {"n": new["document_id"].nunique(), "max_containment": language.UNCONTAINED}
    return {**found, names.BITS_UNCONTAINED: {**bits, **facts}}


def _documents(blocks: pd.DataFrame) -> pd.DataFrame:
    return language.blocks_to_documents(blocks["document_id"], blocks["nll"], blocks["characters"])


def _design(predictions: Predictions) -> Design:
    if predictions.kind not in (names.CLASSIFICATION, names.REGRESSION):
        return PLAIN
    chosen = (predictions.table["split"] == names.TEST).to_numpy()
    return Design.of(predictions.weights(chosen), predictions.entities(chosen))


def _weights(
    design: Design, rows: int, options: MetricOptions
) -> Iterator[npt.NDArray[np.float64] | None]:
    """Yield the weights of the value itself, None for ones, and those of its replicates."""
    yield None if design.weight is None else design.weight[:, None]
    yield design.resampled(rows, replicates=options.replicates, seed=options.seed)


def _rate(holds: npt.NDArray[np.bool_], design: Design) -> Counted:
    return design.rates(holds, np.zeros(len(holds), dtype=np.int64), 1)


def _majority(y: npt.NDArray[np.int64], design: Design) -> Counted:
    """Return the share of the class that most weight is of."""
    sizes = np.bincount(y, weights=design.weights(len(y)))
    return _rate(y == sizes.argmax(), design)


def _table_metrics(
    predictions: Predictions, options: MetricOptions, *, weighted: bool = True
) -> Estimates:
    chosen = (predictions.table["split"] == names.TEST).to_numpy()
    design = _design(predictions)
    design = design if weighted else replace(design, weight=None)
    test = predictions.table[chosen]
    if predictions.kind == names.LANGUAGE:
        return _text_metrics(test, options)
    if predictions.kind == names.REGRESSION:
        return regression_metrics(test["y_true"], test["y_pred"], options, design=design)
    positive = predictions.positive
    return classification_metrics(
        test["y_true"],
        test["y_pred"],
        predictions.scores()[chosen],
        options,
        positive=None if positive is None else predictions.classes.index(positive),
        design=design,
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
