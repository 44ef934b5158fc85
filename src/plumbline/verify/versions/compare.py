"""Differences between two versions: parameters, metrics with paired intervals, gaps, gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from plumbline import catalog, names, params
from plumbline.artifacts import Predictions
from plumbline.errors import ArtifactError, PlumblineError
from plumbline.metrics.comparison.differences import predictions_to_comparison
from plumbline.metrics.estimates import MetricOptions
from plumbline.verify.versions.find import ModelVersion, Version

WITHIN_NOISE, NO_INTERVAL, NOT_PAIRED = "within noise", "no interval", "not paired"
_NEITHER = {"value": None, "low": None, "high": None}


def compare(a: Version, b: Version, options: MetricOptions) -> dict[str, Any]:
    """Return how the results of ``b`` differ from those of ``a``.

    Parameters
    ----------
    a, b : Version
    options : MetricOptions
        How differences are measured, and the confidence of their intervals.

    Returns
    -------
    dict
        ``a, b`` (labels), ``confidence, note``; ``models``: for each model of both ``model,
        identical`` (the same predictions), ``params [{name, a, b}], differences [{quantity, a, b,
        value, low, high, verdict}]`` with the value of ``b`` less that of ``a``, ``gap {a, b}`` and
        ``gate {a, b}``, and ``reason`` where no difference could be paired; ``only {a, b}``: models
        of one version alone. A verdict is better, worse, ``within noise`` (the interval holds
        0), ``no interval`` or ``not paired``.

    Raises
    ------
    ArtifactError
        If no model is in both versions.
    """
    both = [model for model in a.models if model in b.models]
    if not both:
        raise ArtifactError(
            f"compare: versions must share a model, got {', '.join(a.models) or 'none'} in "
            f"{a.label} and {', '.join(b.models) or 'none'} in {b.label}"
        )
    return {
        "a": a.label,
        "b": b.label,
        "confidence": options.confidence,
        "note": "Intervals describe other test rows, not another training run; each holds alone.",
        "models": [_model(name, a.models[name], b.models[name], options) for name in both],
        "only": {
            "a": [model for model in a.models if model not in b.models],
            "b": [model for model in b.models if model not in a.models],
        },
    }


def options_of(root: Path) -> MetricOptions:
    """Return the options by which a work tree measures its models."""
    found = params.load(root / "params.yaml")
    return MetricOptions(**found.evaluate.options(), seed=found.seed)


def _model(name: str, a: ModelVersion, b: ModelVersion, options: MetricOptions) -> dict[str, Any]:
    identical = bool(a.digest) and a.digest == b.digest
    differences, reason = _differences(name, a, b, options, identical)
    return {
        "model": name,
        "main_metric": a.report.get("main_metric"),
        "identical": identical,
        "params": [
            {"name": key, "a": a.params.get(key), "b": b.params.get(key)}
            for key in {**a.params, **b.params}
            if a.params.get(key) != b.params.get(key)
        ],
        "differences": differences,
        "reason": reason,
        "gap": {"a": _gap(a.audit), "b": _gap(b.audit)},
        "gate": {"a": a.gate, "b": b.gate},
    }


def _differences(
    name: str, a: ModelVersion, b: ModelVersion, options: MetricOptions, identical: bool
) -> tuple[list[dict[str, Any]], str]:
    values = [dict(one.report.get("metrics", {})) for one in (a, b)]
    quantities = [quantity for quantity in values[0] if quantity in values[1]]
    cells = {q: [one[q].get("value") for one in values] for q in quantities}
    if identical:
        return [], ""
    paired, reason = _paired(name, a, b, options)
    rows = []
    for quantity in quantities:
        found = paired.get(quantity, _NEITHER)
        first, second = cells[quantity]
        value = found["value"]
        if value is None and first is not None and second is not None:
            value = second - first
        low, high = (_finite(found[end]) for end in ("low", "high"))
        verdict = _verdict(quantity, value, low, high) if quantity in paired else NOT_PAIRED
        rows.append({"quantity": quantity, "a": first, "b": second, "value": value, "low": low,
                     "high": high, "verdict": verdict})  # fmt: skip
    return rows, reason


def _paired(
    name: str, a: ModelVersion, b: ModelVersion, options: MetricOptions
) -> tuple[dict[str, Mapping[str, Any]], str]:
    """Return the paired difference of each metric, and why there is none."""
    if a.predictions is None or b.predictions is None:
        return {}, "a predictions table is not in DVC's cache; dvc fetch brings it"
    try:
        tables = [
            replace(Predictions.read(path), model=label)
            for label, path in (("a", a.predictions), ("b", b.predictions))
        ]
        spec = catalog.models().get(name)
        found = predictions_to_comparison(
            tables,
            options,
            dataset=tables[0].dataset,
            main_metric=spec.main_metric if spec else "",
        )
    except PlumblineError as error:
        return {}, str(error)
    rows = {row["quantity"]: row for row in found["differences"] if row["model"] == "b"}
    return rows, ""


def _verdict(quantity: str, value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return NO_INTERVAL
    if low <= 0 <= high:
        return WITHIN_NOISE
    return names.BETTER if (value > 0) == names.more_is_better(quantity) else names.WORSE


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _gap(audit: Mapping[str, Any]) -> dict[str, Any] | None:
    worst = audit.get("worst")
    if not worst:
        return None
    shown = ("metric", "attribute", "value", "low", "high", "verdict")
    return {name: worst.get(name) for name in shown}
