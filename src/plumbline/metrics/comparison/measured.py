"""The metrics of one model, and what their paired differences need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.metrics.comparison import linearised
from plumbline.metrics.comparison.estimates import Floats
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.intervals.survey_design import Design
from plumbline.metrics.scores import classification, language, regression

# Metrics of decisions alone, which have no influence of single rows that adds up.
RESAMPLED = (names.BALANCED_ACCURACY, names.F1_MACRO)


@dataclass(frozen=True)
class Measured:
    """The metrics of one model by name.

    Attributes
    ----------
    values : mapping of float
        Of the test rows.
    n : mapping of int
        Rows, or documents of a text, that each is about.
    replicates : mapping of ndarray
        Of `RESAMPLED`, ``(B,)`` each; resampled alike for every model of the same rows.
    """

    values: Mapping[str, float]
    n: Mapping[str, int]
    replicates: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Influences:
    """Influences on a difference, with the arguments of `linearised.linearised_difference`."""

    influence: Floats
    unit: npt.NDArray[np.int64]
    weight: Floats


def measure(predictions: Predictions, options: MetricOptions, design: Design) -> Measured:
    """Return the metrics of a model's test rows."""
    table = predictions.table
    if predictions.kind == names.LANGUAGE:
        return _measure_text(table)
    own = None if design.weight is None else design.weight[:, None]
    codes = table["y_true"].to_numpy(), table["y_pred"].to_numpy()
    if predictions.kind == names.REGRESSION:
        values, replicates = regression.weighted_metrics(*codes, weights=own), {}
    else:
        name, scores = predictions.positive, predictions.scores()
        values = classification.weighted_metrics(
            *codes,
            scores,
            positive=None if name is None else predictions.classes.index(name),
            weights=own,
        )
        drawn = design.resampled(len(table), replicates=options.replicates, seed=options.seed)
        measures = classification.balanced_accuracy, classification.f1_macro
        replicates = {
            quantity: resampled(*codes, classes=scores.shape[1], weights=drawn)
            for quantity, resampled in zip(RESAMPLED, measures, strict=True)
        }
    found = {quantity: float(value[0]) for quantity, value in values.items()}
    return Measured(found, dict.fromkeys(found, len(table)), replicates)


def influences(one: Predictions, other: Predictions, design: Design) -> dict[str, Influences]:
    """Return the influences of rows or documents on differences of two models, by metric."""
    if one.kind == names.LANGUAGE:
        return _of_documents(one.table, other.table)
    true, weight = one.table["y_true"].to_numpy(), design.weights(len(one.table))
    if one.kind == names.REGRESSION:
        first, second = (each.table["y_pred"].to_numpy(np.float64) for each in (one, other))
        found = linearised.regression_influences(true.astype(np.float64), first, second, weight)
    else:
        codes = true.astype(np.int64)
        found = linearised.loss_influences(codes, one.scores(), other.scores(), weight)
    unit = design.units(len(true))
    return {quantity: Influences(rows, unit, weight) for quantity, rows in found.items()}


def _measure_text(blocks: pd.DataFrame) -> Measured:
    """Return the metrics of all documents, and bits of those that hold little training text."""
    documents = _documents(blocks)
    found = language.weighted_metrics(documents["nll"], documents["characters"])
    values = {quantity: float(value[0]) for quantity, value in found.items()}
    n = dict.fromkeys(values, len(documents))
    new = _uncontained(blocks)
    if len(new):
        bits = language.weighted_metrics(new["nll"], new["characters"])[names.BITS_PER_CHARACTER]
        values[names.BITS_UNCONTAINED], n[names.BITS_UNCONTAINED] = float(bits[0]), len(new)
    return Measured(values, n)


def _of_documents(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, Influences]:
    found = _text_influences(_documents(one), _documents(other))
    new = _uncontained(one), _uncontained(other)
    if len(new[0]):
        of_new = _text_influences(*new)[names.BITS_PER_CHARACTER]
        found[names.BITS_UNCONTAINED] = of_new
    return found


def _text_influences(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, Influences]:
    length = one["characters"].to_numpy(np.float64)
    first, second = (each["nll"].to_numpy(np.float64) for each in (one, other))
    found = linearised.text_influences(first, second, length)
    unit = np.arange(len(length))
    return {quantity: Influences(rows, unit, length) for quantity, rows in found.items()}


def _uncontained(blocks: pd.DataFrame) -> pd.DataFrame:
    """Return the documents that hold little training text; none where that is not known."""
    if names.CONTAINMENT not in blocks:
        return blocks[:0]
    new = blocks[blocks[names.CONTAINMENT] <= language.UNCONTAINED]
    return new if new.empty else _documents(new)


def _documents(blocks: pd.DataFrame) -> pd.DataFrame:
    return language.blocks_to_documents(blocks["document_id"], blocks["nll"], blocks["characters"])
