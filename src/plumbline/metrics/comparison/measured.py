"""The metrics of one model and their replicates, drawn alike for every model of the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.metrics.comparison.estimates import Floats
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.survey_design import Design
from plumbline.metrics.scores import classification, language, regression

T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """The metrics of one model by name.

    Attributes
    ----------
    values, replicates : mapping of ndarray
        Of the test rows, ``(1,)``, and of resampled rows, ``(B,)``.
    units : mapping of int
        Rows, entities or documents that are resampled.
    """

    values: Mapping[str, Floats]
    replicates: Mapping[str, Floats]
    units: Mapping[str, int]


def measure(predictions: Predictions, options: MetricOptions, design: Design) -> Measured:
    """Return the metrics of a model; every model of the same rows gets the same weights."""
    table = predictions.table
    if predictions.kind == names.LANGUAGE:
        return _measured_text(table, options)
    own = None if design.weight is None else design.weight[:, None]
    weights = design.resampled(len(table), replicates=options.replicates, seed=options.seed)
    codes = table["y_true"], table["y_pred"]
    name = predictions.positive
    positive = None if name is None else predictions.classes.index(name)
    values, replicates = (
        regression.weighted_metrics(*codes, weights=each)
        if predictions.kind == names.REGRESSION
        else classification.weighted_metrics(
            *codes, predictions.scores(), positive=positive, weights=each
        )
        for each in (own, weights)
    )
    units = int(design.units(len(table)).max()) + 1
    return Measured(values, replicates, dict.fromkeys(values, units))


def _measured_text(blocks: pd.DataFrame, options: MetricOptions) -> Measured:
    """Return the metrics of all documents, and bits of those that hold little training text."""
    whole = _measured_documents(blocks, options)
    new = blocks
    if names.CONTAINMENT in blocks:
        new = blocks[blocks[names.CONTAINMENT] <= language.UNCONTAINED]
    if names.CONTAINMENT not in blocks or new.empty:
        return whole
    own = _measured_documents(new, options)

    def joined(of_all: Mapping[str, T], of_new: Mapping[str, T]) -> dict[str, T]:
        return {**of_all, names.BITS_UNCONTAINED: of_new[names.BITS_PER_CHARACTER]}

    return Measured(
        joined(whole.values, own.values),
        joined(whole.replicates, own.replicates),
        joined(whole.units, own.units),
    )


def _measured_documents(blocks: pd.DataFrame, options: MetricOptions) -> Measured:
    documents = language.blocks_to_documents(
        blocks["document_id"], blocks["nll"], blocks["characters"]
    )
    columns = documents["nll"], documents["characters"]
    weights = proportions.resample_weights(
        len(documents), replicates=options.replicates, seed=options.seed
    )
    values = language.weighted_metrics(*columns)
    replicates = language.weighted_metrics(*columns, weights=weights)
    return Measured(values, replicates, dict.fromkeys(values, len(documents)))
