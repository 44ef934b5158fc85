"""Worksheets of external decisions: a CSV or Parquet file of any length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plumbline import names
from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.standards.worksheets import Categories, contingency_worksheets
from plumbline.table_files.dialect import PLAIN, Dialect


def file_worksheets(
    path: Path,
    *,
    decision: str,
    label: str | None,
    score: str | None,
    attributes: Sequence[str],
    positive: str | None,
    weight: str | None = None,
    entity: str | None = None,
    categories: Categories,
    confidence: float,
    dialect: Dialect = PLAIN,
) -> dict[str, Any]:
    """Return the worksheets of a file with one row per decision.

    Parameters
    ----------
    path : Path
        See `plumbline.audit.external.decisions.file_to_contingency`.
    decision, label, score : str
        Columns; ``errors`` need the label, scoring rates the score.
    attributes : sequence of str
        Columns to group by, also crossed two at a time; missing values are the category "unknown".
    positive : str, optional
        The value of ``decision`` that is a selection; by default 1 or true.
    weight, entity : str, optional
        Columns of weights, which only errors use, and of the entity of each row.
    categories : Categories
    confidence : float
    dialect : Dialect
        How a CSV is written.
    """
    columns = Columns(
        label=label,
        attributes=tuple(attributes),
        decision=decision,
        score=score,
        weight=weight,
        entity=entity,
    )
    contingency = file_to_contingency(
        path, columns, positive=positive, dialect=dialect, max_order=2
    )
    unknown = (*categories.unknown, names.UNKNOWN)
    sheets = contingency_worksheets(
        contingency,
        selection=f"{decision} = {contingency.positive}",
        categories=Categories(categories.sex, categories.race, unknown),
        confidence=confidence,
    )
    return sheets if label else {**sheets, "errors": None}
