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

KEPT, WAIVED, MISSED, EXPIRED = "kept", "waived", "missed", "expired"
FAILING = (MISSED, EXPIRED)

CURE = "let gate.rules of params.yaml be about these data"

Reports = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Judgement:
    """What a rule means on a day.

    Attributes
    ----------
    status : {'kept', 'waived', 'missed', 'expired'}
        ``expired``: the rule, or its waiver, has ended; whoever owns it has to look at it again.
    sentence : str
        Why a rule fails, or by whom it was waived; empty where it is kept.
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

    Parameters
    ----------
    rules : iterable of mapping
        Dumps of `plumbline.params.gate.GateRule`.
    metrics, audits : mapping
        Reports by model.

    Raises
    ------
    GateError
        If a rule names a model, quantity or gap that no report has.
    """
    return {"rules": [_outcome(rule, metrics, audits) for rule in rules]}


def judgements(report: Mapping[str, Any], today: datetime.date) -> list[Judgement]:
    """Return what every rule of a report means on a day; rules and waivers hold through their date.

    A rule that has expired fails even if its number is kept, and so does one whose waiver has: a
    policy that nobody looks at any more is none.
    """
    return [_judgement(outcome, today) for outcome in report["rules"]]


def failure(judged: Sequence[Judgement]) -> str:
    """Return the sentence that names every rule that fails, empty if none does."""
    missed = [one.sentence for one in judged if one.status in FAILING]
    return f"gate: {'; '.join(missed)}" if missed else ""


def gap_name(gap: Mapping[str, Any]) -> str:
    """Return the name of a gap in reports, e.g. ``selection_rate difference by sex``."""
    return f"{gap['metric']} {gap['comparison']} by {gap['attribute']}"


def show(judged: Sequence[Judgement], today: datetime.date) -> None:
    """Print one row per rule."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=110)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"Policy on {today.isoformat()}")
    for heading in ("status", "model and number", "found", "rule", "source: owner", "ends"):
        table.add_column(heading, overflow="fold")
    colours = {KEPT: "green", WAIVED: "yellow"}
    for one in judged:
        rule = one.outcome
        table.add_row(
            Text(one.status, style=colours.get(one.status, "bold red")),
            *(Text(text) for text in (f"{rule['model']}\n{rule['quantity']}", _found(rule))),
            *(Text(text) for text in (_wanted(rule), f"{rule['source']}: {rule['owner']}")),
            Text(_dates(rule)),
        )
    console.print(table)
    for one in judged:
        if one.status == WAIVED:  # failures are told by the error that follows
            console.print(Text(f"waived: {one.sentence}"))


# --- what was found ------------------------------------------------------------------------------


def _outcome(rule: Mapping[str, Any], metrics: Reports, audits: Reports) -> dict[str, Any]:
    verdict, verdicts = None, rule.get("verdicts")
    if rule.get("gap") is None:
        found, name = _quantity(rule, metrics), rule["quantity"]
        n = metrics[rule["model"]].get("n")
        if (other := rule.get("less")) is not None:
            name = f"{name} less {other['model']} {other['quantity']}"
            found = _difference(found, _quantity(other, metrics))
    else:
        found, name = _gap(rule, audits), gap_name(rule["gap"])
        verdict, n = found["verdict"], audits[rule["model"]].get("n")
    outcome = {
        "model": rule["model"],
        "quantity": name,
        **{key: found[key] for key in ("value", "low", "high")},
        "n": n,
        "verdict": verdict,
        **{key: rule[key] for key in ("min", "max", "interval")},
        "verdicts": verdicts,
        **{key: rule[key] for key in ("source", "owner", "rationale", "expires")},
        "waiver": rule.get("waiver"),
    }
    return {**outcome, "kept": _is_kept(outcome)}


def _is_kept(outcome: Mapping[str, Any]) -> bool:
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


def _quantity(rule: Mapping[str, Any], metrics: Reports) -> Mapping[str, Any]:
    report = _report(rule["model"], metrics, "metrics")
    quantities: Reports = report["metrics"]
    if rule["quantity"] not in quantities:
        raise GateError(
            f"gate: quantity of {rule['model']} must be one of {sorted(quantities)}, "
            f"got {rule['quantity']!r}; {CURE}"
        )
    return quantities[rule["quantity"]]


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    defined = one["value"] is not None and other["value"] is not None
    # Both models answer for the same rows, so their intervals do not make one for the difference.
    value = one["value"] - other["value"] if defined else None
    return {"value": value, "low": None, "high": None}


def _gap(rule: Mapping[str, Any], audits: Reports) -> Mapping[str, Any]:
    wanted = rule["gap"]
    gaps: list[Mapping[str, Any]] = _report(rule["model"], audits, "audit")["gaps"]
    keys = ("attribute", "metric", "comparison")
    for gap in gaps:
        if all(gap[key] == wanted[key] for key in keys):
            return gap
    known = sorted(gap_name(gap) for gap in gaps)
    raise GateError(
        f"gate: gap of {rule['model']} must be one of {known}, got {gap_name(wanted)!r}; {CURE}"
    )


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
        state = "kept" if outcome["kept"] else "missed"
        return Judgement(
            outcome,
            EXPIRED,
            f"{name}: waiver by {waiver['who']} must not be past its end, got {waiver['until']} "
            f"on {today}; the rule is {state} without it, {outcome['owner']} must renew or "
            "remove it",
        )
    if outcome["kept"]:
        return Judgement(outcome, KEPT, "")
    missed = (
        f"{name} must {_wanted(outcome)} ({outcome['source']}, {outcome['owner']}: "
        f"{outcome['rationale']}), got {_found(outcome)}"
    )
    if waiver:
        by = f"; waived by {waiver['who']} until {waiver['until']}: {waiver['why']}"
        return Judgement(outcome, WAIVED, missed + by)
    return Judgement(outcome, MISSED, missed)


def _ended(date: str | None, today: datetime.date) -> bool:
    return date is not None and datetime.date.fromisoformat(date) < today


def _wanted(rule: Mapping[str, Any]) -> str:
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
    refused = [verdict for verdict, then in (rule["verdicts"] or {}).items() if then == "fail"]
    if refused:
        wanted.append(f"not have the verdict {' or '.join(map(repr, refused))}")
    return " and ".join(wanted)


def _found(rule: Mapping[str, Any]) -> str:
    text = "undefined" if rule["value"] is None else f"{rule['value']:.4g}"
    if rule["low"] is not None or rule["high"] is not None:
        ends = ["∞" if end is None else f"{end:.4g}" for end in (rule["low"], rule["high"])]
        text += f" [{ends[0]}, {ends[1]}]"
    if rule["verdict"] is not None:
        text += f", {rule['verdict']!r}"
    return text if rule["n"] is None else f"{text}, n = {rule['n']}"


def _dates(rule: Mapping[str, Any]) -> str:
    own = rule["expires"] or "never"
    return f"{own}\nwaiver {rule['waiver']['until']}" if rule["waiver"] else own
