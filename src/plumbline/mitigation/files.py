"""Files of a mitigation method: its report and its predictions table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from plumbline import names
from plumbline.artifacts import write_json, write_table
from plumbline.audit.options import AuditOptions
from plumbline.mitigation.methods import Decided
from plumbline.mitigation.outcome import decided_predictions, method_outcome, no_outcome
from plumbline.mitigation.problem import Codes, Problem

Out = Callable[[Path], Path]  # where to write a file for now; see `plumbline.stage.context.Run.out`


def report_path(model: str, name: str) -> Path:
    """Return the path of the report of a method on a model."""
    return names.MITIGATION / f"{model}_{name}.json"


def table_path(model: str, name: str) -> Path:
    """Return the path of the predictions table of a method on a model."""
    return names.MITIGATED / f"{model}_{name}.parquet"


def write_outcome(
    model: str,
    name: str,
    problem: Problem,
    tried: Mapping[float, Decided],
    *,
    reference: Codes,
    options: AuditOptions,
    out: Out,
) -> dict[str, float]:
    """Write report and table of the method's setting; return its quantities for the run.

    Parameters
    ----------
    model, name, problem, tried, reference, options
        See `method_outcome`.
    out : callable
    """
    found = method_outcome(model, name, problem, tried, reference=reference, options=options)
    decided = next(iter(tried.values()))
    write_json(out(report_path(model, name)), found)
    decided_predictions(model, name, problem, decided).write(out(table_path(model, name)))
    gaps = {f"gap/{problem.attribute}/{m}": gap["value"] for m, gap in found["gaps"].items()}
    return {names.metric(names.TEST, names.ACCURACY): found["accuracy"]["value"], **gaps}


def write_reason(model: str, name: str, reason: str, *, out: Out) -> None:
    """Write the reason why a method is skipped, and a table without rows."""
    write_json(out(report_path(model, name)), no_outcome(model, name, reason))
    write_table(out(table_path(model, name)), pd.DataFrame(), {"skipped": reason})
