"""The sheets of somebody else's table: CSV or Parquet with decisions, labels, scores, groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from plumbline.artifacts.files import existing
from plumbline.errors import ArtifactError, MetricError
from plumbline.metrics import confusions
from plumbline.standards.gender_shades import error_table
from plumbline.standards.sheets import Categories, selection_sheets

_CLASSES, _MISSING = ("0", "1"), "unknown"


def read_own_table(path: Path) -> pd.DataFrame:
    """Read a table by the ending of its name, ``.csv`` or ``.parquet``.

    Raises
    ------
    ArtifactError
        If the file is neither, or cannot be read as what its name says.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise ArtifactError(f"{path.name}: file must end in .csv or .parquet, got {path.suffix!r}")
    try:
        if path.suffix == ".csv":
            return pd.read_csv(existing(path))
        return pd.read_parquet(existing(path))
    except (ValueError, OSError) as error:  # pandas' parser and Arrow's errors are ValueErrors
        raise ArtifactError(
            f"{path.name}: content must be {path.suffix[1:]}, got none ({error})"
        ) from error


def own_sheets(
    table: pd.DataFrame,
    *,
    decision: str,
    label: str | None,
    score: str | None,
    attributes: Sequence[str],
    categories: Categories,
    confidence: float,
) -> dict[str, Any]:
    """Return the sheets of a table of decisions that are 0 or 1.

    Parameters
    ----------
    table : DataFrame
    decision, label, score : str
        Columns; without ``label`` there is no sheet of errors, without ``score`` no scoring rate.
    attributes : sequence of str
        Columns to group by, also crossed two at a time; missing values become "unknown".
    categories : Categories
    confidence : float

    Raises
    ------
    MetricError
        If a column is missing, or decision or label holds another value than 0 and 1.
    """
    wanted = [decision, *(name for name in (label, score) if name), *attributes]
    if missing := [name for name in wanted if name not in table.columns]:
        raise MetricError(
            f"standards: columns must include {missing}, got {[str(c) for c in table.columns]}"
        )
    if table.empty:
        raise MetricError("standards: table must have a row, got none")
    known = table[list(attributes)].astype(object)
    rows = known.where(known.notna(), _MISSING).astype(str)
    decided = _zero_one(table[decision])
    truth = _zero_one(table[label]) if label else decided
    counts = _counts(rows.assign(y_true=truth, y_pred=decided), attributes)
    scored = None
    if score:
        above = table[score] > table[score].median()
        scored = _counts(rows.assign(y_true=truth, y_pred=above.astype(int)), attributes)
    named = Categories(categories.sex, categories.race, (*categories.unknown, _MISSING))
    return {
        "selection": selection_sheets(
            counts, scored, selection=f"{decision} = 1", categories=named
        ),
        "errors": error_table(counts, confidence=confidence) if label else None,
    }


def _zero_one(column: pd.Series[Any]) -> pd.Series[Any]:
    if not column.isin([0, 1]).all():
        raise MetricError(
            f"standards: {column.name} must be 0 or 1 in every row, got "
            f"{sorted(map(str, column[~column.isin([0, 1])].unique()))[:5]}"
        )
    return column.astype(int)


def _counts(rows: pd.DataFrame, attributes: Sequence[str]) -> list[dict[str, Any]]:
    counts = confusions.predictions_to_counts(
        rows, attributes=attributes, classes=_CLASSES, positive="1", max_order=2, overall=True
    )
    return [{str(k): v for k, v in row.items()} for row in counts.to_dict("records")]
