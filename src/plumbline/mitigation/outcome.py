"""The outcome of a mitigation method: its predictions table, accuracy and gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions, passthrough_columns
from plumbline.audit.build import predictions_to_audit, statistics_to_audit
from plumbline.audit.counts import contingency_to_statistics
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import rates
from plumbline.metrics.groups.contingency import table_to_contingency
from plumbline.mitigation.change import decision_change, halves
from plumbline.mitigation.methods import METHODS, UNWEIGHTED, Decided
from plumbline.mitigation.problem import Codes, Problem

GAPS = (names.SELECTION_RATE, names.TPR, names.FPR)
ODDS = (names.TPR, names.FPR)  # equalised odds: the larger of the two gaps
_KEYS = ("metric", "value", "low", "high", "lowest", "highest", "verdict")


def decided_predictions(model: str, name: str, problem: Problem, decided: Decided) -> Predictions:
    """Return the predictions table of a method on the test rows."""
    schema = problem.schema
    columns = {
        "sample_id": problem.table["sample_id"],
        "split": problem.table["split"],
        "y_true": problem.test.y,
        "y_pred": decided.decision,
        f"score_{schema.classes[0]}": 1 - decided.score,
        f"score_{schema.classes[1]}": decided.score,
        **passthrough_columns(problem.table, schema.attributes),
    }
    return Predictions(
        table=pd.DataFrame(columns),
        model=f"{model}_{name}",
        kind=names.CLASSIFICATION,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        positive=schema.positive,
        attributes=schema.attributes,
    )


def method_outcome(
    model: str,
    name: str,
    problem: Problem,
    tried: Mapping[float, Decided],
    *,
    reference: Codes,
    options: AuditOptions,
) -> dict[str, Any]:
    """Return what ``reports/mitigation/<model>_<method>.json`` holds.

    Parameters
    ----------
    model, name : str
        Of the model, and the method.
    problem : Problem
    tried : mapping of float to Decided
        By strength. The first is the method's setting, and what is said of it is what
        `measure_decisions` says; all of them, by rising strength, are the ``curve``, empty for a
        method without a parameter.
    reference : array, (N,)
        Decisions of the unmitigated model.
    options : AuditOptions
    """
    method = METHODS[name]
    measured = {
        strength: measure_decisions(
            model, name, problem, decided, reference=reference, options=options
        )
        for strength, decided in tried.items()
    }
    chosen = next(iter(tried))
    parts = ("accuracy", "equalised_odds", "change", "changed", "constant")
    curve = [
        {"strength": strength, **{part: measured[strength][part] for part in parts}}
        for strength in sorted(tried)
    ]
    return {
        "model": model,
        "method": name,
        "when": method.when,
        "about": method.about + _unweighted(model, name, problem),
        "needs_group": method.needs_group,
        "skipped": None,
        "source": problem.schema.source,
        "attribute": problem.attribute,
        "n": len(problem.test),
        **problem.design,
        "confidence": options.confidence,
        "parameter": method.parameter or None,
        "strength": chosen if method.parameter else None,
        **measured[chosen],
        "settings": tried[chosen].settings,
        "curve": curve if method.parameter else [],
    }


def measure_decisions(
    model: str,
    name: str,
    problem: Problem,
    decided: Decided,
    *,
    reference: Codes,
    options: AuditOptions,
) -> dict[str, Any]:
    """Return accuracy and gaps of decisions, with the audit's intervals and verdicts.

    By ``attribute`` alone: ``accuracy`` of all rows, ``gaps`` of `GAPS`, ``equalised_odds`` the
    larger gap of `ODDS`, and ``accuracy_by_group``; ``change`` against the reference on the same
    rows, and ``changed`` decisions of how many rows; ``constant`` if all rows get one decision.
    Undefined values are None. Of random decisions all values are expectations over their draws, and
    so is the number of changed ones.
    """
    audit = _audit(model, name, problem, decided, replace(options, max_order=1))
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
    change = decision_change(problem.test, reference, decided.selected, options)
    off = np.abs(decided.selected - reference)
    return {
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
        "change": change,
        "changed": {"rows": float(off.sum()), "share": float(off.mean())},
        "constant": len(np.unique(decided.selected)) == 1,
    }


def _audit(
    model: str, name: str, problem: Problem, decided: Decided, options: AuditOptions
) -> dict[str, Any]:
    if decided.chance is None:
        return predictions_to_audit(decided_predictions(model, name, problem, decided), options)
    row, decision, design = halves(decided.chance, problem.test.design)
    schema = problem.schema
    frame = problem.table[list(schema.attributes)].iloc[row].reset_index(drop=True)
    counted = table_to_contingency(
        frame.assign(y_true=problem.test.y[row], y_pred=decision),
        attributes=schema.attributes,
        classes=schema.classes,
        positive=schema.positive,
        weight=design.weight,
        entity=design.entity,
    )
    statistics = contingency_to_statistics(counted, max_order=options.max_order)
    return statistics_to_audit(statistics, pd.DataFrame(columns=rates.RATE_COLUMNS), options)


def no_outcome(model: str, name: str, reason: str) -> dict[str, Any]:
    """Return the report of a method that is skipped."""
    method = METHODS[name]
    return {
        "model": model,
        "method": name,
        "when": method.when,
        "about": method.about,
        "skipped": reason,
    }


def _unweighted(model: str, name: str, problem: Problem) -> str:
    part = UNWEIGHTED.get((model, name))
    weighted = problem.train.design.weight is not None
    return f"; unweighted: {part} counts each row once" if part and weighted else ""


def _estimate(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("value", "low", "high")}
