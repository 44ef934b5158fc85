"""The sheets of decisions made elsewhere: a CSV or Parquet file of any length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plumbline import names
from plumbline.audit.external.decisions import Columns, file_to_contingency
from plumbline.standards.sheets import Categories, contingency_sheets


def file_sheets(
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
) -> dict[str, Any]:
    """Return the sheets of a file with one row per decision.

    Parameters
    ----------
    path : Path
        See `audit.files.file_to_contingency`, which counts it and says what is wrong with it.
    decision, label, score : str
        Columns; without ``label`` there is no sheet of errors, without ``score`` no scoring rate.
    attributes : sequence of str
        Columns to group by, also crossed two at a time; missing values are the category "unknown".
    positive : str, optional
        The value of ``decision`` that is a selection; by default 1 or true.
    weight, entity : str, optional
        Columns: how many each row stands for, of use in the sheet of errors alone; whose row it is.
    categories : Categories
    confidence : float
    """
    columns = Columns(
        label=label or decision,
        attributes=tuple(attributes),
        decision=decision,
        score=score,
        weight=weight,
        entity=entity,
    )
    contingency = file_to_contingency(path, columns, positive=positive)
    unknown = (*categories.unknown, names.UNKNOWN)
    sheets = contingency_sheets(
        contingency,
        selection=f"{decision} = {contingency.positive}",
        categories=Categories(categories.sex, categories.race, unknown),
        confidence=confidence,
    )
    return sheets if label else {**sheets, "errors": None}
