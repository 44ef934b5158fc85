"""The policy that a merge must keep: rules on reported numbers, with source, owner and dates.

What was found does not depend on the day: `check_rules` makes the tracked report from the reports
alone. What follows from it does: `judgements` holds rules and waivers against a date, for the exit
code and the screen only.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.errors import GateError

PASS, WAIVED, FAIL, EXPIRED = "PASS", "WAIVED", "FAIL", "EXPIRED"
IDLE = "does not apply"
FAILING = (FAIL, EXPIRED)

CURE = "let the rules of policy.yaml be about these data, or the rule say absent: pass"

Reports = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Judgement:
    """What a rule means on a day.

    Attributes
    ----------
    status : {'PASS', 'WAIVED', 'FAIL', 'EXPIRED', 'does not apply'}
        ``EXPIRED``: the rule, or its waiver, has ended; whoever owns it has to look at it again.
        ``does not apply``: it says itself that it is about other data, or may lack its subject.
    sentence : str
        Why a rule fails or does not apply, or by whom it was waived; empty where it passes.
    """

    outcome: Mapping[str, Any]
    status: str
    sentence: str


def read_reports(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the metrics reports and the audits below ``root``, by model."""
    metrics, audits = (
        {path.stem: artifacts.read_json(path) for path in sorted((root / folder).glob("*.json"))}
        for folder in (names.METRICS_DIR, names.AUDITS)
    )
    return metrics, audits


def check_rules(
    rules: Iterable[Mapping[str, Any]], *, metrics: Reports, audits: Reports
) -> dict[str, Any]:
    """Return what was found for every rule, as ``reports/gate.json`` holds it.

    A rule about every attribute is found once for each. Where the data have not what a rule is
    about, ``absent`` says what is there instead, and there is no value.

    Parameters
    ----------
    rules : iterable of mapping
        Dumps of `plumbline.params.policy.GateRule`.
    metrics, audits : mapping
        Reports by model.

    Raises
    ------
    GateError
        If a rule names a model that has no report.
    """
    return {"rules": [found for rule in rules for found in _outcomes(rule, metrics, audits)]}


def judgements(report: Mapping[str, Any], today: datetime.date) -> list[Judgement]:
    """Return what every rule of a report means on a day; rules and waivers hold through their date.

    A rule that has expired fails even if its number passes, and so does one whose waiver has: a
    policy that nobody reviews is none.
    """
    return [_judgement(outcome, today) for outcome in report["rules"]]


def failure(judged: Sequence[Judgement]) -> str:
    """Return the sentence that names every rule that fails, empty if none does.

    A policy of which no rule applies holds nothing, and fails.
    """
    missed = [one.sentence for one in judged if one.status in FAILING]
    if judged and all(one.status == IDLE for one in judged):
        missed.append(f"one rule must apply to these data, got {len(judged)} that do not; {CURE}")
    return f"gate: {'; '.join(missed)}" if missed else ""


def gap_name(gap: Mapping[str, Any]) -> str:
    """Return the name of a gap in reports, e.g. ``selection_rate difference by sex``."""
    return f"{gap['metric']} {gap['comparison']} by {gap['attribute']}"


# --- what was found ------------------------------------------------------------------------------


def _outcomes(rule: Mapping[str, Any], metrics: Reports, audits: Reports) -> list[dict[str, Any]]:
    """Return what was found for a rule; for one about every attribute, once for each."""
    if rule.get("gap") is None:
        return [_about_quantity(rule, metrics)]
    return _about_gap(rule, _report(rule["model"], audits, "audit"))


def _about_quantity(rule: Mapping[str, Any], metrics: Reports) -> dict[str, Any]:
    report, less = _report(rule["model"], metrics, "metrics"), rule.get("less")
    name = rule["quantity"] + (f" less {less['model']} {less['quantity']}" if less else "")
    if (other := _other_data(rule, report)) is not None:
        return _outcome(rule, name, absent=other)
    values = []
    for wanted in filter(None, (rule, less)):
        known = _report(wanted["model"], metrics, "metrics")["metrics"]
        if wanted["quantity"] not in known:
            return _outcome(rule, name, absent=_absent("quantity", wanted["quantity"], known))
        values.append(known[wanted["quantity"]])
    found = _difference(*values) if less else values[0]
    return _outcome(rule, name, found, n=report.get("n"))


def _about_gap(rule: Mapping[str, Any], audit: Mapping[str, Any]) -> list[dict[str, Any]]:
    wanted, gaps = rule["gap"], audit["gaps"]
    if (other := _other_data(rule, audit)) is not None:
        return [_outcome(rule, gap_name(wanted), absent=other)]
    whose = [gap for gap in gaps if is_by(gap, wanted["attribute"])]
    found = [gap for gap in whose if _measured(gap) == _measured(wanted)]
    if found:
        return [
            _outcome(rule, gap_name(gap), gap, n=audit.get("n"), verdict=gap["verdict"])
            for gap in found
        ]
    if whose:
        absent = _absent("metric", _measured(wanted), {_measured(gap) for gap in whose})
    else:
        known = {gap["attribute"] for gap in gaps}
        absent = _absent("attribute", wanted["attribute"], known)
    return [_outcome(rule, gap_name(wanted), absent=absent)]


def is_by(gap: Mapping[str, Any], attribute: str) -> bool:
    """Return whether a gap is by an attribute, or by any that is no intersection for ``*``."""
    if attribute == names.EVERY:
        return names.INTERSECTION not in gap["attribute"]
    return bool(gap["attribute"] == attribute)


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
    n: int | None = None,
    verdict: str | None = None,
    absent: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    outcome = {
        "model": rule["model"],
        "quantity": name,
        **{key: found[key] if found else None for key in ("value", "low", "high")},
        "n": n,
        "verdict": verdict,
        **{key: rule[key] for key in ("min", "max", "interval")},
        "verdicts": rule.get("verdicts"),
        **{key: rule[key] for key in ("source", "owner", "rationale", "expires")},
        "waiver": rule.get("waiver"),
        "absent": absent,
    }
    if absent is None:
        return {**outcome, "passed": _passes(outcome)}
    idle = absent["what"] == "data" or rule["absent"] == "pass"
    return {**outcome, "passed": None if idle else False}


def _passes(outcome: Mapping[str, Any]) -> bool:
    verdict, verdicts = outcome["verdict"], outcome["verdicts"]
    if verdict == names.INSUFFICIENT:  # no bound can be held against what cannot be estimated
        return bool(verdicts["insufficient"] == "pass")
    if verdict == names.DIFFERENCE and verdicts["difference"] == "fail":
        return False
    ends = ("low", "high") if outcome["interval"] else ("value", "value")
    lower, upper = (outcome[end] for end in ends)
    least, most = outcome["min"], outcome["max"]
    return (least is None or (lower is not None and lower >= least)) and (
        most is None or (upper is not None and upper <= most)
    )


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    defined = one["value"] is not None and other["value"] is not None
    # Both models answer for the same rows, so their intervals do not make one for the difference.
    value = one["value"] - other["value"] if defined else None
    return {"value": value, "low": None, "high": None}


def _report(model: str, reports: Reports, kind: str) -> Mapping[str, Any]:
    if model not in reports:
        raise GateError(
            f"gate: model must be one with a report of {kind}, {sorted(reports)}, got {model!r}"
        )
    return reports[model]


# --- what it means today -------------------------------------------------------------------------


def _judgement(outcome: Mapping[str, Any], today: datetime.date) -> Judgement:
    name, waiver = f"{outcome['model']} {outcome['quantity']}", outcome["waiver"]
    if _ended(outcome["expires"], today):
        return Judgement(
            outcome,
            EXPIRED,
            f"{name}: rule must not be past its expiry, got {outcome['expires']} on {today}; "
            f"{outcome['owner']} must renew or withdraw it",
        )
    if waiver and _ended(waiver["until"], today):
        without = {True: "passes", False: "fails", None: IDLE}[outcome["passed"]]
        return Judgement(
            outcome,
            EXPIRED,
            f"{name}: waiver by {waiver['who']} must not be past its end, got {waiver['until']} "
            f"on {today}; the rule {without} without it, {outcome['owner']} must renew or "
            "remove it",
        )
    if outcome["passed"]:
        return Judgement(outcome, PASS, "")
    if outcome["passed"] is None:
        return Judgement(outcome, IDLE, f"{name}: {_told(outcome['absent'])}")
    by = f"({outcome['source']}, {outcome['owner']}: {outcome['rationale']})"
    missed = f"{name} must {wanted(outcome)} {by}, got {found_value(outcome)}"
    if outcome["absent"] is not None:
        missed = f"{name} must be in the report {by}, but {_told(outcome['absent'])}; {CURE}"
    if waiver:
        by = f"; waived by {waiver['who']} until {waiver['until']}: {waiver['why']}"
        return Judgement(outcome, WAIVED, missed + by)
    return Judgement(outcome, FAIL, missed)


def _told(absent: Mapping[str, Any]) -> str:
    known = ", ".join(absent["known"])
    if absent["what"] == "data":
        return f"the rule is about {absent['wanted']}, these data are {known}"
    return f"these data have no {absent['what']} {absent['wanted']!r}; they have {known}"


def _ended(date: str | None, today: datetime.date) -> bool:
    return date is not None and datetime.date.fromisoformat(date) < today


def wanted(rule: Mapping[str, Any]) -> str:
    """Return what a rule asks, e.g. ``be >= 0.8``."""
    bounds = [
        f"{sign} {rule[key]:g}"
        for sign, key in ((">=", "min"), ("<=", "max"))
        if rule[key] is not None
    ]
    parts = []
    if bounds:
        parts.append(f"be {' and '.join(bounds)}{' with its interval' if rule['interval'] else ''}")
    refused = [verdict for verdict, then in (rule["verdicts"] or {}).items() if then == "fail"]
    if refused:
        parts.append(f"not have the verdict {' or '.join(map(repr, refused))}")
    return " and ".join(parts)


def found_value(rule: Mapping[str, Any]) -> str:
    """Return the value, interval and verdict that was found for a rule."""
    if rule["absent"] is not None:
        return "nothing"
    text = "undefined" if rule["value"] is None else f"{rule['value']:.4g}"
    if rule["low"] is not None or rule["high"] is not None:
        ends = ["∞" if end is None else f"{end:.4g}" for end in (rule["low"], rule["high"])]
        text += f" [{ends[0]}, {ends[1]}]"
    if rule["verdict"] is not None:
        text += f", {rule['verdict']!r}"
    return text if rule["n"] is None else f"{text}, n = {rule['n']}"
