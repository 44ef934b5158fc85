"""The policy that a merge must keep: thresholds on reported numbers, with source and rationale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from plumbline.errors import GateError


def check_rules(
    rules: Iterable[Mapping[str, Any]],
    *,
    metrics: Mapping[str, Mapping[str, Any]],
    audits: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the outcome of every rule, as ``reports/gate.json`` holds it.

    Parameters
    ----------
    rules : iterable of mapping
        Dumps of `plumbline.params.GateRule`.
    metrics, audits : mapping
        Reports by model.

    Raises
    ------
    GateError
        If a rule names a model, quantity or gap that no report has.
    """
    outcomes = [_outcome(rule, metrics, audits) for rule in rules]
    return {"passed": all(outcome["passed"] for outcome in outcomes), "rules": outcomes}


def failure(report: Mapping[str, Any]) -> str:
    """Return the sentence that names every missed rule, empty if none was missed."""
    missed = [_sentence(rule) for rule in report["rules"] if not rule["passed"]]
    return f"gate: {'; '.join(missed)}" if missed else ""


def _outcome(
    rule: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    audits: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    if rule.get("gap") is None:
        found = _quantity(rule, metrics)
        name, verdict = rule["quantity"], None
        if (other := rule.get("less")) is not None:
            name = f"{name} less {other['model']} {other['quantity']}"
            found = _difference(found, _quantity(other, metrics))
    else:
        found = _gap(rule, audits)
        name, verdict = gap_name(rule["gap"]), found["verdict"]
    forbidden = list(rule.get("forbidden_verdicts") or ())
    value, low, high = (found[key] for key in ("value", "low", "high"))
    interval, least, most = rule["interval"], rule["min"], rule["max"]
    lower, upper = (low, high) if interval else (value, value)
    passed = (
        (least is None or (lower is not None and lower >= least))
        and (most is None or (upper is not None and upper <= most))
        and verdict not in forbidden
    )
    return {
        "model": rule["model"],
        "quantity": name,
        "value": value,
        "low": low,
        "high": high,
        "min": least,
        "max": most,
        "interval": interval,
        "verdict": verdict,
        "forbidden_verdicts": forbidden,
        "source": rule["source"],
        "rationale": rule["rationale"],
        "passed": passed,
    }


def gap_name(gap: Mapping[str, Any]) -> str:
    """Return the name of a gap in reports, e.g. ``selection_rate difference by sex``."""
    return f"{gap['metric']} {gap['comparison']} by {gap['attribute']}"


def _quantity(
    rule: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    report = _report(rule["model"], metrics, "metrics")
    quantities: Mapping[str, Mapping[str, Any]] = report["metrics"]
    if rule["quantity"] not in quantities:
        raise GateError(
            f"gate: quantity of {rule['model']} must be one of {sorted(quantities)}, "
            f"got {rule['quantity']!r}"
        )
    return quantities[rule["quantity"]]


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    defined = one["value"] is not None and other["value"] is not None
    # Both models answer for the same rows, so their intervals do not make one for the difference.
    value = one["value"] - other["value"] if defined else None
    return {"value": value, "low": None, "high": None}


def _gap(rule: Mapping[str, Any], audits: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    wanted = rule["gap"]
    gaps: list[Mapping[str, Any]] = _report(rule["model"], audits, "audit")["gaps"]
    keys = ("attribute", "metric", "comparison")
    for gap in gaps:
        if all(gap[key] == wanted[key] for key in keys):
            return gap
    known = sorted(gap_name(gap) for gap in gaps)
    raise GateError(
        f"gate: gap of {rule['model']} must be one of {known}, got {gap_name(wanted)!r}"
    )


def _report(model: str, reports: Mapping[str, Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    if model not in reports:
        raise GateError(
            f"gate: model must be one with a report of {kind}, {sorted(reports)}, got {model!r}"
        )
    return reports[model]


def _sentence(rule: Mapping[str, Any]) -> str:
    bounds = [
        f"{sign} {rule[key]:g}"
        for sign, key in ((">=", "min"), ("<=", "max"))
        if rule[key] is not None
    ]
    wanted = []
    if bounds:
        wanted.append(
            f"be {' and '.join(bounds)}{' with its interval' if rule['interval'] else ''}"
        )
    if rule["forbidden_verdicts"]:
        wanted.append(f"not have the verdict {' or '.join(map(repr, rule['forbidden_verdicts']))}")
    return (
        f"{rule['model']} {rule['quantity']} must {' and '.join(wanted)} "
        f"({rule['source']}: {rule['rationale']}), got {_found(rule)}"
    )


def _found(rule: Mapping[str, Any]) -> str:
    text = "undefined" if rule["value"] is None else f"{rule['value']:.4g}"
    if rule["low"] is not None or rule["high"] is not None:
        ends = ["∞" if end is None else f"{end:.4g}" for end in (rule["low"], rule["high"])]
        text += f" [{ends[0]}, {ends[1]}]"
    return text + (f", {rule['verdict']!r}" if rule["verdict"] is not None else "")
