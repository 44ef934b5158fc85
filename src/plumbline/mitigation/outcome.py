"""What a method did: its predictions table, and the audit's numbers about it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.audit.account import predictions_to_audit
from plumbline.mitigation.change import decision_change
from plumbline.mitigation.methods import METHODS, Decided, plain_decisions
from plumbline.mitigation.problem import Problem

GAPS = (names.SELECTION_RATE, names.TPR, names.FPR)
ODDS = (names.TPR, names.FPR)  # equalised odds: the larger of the two gaps
_KEYS = ("metric", "value", "low", "high", "lowest", "highest", "verdict")


def decided_predictions(name: str, problem: Problem, decided: Decided) -> Predictions:
    """Return the predictions table of a method on the test rows."""
    schema = problem.schema
    columns = {
        "sample_id": problem.table["sample_id"],
        "split": problem.table["split"],
        "y_true": problem.test.y,
        "y_pred": decided.decision,
        f"score_{schema.classes[0]}": 1 - decided.score,
        f"score_{schema.classes[1]}": decided.score,
        **{attribute: problem.table[attribute] for attribute in schema.attributes},
    }
    return Predictions(
        table=pd.DataFrame(columns),
        model=f"mitigated_{name}",
        kind=names.CLASSIFICATION,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        positive=schema.positive,
        attributes=schema.attributes,
    )


def method_outcome(
    name: str,
    problem: Problem,
    decided: Decided,
    *,
    confidence: float,
    min_group_size: int,
    min_group_share: float,
    replicates: int,
    seed: int,
) -> dict[str, Any]:
    """Return what ``reports/mitigation/<method>.json`` holds.

    The gaps are those of the audit, with its intervals and verdicts, by ``attribute`` alone:
    ``accuracy`` of all rows, ``gaps`` of `GAPS`, ``equalised_odds`` the larger gap of `ODDS`, and
    ``accuracy_by_group``; ``change`` against doing nothing on the same rows. What cannot be
    estimated is None.
    """
    audit = predictions_to_audit(
        decided_predictions(name, problem, decided),
        confidence=confidence,
        max_order=1,
        min_group_size=min_group_size,
        min_group_share=min_group_share,
        replicates=replicates,
        seed=seed,
    )
    gaps = {
        gap["metric"]: {key: gap[key] for key in _KEYS}
        for gap in audit["gaps"]
        if gap["attribute"] == problem.attribute
        and gap["comparison"] == "difference"
        and gap["metric"] in GAPS
    }
    rows = [row for row in audit["rows"] if row["metric"] == names.ACCURACY]
    own = {row["attribute"]: _estimate(row) for row in rows if row["attribute"] == names.OVERALL}
    known = [gaps[m] for m in ODDS if m in gaps and gaps[m]["verdict"] != names.INSUFFICIENT]
    method = METHODS[name]
    change = decision_change(
        problem.test,
        plain_decisions(problem),
        decided.decision,
        confidence=confidence,
        replicates=replicates,
        seed=seed,
    )
    return {
        "method": name,
        "when": method.when,
        "about": method.about,
        "needs_group": method.needs_group,
        "skipped": None,
        "change": change,
        "settings": decided.settings,
        "source": problem.schema.source,
        "attribute": problem.attribute,
        "n": len(problem.test),
        "confidence": confidence,
        "accuracy": own[names.OVERALL],
        "accuracy_by_group": [
            {"group": row["group"], **_estimate(row)}
            for row in rows
            if row["attribute"] == problem.attribute
        ],
        "gaps": gaps,
        "equalised_odds": max(known, key=lambda gap: gap["value"])
        if len(known) == len(ODDS)
        else None,
    }


def no_outcome(name: str, reason: str) -> dict[str, Any]:
    """Return the report of a method that the data give nothing to do."""
    method = METHODS[name]
    return {"method": name, "when": method.when, "about": method.about, "skipped": reason}


def _estimate(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("value", "low", "high")}
