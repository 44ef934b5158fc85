"""All sheets of a predictions table as one document of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.errors import MetricError
from plumbline.metrics import confusions
from plumbline.standards.four_fifths import four_fifths_tables
from plumbline.standards.gender_shades import error_table
from plumbline.standards.local_law_144 import impact_tables

Counts = list[dict[str, Any]]


@dataclass(frozen=True)
class Categories:
    """Which attributes the law speaks of, and which values mean that one is not known."""

    sex: str
    race: str
    unknown: tuple[str, ...]


def selection_sheets(
    counts: Sequence[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]] | None,
    *,
    selection: str,
    categories: Categories,
) -> dict[str, Any]:
    """Return the sheets about who is selected.

    Parameters
    ----------
    counts : sequence of mapping
        Confusion counts by group with one selecting class; see `categories`.
    scores : sequence of mapping or None
        The same where a score above the median takes the place of a selection; None without scores.
    selection : str
        What counts as a selection, in words.
    categories : Categories
    """
    options = {"sex": categories.sex, "race": categories.race, "unknown": categories.unknown}
    return {
        "selection": selection,
        "local_law_144": {
            "selected": impact_tables(counts, **options),  # type: ignore[arg-type]
            "scored": impact_tables(scores, **options) if scores else None,  # type: ignore[arg-type]
        },
        "four_fifths": four_fifths_tables(counts, unknown=categories.unknown),
    }


def predictions_sheets(
    predictions: Predictions, *, categories: Categories, max_order: int, confidence: float
) -> dict[str, Any]:
    """Return the sheets that follow from a classification table alone.

    Returns
    -------
    dict
        ``selection`` (`selection_sheets`, None where no class is a selection) and ``errors``
        (`gender_shades.error_table`); both None for tables of another kind.
    """
    if predictions.kind != names.CLASSIFICATION or not predictions.attributes:
        return {"selection": None, "errors": None}
    test = predictions.table[predictions.table["split"] == names.TEST]
    counts = _counts(predictions, test, max_order)
    selection = None
    if predictions.positive is not None:
        score = test[f"score_{predictions.positive}"]
        selection = selection_sheets(
            counts,
            scored_counts(predictions, test, score, max_order=max_order),
            selection=f"predicted {predictions.positive}",
            categories=categories,
        )
    return {"selection": selection, "errors": error_table(counts, confidence=confidence)}


def scored_counts(
    predictions: Predictions, test: pd.DataFrame, score: pd.Series[Any], *, max_order: int
) -> Counts:
    """Return counts in which the scores above the median of all rows are the selected ones."""
    code = predictions.classes.index(str(predictions.positive))
    above = (score > score.median()).to_numpy()
    return _counts(predictions, test.assign(y_pred=[code if a else 1 - code for a in above]),
                   max_order)  # fmt: skip


def _counts(predictions: Predictions, test: pd.DataFrame, max_order: int) -> Counts:
    if test.empty:
        raise MetricError(f"{predictions.model}: predictions must have test rows, got none")
    table = confusions.predictions_to_counts(
        test,
        attributes=predictions.attributes,
        classes=predictions.classes,
        positive=predictions.positive,
        max_order=max_order,
        overall=True,
    )
    records = table.to_dict("records")
    return [
        {str(k): None if k == "class" and pd.isna(v) else v for k, v in row.items()}
        for row in records
    ]
