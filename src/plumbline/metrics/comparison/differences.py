"""From predictions tables of one data set to the differences of their models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.metrics.comparison.delong import auroc_difference
from plumbline.metrics.comparison.estimates import Floats, Paired
from plumbline.metrics.comparison.linearised import linearised_difference
from plumbline.metrics.comparison.measured import Measured, influences, measure
from plumbline.metrics.comparison.paired_shares import paired_share_difference
from plumbline.metrics.comparison.resampled import bootstrap_difference
from plumbline.metrics.comparison.rows import matched
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.intervals import shares
from plumbline.metrics.intervals.survey_design import Design

# Why a difference has no interval.
BIASED = "none: chance raises both errors, by amounts that differ"
FEW_APART = "none: too few rows are decided differently"

_FEW = 10  # with fewer units the bootstrap knows one sign only, and its interval ends at 0

_NOTE = (
    "Intervals describe other test rows, not another training run. Each holds on its own; the "
    "verdicts about the main metric allow for all pairs of models (Holm)."
)


@dataclass(frozen=True)
class Side:
    """One of two models: its test rows and its metrics."""

    predictions: Predictions
    measured: Measured


def predictions_to_comparison(
    tables: Sequence[Predictions],
    options: MetricOptions,
    *,
    dataset: str,
    main_metric: str,
) -> dict[str, Any]:
    """Return all differences of models, as ``reports/comparisons/<dataset>.json`` holds them.

    Parameters
    ----------
    tables : sequence of Predictions
        Of models that predicted the same test rows; rows are matched by ``sample_id``.
    options : MetricOptions
    dataset : str
        Name of the data set.
    main_metric : str
        The quantity that has a verdict; the first of the metrics if they lack this one.

    Returns
    -------
    dict
        ``dataset, source, models, n, unit`` (rows or documents), ``confidence, main_metric, note``
        and ``differences``: for every ordered pair of models and every metric ``model, other,
        quantity, value, low, high, p, method, n``, the value being the model's less the other's.
        Entries of the main metric also have ``p_adjusted`` and ``verdict``: better, worse,
        inconclusive, or insufficient where there is no interval.

    Raises
    ------
    MetricError
        If the tables do not hold the same test rows.
    """
    found = matched(tables)
    if len(found) < 2:
        return {"dataset": dataset, "models": [p.model for p in found], "differences": []}
    first = found[0]
    design = Design.of(*_design(first))
    n, unit = len(first.table), "rows"
    if first.kind == names.LANGUAGE:
        n, unit = first.table["document_id"].nunique(), "documents"
    measured = [measure(p, options, design) for p in found]
    metrics = list(measured[0].values)
    main = main_metric if main_metric in metrics else metrics[0]
    pairs = {
        pair: _differences(
            *(Side(found[i], measured[i]) for i in pair), design=design, options=options
        )
        for pair in itertools.combinations(range(len(found)), 2)
    }
    verdicts = _verdicts({pair: each[main] for pair, each in pairs.items()}, main, options)
    rows = [
        _row(
            found[a].model,
            found[b].model,
            quantity,
            _turned(pairs, a, b, quantity),
            measured[0].n[quantity],
        )
        | (verdicts[a, b] if quantity == main else {})
        for a, b in itertools.permutations(range(len(found)), 2)
        for quantity in metrics
    ]
    return {
        "dataset": dataset,
        "source": first.source,
        "models": [p.model for p in found],
        "n": n,
        "unit": unit,
        **design.facts(),
        "confidence": options.confidence,
        "main_metric": main,
        "note": _NOTE,
        "differences": rows,
    }


def _design(predictions: Predictions) -> tuple[Floats | None, npt.NDArray[np.object_] | None]:
    if predictions.kind == names.LANGUAGE:
        return None, None
    every = np.ones(len(predictions.table), dtype=bool)
    return predictions.weights(every), predictions.entities(every)


def _differences(
    one: Side, other: Side, *, design: Design, options: MetricOptions
) -> dict[str, Paired]:
    """Return the difference of two models in every metric."""
    found, rows = {}, influences(one.predictions, other.predictions, design)
    for quantity, value in one.measured.values.items():
        if quantity in rows:
            found[quantity] = linearised_difference(
                value - other.measured.values[quantity],
                rows[quantity].influence,
                unit=rows[quantity].unit,
                weight=rows[quantity].weight,
                confidence=options.confidence,
            )
        else:
            found[quantity] = _of_classification(quantity, one, other, design, options)
    return found


def _of_classification(
    quantity: str, one: Side, other: Side, design: Design, options: MetricOptions
) -> Paired:
    first, second = one.predictions, other.predictions
    value = one.measured.values[quantity] - other.measured.values[quantity]
    if quantity == names.ACCURACY:
        return paired_share_difference(
            *((p.table["y_true"] == p.table["y_pred"]).to_numpy() for p in (first, second)),
            design=design,
            confidence=options.confidence,
        )
    if quantity == names.AUROC:
        return auroc_difference(
            first.table["y_true"].to_numpy(np.int64),
            first.scores(),
            second.scores(),
            design=design,
            confidence=options.confidence,
        )
    if quantity == names.ECE:
        return Paired(value, math.nan, math.nan, math.nan, BIASED)
    unit = design.units(len(first.table))
    differ = (first.table["y_pred"] != second.table["y_pred"]).to_numpy()
    if len(np.unique(unit[differ])) < _FEW:
        return Paired(value, math.nan, math.nan, math.nan, FEW_APART)
    return bootstrap_difference(
        value,
        one.measured.replicates[quantity] - other.measured.replicates[quantity],
        units=int(unit.max()) + 1,
        confidence=options.confidence,
    )


def _turned(
    pairs: Mapping[tuple[int, int], Mapping[str, Paired]], a: int, b: int, quantity: str
) -> Paired:
    return pairs[a, b][quantity] if a < b else pairs[b, a][quantity].turned()


def _row(model: str, other: str, quantity: str, found: Paired, n: int) -> dict[str, Any]:
    return {
        "model": model,
        "other": other,
        "quantity": quantity,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "method": found.method,
        "n": n,
    }


def _verdicts(
    pairs: Mapping[tuple[int, int], Paired], quantity: str, options: MetricOptions
) -> dict[tuple[int, int], dict[str, Any]]:
    """Return verdict and adjusted p of every ordered pair of models about one metric."""
    adjusted = shares.holm([found.p for found in pairs.values()]).tolist()
    verdicts = {}
    for ((a, b), found), p in zip(pairs.items(), adjusted, strict=True):
        for pair, difference in (((a, b), found), ((b, a), found.turned())):
            verdict = _verdict(difference, p, quantity, options.confidence)
            verdicts[pair] = {"p_adjusted": p, "verdict": verdict}
    return verdicts


def _verdict(found: Paired, p: float, quantity: str, confidence: float) -> str:
    if math.isnan(found.low) or math.isnan(p):
        return names.INSUFFICIENT
    if p >= 1 - confidence or found.low <= 0 <= found.high:
        return names.INCONCLUSIVE
    return names.BETTER if (found.value > 0) == names.more_is_better(quantity) else names.WORSE
