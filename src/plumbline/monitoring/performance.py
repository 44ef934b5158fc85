"""Metrics of new rows whose labels are known, compared with those of the test split."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.audit import rates
from plumbline.audit.counts import predictions_to_statistics
from plumbline.metrics.estimates import MetricOptions
from plumbline.metrics.intervals import proportions
from plumbline.metrics.summary import predictions_to_metrics
from plumbline.monitoring.comparisons import LARGE, METRIC, Comparison, Smallest
from plumbline.monitoring.distances import UNDEFINED, Distance

ROWS = 10_000  # labelled rows that are measured; of more, so many are drawn
_REPLICATES = 2000
_LEVEL = 0.95  # of a report whose audit does not say
_BY_GROUP = (names.ACCURACY, names.TPR, names.MAE)
# Metrics whose changes are counted in parts of their reference.
_UNBOUNDED = {names.LOG_LOSS, names.RMSE, names.MAE, names.R2, names.MEAN_RESIDUAL}


class LabelledRows:
    """Predictions of labelled rows, a uniform draw of at most `ROWS`.

    Parameters
    ----------
    seed : int
        Of the draw.

    Attributes
    ----------
    rows : int
        Labelled rows that there were.
    codes : Counter of int
        Of them by class code; empty of numbers.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._table: pd.DataFrame | None = None
        self.rows = 0
        self.codes: Counter[int] = Counter()

    def add(self, table: pd.DataFrame) -> None:
        """Add rows with ``y_true``, ``y_pred``, scores and groups."""
        self.rows += len(table)
        if table["y_true"].dtype.kind == "i":
            self.codes.update(table["y_true"].tolist())
        keyed = table.assign(_key=self._random.random(len(table)))
        joined = [part for part in (self._table, keyed) if part is not None and len(part)]
        if joined:
            whole = pd.concat(joined, ignore_index=True)
            self._table = whole.nsmallest(ROWS, "_key") if len(whole) > ROWS else whole

    def predictions(
        self, config: ModelConfig, schema: DatasetSchema, attributes: Sequence[str]
    ) -> Predictions | None:
        """Return the predictions table, None without rows."""
        if self._table is None:
            return None
        ids = [f"new-{row}" for row in range(len(self._table))]
        table = self._table.drop(columns="_key").reset_index(drop=True)
        return Predictions(
            table=table.assign(sample_id=ids, split=names.TEST),
            model=config.model,
            kind=config.kind,
            dataset=schema.dataset,
            source=schema.source,
            classes=schema.classes,
            positive=schema.positive,
            attributes=tuple(attributes),
        )


class Measured:
    """Metrics of labelled rows at any confidence.

    Parameters
    ----------
    predictions : Predictions
    seed : int
        Of the bootstrap.
    """

    def __init__(self, predictions: Predictions, seed: int) -> None:
        self.predictions = predictions
        self._seed = seed
        self._metrics: dict[float, Mapping[str, Any]] = {}
        self._groups: dict[float, pd.DataFrame] = {}

    @functools.cached_property
    def values(self) -> Mapping[str, float | None]:
        """Every metric."""
        return {name: cell["value"] for name, cell in self._measure(_LEVEL, replicates=1).items()}

    def metrics(self, confidence: float) -> Mapping[str, Any]:
        """Return every metric as ``{"value", "low", "high"}``."""
        if confidence not in self._metrics:
            self._metrics[confidence] = self._measure(confidence, replicates=_REPLICATES)
        return self._metrics[confidence]

    def _measure(self, confidence: float, *, replicates: int) -> Mapping[str, Any]:
        options = MetricOptions(confidence, replicates, self._seed, neighbours=1, splits=1)
        found: Mapping[str, Any] = predictions_to_metrics(self.predictions, options)["metrics"]
        return found

    def groups(self, confidence: float) -> pd.DataFrame:
        """Return the values of each group, indexed by attribute, group and metric."""
        if confidence not in self._groups:
            statistics = predictions_to_statistics(self.predictions, max_order=1)
            found = rates.statistics_to_rates(statistics, confidence=confidence)
            self._groups[confidence] = found.set_index(["attribute", "group", "metric"])
        return self._groups[confidence]


def compare(
    measured: Measured, report: Mapping[str, Any], audit: Mapping[str, Any], smallest: Smallest
) -> Iterator[Comparison]:
    """Yield the comparisons of main metric, calibration and metrics by group with the test split.

    Parameters
    ----------
    measured : Measured
    report, audit : mapping
        Content of ``reports/metrics/<model>.json`` and ``reports/audits/<model>.json``; empty where
        there is none.
    smallest : Smallest
    """
    level, n = float(audit.get("confidence", _LEVEL)), len(measured.predictions.table)
    known = report.get("metrics", {})
    for name in dict.fromkeys([str(report.get("main_metric")), names.ECE, names.RMSE]):
        if name in known and name in measured.values:
            yield _comparison(
                (name, name), (known[name], level), measured.values[name],
                functools.partial(_metric, measured, name), (report.get("n", 0), n), smallest,
            )  # fmt: skip
    for row in audit.get("rows", []):
        attribute, group, metric = key = row["attribute"], row["group"], row["metric"]
        if (
            metric not in _BY_GROUP
            or attribute not in measured.predictions.attributes
            or group == names.UNKNOWN
        ):
            continue
        found = _of_group(measured, key, level)
        few = row["verdict"] == names.INSUFFICIENT
        yield _comparison(
            (f"{metric} of {attribute} {group}", metric),
            ({**row, "value": None} if few else row, level),
            found.get("value"), functools.partial(_of_group, measured, key),
            (row["n"], int(found.get("n", 0))), smallest,
        )  # fmt: skip


def _metric(measured: Measured, name: str, confidence: float) -> Mapping[str, Any]:
    found: Mapping[str, Any] = measured.metrics(confidence)[name]
    return found


def _of_group(
    measured: Measured, key: tuple[str, str, str], confidence: float
) -> Mapping[str, Any]:
    table = measured.groups(confidence)
    found = table[table.index == key]
    return dict(found.iloc[0]) if len(found) else {}


def _comparison(
    named: tuple[str, str],
    reference: tuple[Mapping[str, Any], float],
    value: float | None,
    new: Callable[[float], Mapping[str, Any]],
    rows: tuple[int, int],
    smallest: Smallest,
) -> Comparison:
    (name, metric), (old, level) = named, reference

    def estimate(confidence: float) -> Distance:
        found = new(confidence)
        parts = (one.get(end) for one in (found, old) for end in ("value", "low", "high"))
        mean, below, above, before, least, most = (
            math.nan if part is None else float(part) for part in parts
        )
        if not math.isfinite(mean + below + above + before + least + most):
            return UNDEFINED
        # The report has one level; the arms of other levels are as those of the normal law.
        wider = proportions.critical_value(confidence) / proportions.critical_value(level)
        arms = before + (least - before) * wider, before + (most - before) * wider
        low, high = proportions.mover_difference((mean, below, above), (before, *arms))
        return Distance(mean - before, float(low), float(high))

    before = old["value"]
    scale = abs(before) if metric in _UNBOUNDED and before else 1.0
    least = smallest.relative * scale if metric in _UNBOUNDED else smallest.share
    shown = float(value) if value is not None and math.isfinite(value) else None
    return Comparison(METRIC, name, before, shown, rows, least, LARGE * scale, estimate)
