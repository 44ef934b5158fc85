"""What the findings mean on a day, and the sentences that say so."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline import names
from plumbline.gate import findings

PASS, WARN, WAIVED, FAIL, EXPIRED = "PASS", "WARN", "WAIVED", "FAIL", "EXPIRED"
IDLE = "does not apply"
FAILING = (FAIL, EXPIRED)

CURE = "let the rules of policy.yaml be about these data, or the rule say absent: pass"


@dataclass(frozen=True)
class Judgement:
    """What a rule means on a day.

    Attributes
    ----------
    status : {'PASS', 'WARN', 'WAIVED', 'FAIL', 'EXPIRED', 'does not apply'}
        ``WARN``: the data do not decide the rule, and the policy lets that through with a warning.
        ``EXPIRED``: the rule, or its waiver, has ended; whoever owns it has to look at it again.
        ``does not apply``: it says itself that it is about other data, or may lack its subject.
    sentence : str
        Why a rule warns, fails or does not apply, or by whom it was waived; empty where it passes.
    """

    outcome: Mapping[str, Any]
    status: str
    sentence: str


def judgements(report: Mapping[str, Any], today: datetime.date) -> list[Judgement]:
    """Return what every rule of a report means on a day; rules and waivers hold through their date.

    A rule that has expired fails even if its number passes, and so does one whose waiver has: a
    policy that nobody reviews is none.
    """
    return [_judgement(outcome, today) for outcome in report["rules"]]


def failure(judged: Sequence[Judgement], *, warnings_fail: bool = False) -> str:
    """Return the sentence that names every rule that fails, empty if none does.

    A policy of which no rule applies holds nothing, and fails.

    Parameters
    ----------
    judged : sequence of Judgement
    warnings_fail : bool
        Whether a warning counts as a failure.
    """
    failing = (*FAILING, WARN) if warnings_fail else FAILING
    missed = [one.sentence for one in judged if one.status in failing]
    if judged and all(one.status == IDLE for one in judged):
        missed.append(f"one rule must apply to these data, got {len(judged)} that do not; {CURE}")
    return f"gate: {'; '.join(missed)}" if missed else ""


def counts(judged: Sequence[Judgement]) -> str:
    """Return how many rules passed, warned and failed, and any of another status."""
    found = Counter(one.status for one in judged)
    always = [f"{found[PASS]} passed", f"{found[WARN]} warned", f"{found[FAIL]} failed"]
    others = {WAIVED: "waived", EXPIRED: "expired", IDLE: "not applicable"}
    rest = [f"{found[status]} {word}" for status, word in others.items() if found[status]]
    return f"gate: {', '.join(always + rest)}"


def _judgement(outcome: Mapping[str, Any], today: datetime.date) -> Judgement:
    name, waiver, result = _name(outcome), outcome["waiver"], outcome["result"]
    if _ended(outcome["expires"], today):
        return Judgement(
            outcome,
            EXPIRED,
            f"{name}: rule must not be past its expiry, got {outcome['expires']} on {today}; "
            f"{outcome['owner']} must renew or withdraw it",
        )
    if waiver and _ended(waiver["until"], today):
        without = {findings.PASS: "passes", findings.WARN: "warns", findings.FAIL: "fails"}
        return Judgement(
            outcome,
            EXPIRED,
            f"{name}: waiver by {waiver['who']} must not be past its end, got {waiver['until']} "
            f"on {today}; the rule {without.get(result, IDLE)} without it, {outcome['owner']} must "
            "renew or remove it",
        )
    if result == findings.PASS:
        return Judgement(outcome, PASS, "")
    if result is None:
        return Judgement(outcome, IDLE, f"{name}: {_told(outcome['absent'])}")
    if result == findings.WARN:
        return Judgement(outcome, WARN, _warning(outcome))
    if waiver:
        by = f"; waived by {waiver['who']} until {waiver['until']}: {waiver['why']}"
        return Judgement(outcome, WAIVED, _missed(outcome) + by)
    return Judgement(outcome, FAIL, _missed(outcome))


def _ended(date: str | None, today: datetime.date) -> bool:
    return date is not None and datetime.date.fromisoformat(date) < today


# --- sentences -----------------------------------------------------------------------------------


def _name(outcome: Mapping[str, Any]) -> str:
    return f"{outcome['model']} {outcome['quantity']}"


def _by(outcome: Mapping[str, Any]) -> str:
    return f"({outcome['source']}, {outcome['owner']}: {outcome['rationale']})"


def _missed(outcome: Mapping[str, Any]) -> str:
    if outcome["absent"] is not None:
        told = f"{_told(outcome['absent'])}; {CURE}"
        return f"{_name(outcome)} must be in the report {_by(outcome)}, but {told}"
    return f"{_name(outcome)} must {wanted(outcome)} {_by(outcome)}, got {found_value(outcome)}"


def _warning(outcome: Mapping[str, Any]) -> str:
    verdict, verdicts = outcome["verdict"], outcome["verdicts"]
    if verdict is not None and verdicts[verdict] == findings.WARN:
        told = f"the verdict {verdict!r} is a warning {_by(outcome)}"
        return f"{_name(outcome)}: {told}, got {found_value(outcome)}"
    what = "does not decide it"
    if _is_missed(outcome):
        what = "misses it; the policy reports this comparison and lets it pass"
    return (
        f"{_name(outcome)} must {_bounds(outcome)} {_by(outcome)}, got {found_value(outcome)}, "
        f"which {what}"
    )


def _is_missed(outcome: Mapping[str, Any]) -> bool:
    """Return whether a quantity, or its whole interval where that counts, is beyond a bound."""
    keys = ("value", "value") if outcome["undecided"] is None else ("low", "high")
    (low, high), (least, most) = (outcome[key] for key in keys), (outcome["min"], outcome["max"])
    return bool(
        (least is not None and high is not None and high < least)
        or (most is not None and low is not None and low > most)
    )


def _told(absent: Mapping[str, Any]) -> str:
    known = ", ".join(absent["known"])
    if absent["what"] == "data":
        return f"the rule is about {absent['wanted']}, these data are {known}"
    return f"these data have no {absent['what']} {absent['wanted']!r}; they have {known}"


def wanted(rule: Mapping[str, Any]) -> str:
    """Return what a rule asks, e.g. ``be >= 0.8``."""
    refused = _verdicts_leading_to(findings.FAIL, rule)
    parts = [_bounds(rule), f"not have the verdict {' or '.join(refused)}" if refused else ""]
    return " and ".join(filter(None, parts))


def warned(rule: Mapping[str, Any]) -> str:
    """Return what a rule warns of, empty if it only passes or fails."""
    parts = _verdicts_leading_to(findings.WARN, rule)
    if rule["undecided"] == findings.WARN:
        parts.append("an interval that contains the bound")
    if rule["missed"] == findings.WARN:
        parts.append("a value beyond the bound")
    return " or ".join(parts)


def _bounds(rule: Mapping[str, Any]) -> str:
    bounds = [
        f"{sign} {rule[key]:g}"
        for sign, key in ((">=", "min"), ("<=", "max"))
        if rule[key] is not None
    ]
    whole = " with its interval" if rule["undecided"] is not None else ""
    return f"be {' and '.join(bounds)}{whole}" if bounds else ""


def _verdicts_leading_to(then: str, rule: Mapping[str, Any]) -> list[str]:
    return [repr(verdict) for verdict, led in (rule["verdicts"] or {}).items() if led == then]


def found_value(rule: Mapping[str, Any]) -> str:
    """Return what was found for a rule: value, interval, verdict, n and the detectable gap."""
    if rule["absent"] is not None:
        return "nothing"
    text = "undefined" if rule["value"] is None else f"{rule['value']:.4g}"
    if rule["low"] is not None or rule["high"] is not None:
        ends = ["∞" if end is None else f"{end:.4g}" for end in (rule["low"], rule["high"])]
        text += f" [{ends[0]}, {ends[1]}]"
    if rule["verdict"] is not None:
        text += f", {rule['verdict']!r}"
    if rule["n"] is not None:
        text += f", n = {rule['n']}"
    if rule["verdict"] == names.INCONCLUSIVE and rule["detectable"] is not None:
        text += f", detectable {rule['detectable']:.3g}"
    return text
