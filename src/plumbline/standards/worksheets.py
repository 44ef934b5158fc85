"""The worksheets of a contingency table as one document of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.audit.counts import predictions_to_contingency
from plumbline.errors import MetricError
from plumbline.metrics.groups import confusions
from plumbline.metrics.groups.contingency import ContingencyTable
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


def selection_worksheets(
    counts: Sequence[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]] | None,
    *,
    selection: str,
    categories: Categories,
    confidence: float,
) -> dict[str, Any]:
    """Return the worksheets about who is selected.

    Parameters
    ----------
    counts : sequence of mapping
        Confusion counts by group with one selecting class; see `categories`.
    scores : sequence of mapping or None
        The same where a score above the median takes the place of a selection; None without scores.
    selection : str
        What counts as a selection, in words.
    categories : Categories
    confidence : float
        Of the intervals of ratios, in (0, 1).
    """
    options: dict[str, Any] = {
        "sex": categories.sex,
        "race": categories.race,
        "unknown": categories.unknown,
        "confidence": confidence,
    }
    return {
        "selection": selection,
        "confidence": confidence,
        "local_law_144": {
            "selected": impact_tables(counts, **options),
            "scored": impact_tables(scores, **options) if scores else None,
        },
        "four_fifths": four_fifths_tables(
            counts, unknown=categories.unknown, confidence=confidence
        ),
    }


def contingency_worksheets(
    contingency: ContingencyTable, *, selection: str, categories: Categories, confidence: float
) -> dict[str, Any]:
    """Return the worksheets that follow from counted decisions, intersections of two among them.

    Parameters
    ----------
    contingency : ContingencyTable
        With a positive class, whose decision is a selection, or with many classes.
    selection : str
        What counts as a selection, in words.
    categories : Categories
    confidence : float

    Returns
    -------
    dict
        ``selection`` (`selection_worksheets`, None where no class is a selection), in which each
        row counts once, and ``errors`` (`gender_shades.error_table`), in which it counts by its
        weight. Of weighted rows both have ``weighted``, of rows that belong to ``entities`` their
        number.
    """
    found, own = None, unweighted(contingency)
    if contingency.positive is not None:
        scored = confusion_counts(above_median(own)) if contingency.scored else None
        found = selection_worksheets(
            confusion_counts(own),
            scored,
            selection=selection,
            categories=categories,
            confidence=confidence,
        )
        found |= design_facts(contingency)
    errors = error_table(confusion_counts(contingency), confidence=confidence) | design_facts(
        contingency
    )
    return {"selection": found, "errors": errors}


def predictions_worksheets(
    predictions: Predictions, *, categories: Categories, confidence: float
) -> dict[str, Any]:
    """Return the worksheets of a predictions table's test rows; both None if it has no decisions.

    Raises
    ------
    MetricError
        If there is no test row.
    """
    if predictions.kind != names.CLASSIFICATION or not predictions.attributes:
        return {"selection": None, "errors": None}
    if not (predictions.table["split"] == names.TEST).any():
        raise MetricError(f"{predictions.model}: predictions must have test rows, got none")
    contingency = predictions_to_contingency(predictions)
    words = f"predicted {predictions.positive}"
    return contingency_worksheets(
        contingency, selection=words, categories=categories, confidence=confidence
    )


def unweighted(contingency: ContingencyTable) -> ContingencyTable:
    """Return the table in which each row counts once: laws count persons."""
    if not contingency.weighted:
        return contingency
    n = contingency.n.astype(np.float64)
    margins = tuple(map(unweighted, contingency.margins))
    return replace(contingency, weight=n, weight2=n, weighted=False, margins=margins)


def design_facts(contingency: ContingencyTable) -> dict[str, Any]:
    """Return ``weighted`` and the number of ``entities``, each where the rows are so."""
    found: dict[str, Any] = {"weighted": True} if contingency.weighted else {}
    entities = {"entities": len(np.unique(contingency.cluster))} if contingency.clustered else {}
    return found | entities


def above_median(contingency: ContingencyTable) -> ContingencyTable:
    """Return the table in which the scores above the median of all rows are selected.

    With an even number of rows a score is above the mean of the two middle ones if it is above the
    lower of them and not equal to it. Scores of one bin count as equal (see `metrics.contingency`).
    """
    rows = np.cumsum(
        np.bincount(contingency.bin, weights=contingency.n, minlength=len(contingency.edges))
    )
    middle = int(np.searchsorted(rows, (contingency.total - 1) // 2, side="right"))
    code = contingency.classes.index(str(contingency.positive))

    def moved(cells: ContingencyTable) -> ContingencyTable:
        decided = np.where(cells.bin > middle, code, 1 - code)
        return replace(cells, decided=decided, margins=tuple(map(moved, cells.margins)))

    return moved(contingency)


def confusion_counts(contingency: ContingencyTable, *, max_order: int = 2) -> Counts:
    """Return the counts of every group as plain values; see `confusions.count_columns`."""
    table = confusions.contingency_to_counts(contingency, max_order=max_order, overall=True)
    return [
        {str(k): None if k == "class" and pd.isna(v) else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]
