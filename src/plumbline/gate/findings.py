"""What was found for every rule of the policy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from plumbline import names
from plumbline.gate.reports import Reports

PASS, WARN, FAIL = "pass", "warn", "fail"
_FROM_WORST = (FAIL, WARN, PASS)


def check_rules(rules: Iterable[Mapping[str, Any]], reports: Reports) -> dict[str, Any]:
    """Return what was found for every rule, as ``reports/gate.json`` holds it.

    A rule about every attribute is found once for each. Where the data have not what a rule is
    about, ``absent`` says what is there instead, and there is no value.

    Parameters
    ----------
    rules : iterable of mapping
        Dumps of `plumbline.params.policy.GateRule`.
    reports : Reports

    Returns
    -------
    dict
        ``rules``, each with ``result``: pass, warn or fail, the worse of what the bounds and the
        audit's verdict lead to; None where the rule does not apply.

    Raises
    ------
    GateError
        If a rule names a model that has no report.
    """
    return {"rules": [found for rule in rules for found in _outcomes(rule, reports)]}


def gap_name(gap: Mapping[str, Any]) -> str:
    """Return the name of a gap in reports, e.g. ``selection_rate difference by sex``."""
    return f"{gap['metric']} {gap['comparison']} by {gap['attribute']}"


def is_by(gap: Mapping[str, Any], attribute: str) -> bool:
    """Return whether a gap is by an attribute, or by any that is no intersection for ``*``."""
    if attribute == names.EVERY:
        return names.INTERSECTION not in gap["attribute"]
    return bool(gap["attribute"] == attribute)


def _outcomes(rule: Mapping[str, Any], reports: Reports) -> list[dict[str, Any]]:
    """Return what was found for a rule; for one about every attribute, once for each."""
    if rule.get("gap") is None:
        return [_about_quantity(rule, reports)]
    return _about_gap(rule, reports.of(rule["model"], "audits"))


def _about_quantity(rule: Mapping[str, Any], reports: Reports) -> dict[str, Any]:
    report, less = reports.of(rule["model"], "metrics"), rule.get("less")
    name = rule["quantity"] + (f" less {less['model']} {less['quantity']}" if less else "")
    if (other := _other_data(rule, report)) is not None:
        return _outcome(rule, name, absent=other)
    values = []
    for wanted in filter(None, (rule, less)):
        known = reports.of(wanted["model"], "metrics")["metrics"]
        if wanted["quantity"] not in known:
            return _outcome(rule, name, absent=_absent("quantity", wanted["quantity"], known))
        values.append(known[wanted["quantity"]])
    found = {**values[0], "n": report.get("n")}
    if less:
        found = _paired(rule, reports) or {**_apart(*values), "n": found["n"]}
    return _outcome(rule, name, found)


def _paired(rule: Mapping[str, Any], reports: Reports) -> dict[str, Any] | None:
    less = rule["less"]
    if rule["quantity"] != less["quantity"]:
        return None
    return reports.paired(rule["model"], less["model"], rule["quantity"])


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the difference of two values that were not compared row by row."""
    defined = one["value"] is not None and other["value"] is not None
    # Both models answer for the same rows, so their intervals do not make one for the difference.
    value = one["value"] - other["value"] if defined else None
    return {"value": value, "low": None, "high": None}


def _about_gap(rule: Mapping[str, Any], audit: Mapping[str, Any]) -> list[dict[str, Any]]:
    wanted, gaps = rule["gap"], audit["gaps"]
    if (other := _other_data(rule, audit)) is not None:
        return [_outcome(rule, gap_name(wanted), absent=other)]
    whose = [gap for gap in gaps if is_by(gap, wanted["attribute"])]
    found = [gap for gap in whose if _measured(gap) == _measured(wanted)]
    if found:
        return [_outcome(rule, gap_name(gap), gap) for gap in found]
    if whose:
        absent = _absent("metric", _measured(wanted), {_measured(gap) for gap in whose})
    else:
        known = {gap["attribute"] for gap in gaps}
        absent = _absent("attribute", wanted["attribute"], known)
    return [_outcome(rule, gap_name(wanted), absent=absent)]


def _measured(gap: Mapping[str, Any]) -> str:
    return f"{gap['metric']} {gap['comparison']}"


def _other_data(rule: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any] | None:
    if rule["data"] is None or report["source"] in rule["data"]:
        return None
    return {"what": "data", "wanted": ", ".join(rule["data"]), "known": [report["source"]]}


def _absent(what: str, wanted: str, known: Iterable[str]) -> dict[str, Any]:
    return {"what": what, "wanted": wanted, "known": sorted(known)}


def _outcome(
    rule: Mapping[str, Any],
    name: str,
    found: Mapping[str, Any] | None = None,
    *,
    absent: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    seen = found or {}
    outcome = {
        "model": rule["model"],
        "quantity": name,
        **{key: seen.get(key) for key in ("value", "low", "high", "n", "verdict", "detectable")},
        **{key: rule[key] for key in ("min", "max")},
        "undecided": rule["undecided"] or (FAIL if rule["interval"] else None),
        "missed": rule["missed"],
        "verdicts": rule.get("verdicts"),
        **{key: rule[key] for key in ("source", "owner", "rationale", "expires")},
        "waiver": rule.get("waiver"),
        "absent": absent,
    }
    if absent is None:
        return {**outcome, "result": _result(outcome, (rule.get("gap") or {}).get("comparison"))}
    idle = absent["what"] == "data" or rule["absent"] == "pass"
    return {**outcome, "result": None if idle else FAIL}


# --- what follows from it ------------------------------------------------------------------------


def _result(outcome: Mapping[str, Any], comparison: str | None) -> str:
    """Return the worse of what the verdict and the bounds lead to."""
    verdict = outcome["verdict"]
    led = [] if verdict is None else [outcome["verdicts"][verdict]]
    if verdict != names.INSUFFICIENT:  # no bound can be held against what cannot be estimated
        led.append(_of_bounds(outcome, comparison))
    return next(result for result in _FROM_WORST if result in led)


def _of_bounds(outcome: Mapping[str, Any], comparison: str | None) -> str:
    least, most, undecided = (outcome[key] for key in ("min", "max", "undecided"))
    if least is None and most is None:
        return PASS
    if outcome["value"] is None:
        return FAIL
    ends = ("value", "value") if undecided is None else ("low", "high")
    low, high = _ends(outcome[ends[0]], outcome[ends[1]], comparison)
    if (least is not None and high < least) or (most is not None and low > most):
        return str(outcome["missed"])
    if (least is None or low >= least) and (most is None or high <= most):
        return PASS
    return str(undecided)


def _ends(low: float | None, high: float | None, comparison: str | None) -> tuple[float, float]:
    """Return the least and greatest value that an interval allows; an end that is None is open.

    A sample may reverse the order of two groups. So a difference between groups counts by its
    size, and a ratio above 1 by its inverse: [-0.7, 0.1] allows gaps up to 0.7.
    """
    below = -math.inf if low is None else low
    above = math.inf if high is None else high
    if comparison == "difference":
        return max(below, -above, 0.0), max(above, -below)
    if comparison == "ratio":
        return min(below, _inverse(above)), min(above, _inverse(below), 1.0)
    return below, above


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio > 0 else math.inf
