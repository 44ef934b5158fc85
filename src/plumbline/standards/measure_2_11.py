"""NIST AI Risk Management Framework 1.0 (NIST AI 100-1): the worksheet of MEASURE 2.11.

MEASURE 2.11 wants fairness and bias, as identified in the MAP function, to be evaluated and the
results documented; MEASURE 1.1 wants what cannot be measured to be documented too. The worksheet
lists the gaps of the audit, by the kind of harm that a gap of this quantity can lead to, with the
rule of the policy that decides on it and its owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from plumbline import names

ALLOCATION, SERVICE, REPRESENTATION = "allocation", "quality of service", "representation"

# The quantities of the worksheet, and the kind of harm of a gap in them.
HARMS: dict[str, str] = {
    names.SELECTION_RATE: ALLOCATION,
    names.TPR: ALLOCATION,
    names.FPR: ALLOCATION,
    names.PPV: SERVICE,
    names.ACCURACY: SERVICE,
    names.BALANCED_ACCURACY: SERVICE,
    names.MEAN_PREDICTION: ALLOCATION,
    names.MEAN_RESIDUAL: SERVICE,
    names.MAE: SERVICE,
    names.BITS_PER_CHARACTER: SERVICE,
    names.CLASS_AGREEMENT: SERVICE,
    names.REPRESENTATION_GAP: REPRESENTATION,
}

NOT_HERE = (
    "The harms that the MAP function found for the place where the model would be used: none was "
    "declared, so the kinds of harm are those that the quantities can show.",
    "Assessors other than the developers (MEASURE 1.3) and the people affected: nobody was asked.",
    "Performance under the conditions of a deployment (MEASURE 2.3): there is none.",
)


def measure_worksheet(
    audit: Mapping[str, Any], rules: Iterable[Mapping[str, Any]], *, owner: str
) -> dict[str, Any]:
    """Return the worksheet of a model.

    Parameters
    ----------
    audit : mapping
        ``reports/audits/<model>.json``.
    rules : iterable of mapping
        Dumps of the rules of the gate.
    owner : str
        Who answers for gaps that no rule decides on.

    Returns
    -------
    dict
        ``results``: ``harm, attribute, metric, value, low, high, lowest, highest, verdict,
        decision, owner``; ``not_measured``: ``attribute, metric, reason``; ``not_here``.
    """
    own = [rule for rule in rules if rule.get("gap") and _is_of(rule, audit)]
    results, unmeasured = [], []
    for gap in audit["gaps"]:
        if gap["comparison"] != "difference" or gap["metric"] not in HARMS:
            continue
        if gap["verdict"] == names.INSUFFICIENT:
            about = {key: gap.get(key) for key in ("attribute", "metric", "reason")}
            unmeasured.append(about)
            continue
        rule = next((r for r in own if _is_about(r["gap"], gap)), None)
        keys = ("attribute", "metric", "value", "low", "high", "lowest", "highest", "verdict")
        results.append(
            {
                "harm": HARMS[gap["metric"]],
                **{key: gap[key] for key in keys},
                "decision": rule["rationale"] if rule else None,
                "owner": rule["owner"] if rule else owner,
            }
        )
    return {"results": results, "not_measured": unmeasured, "not_here": list(NOT_HERE)}


def _is_of(rule: Mapping[str, Any], audit: Mapping[str, Any]) -> bool:
    data = rule.get("data")
    return rule["model"] == audit["model"] and (data is None or audit["source"] in data)


def _is_about(wanted: Mapping[str, Any], gap: Mapping[str, Any]) -> bool:
    every = wanted["attribute"] == names.EVERY and names.INTERSECTION not in gap["attribute"]
    by = every or wanted["attribute"] == gap["attribute"]
    return by and all(wanted[key] == gap[key] for key in ("metric", "comparison"))
