"""From a file of decisions to its contingency table, by DuckDB, in bounded memory.

One pass of ``GROUP BY`` over a Parquet or CSV file of any length; only cells come into Python.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plumbline.audit.external import margins as margins_of
from plumbline.audit.external import relations
from plumbline.audit.external.keys import check_attributes
from plumbline.audit.external.tables import Reading
from plumbline.errors import DataError
from plumbline.metrics.groups import score_bins
from plumbline.metrics.groups.confusions import combinations
from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.groups.counting import MOST_GROUPS
from plumbline.metrics.groups.score_bins import Bins
from plumbline.table_files.dialect import PLAIN, Dialect

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# Files up to this size are looked at twice, to give each score a bin of its own.
_SMALL_FILE = 64 * 2**20
_ROUNDING = 1e-9  # by which a probability may be above 1
_BIN = "score_bin"  # function of SQL


@dataclass(frozen=True)
class Columns:
    """Which column of a file is what.

    Attributes
    ----------
    label, decision : str, optional
        The truth, if it is known, and what was decided. With ``threshold`` that is "score >=
        threshold".
    attributes : tuple of str
    score, weight, entity : str, optional
        Probability of the positive class, or any number that ranks; how many each row stands for;
        whose row it is.
    threshold : float, optional
    probabilities : bool
        Whether scores, where all are in [0, 1], are probabilities.
    """

    label: str | None
    attributes: tuple[str, ...]
    decision: str | None = None
    score: str | None = None
    weight: str | None = None
    entity: str | None = None
    threshold: float | None = None
    probabilities: bool = True


@dataclass(frozen=True)
class _Scores:
    """The scores of a file: ``edges`` of their bins, None where each score is a bin."""

    bound: float = 1.0  # the largest magnitude
    probabilities: bool = True
    edges: npt.NDArray[np.float64] | None = None


def file_to_contingency(
    path: Path,
    columns: Columns,
    *,
    positive: str | None = None,
    multiclass: bool = False,
    memory: str = "2GB",
    dialect: Dialect = PLAIN,
    max_order: int | None = None,
    most: int = MOST_GROUPS,
) -> ContingencyTable:
    """Count a Parquet or CSV file.

    Parameters
    ----------
    path : Path
        Parquet if its name ends in ``.parquet`` or ``.pq``, else CSV (also ``.csv.gz``).
    columns : Columns
        Rows without a value of an attribute go to the group `names.UNKNOWN`.
    positive : str, optional
        The class whose decision is a selection; by default ``1`` (or true). Labels, decisions and
        this are compared as `classes.common_classes` says.
    multiclass : bool
        Count each class against the rest.
    memory : str
        What DuckDB may use before it writes to a temporary folder.
    dialect : Dialect
        How a CSV is written.
    max_order : int, optional
        Largest number of attributes that are crossed. A table of all attributes that may have more
        than `margins.WHOLE` cells is then counted by its combinations, in memory that does not
        depend on the rows; without, it is whole.
    most : int
        Largest number of groups of a combination, see `grouping.combined`.

    Raises
    ------
    DataError
        If the file is missing, empty or of another kind; if a column is missing, or has values that
        it may not have.
    """
    check_attributes(columns.attributes)
    with (
        tempfile.TemporaryDirectory(prefix="plumbline-") as spill,
        relations.connect(spill, memory) as base,
    ):
        relation = relations.relation_of(
            base, path, _roles(columns), numbers=("score", "weight"), dialect=dialect, spill=spill
        )
        # Cells of entities are as many as their rows, with any attributes.
        separate = max_order is not None and columns.entity is None
        separate = separate and not margins_of.fits(base, relation, columns.attributes)
        scores = _scores(
            base, relation, path, columns, score_bins.COARSE if separate else score_bins.fine()
        )

        def cells(attributes: tuple[str, ...], rows: str = relation, **keys: str) -> pd.DataFrame:
            asked = replace(columns, attributes=attributes)
            return _cells(base, rows, path, asked, keys, scores)

        found = cells(() if separate else columns.attributes)
        if found.empty:
            raise DataError(f"audit: {path.name} must have rows, got a header only")
        _check(path, found, columns)
        table = Reading.of(
            found, columns.attributes, positive, scores.edges, most,
            multiclass=multiclass, probabilities=scores.probabilities,
        )  # fmt: skip
        if max_order is None or not separate:
            return table.whole(found)
        margins = []
        for chosen in combinations(columns.attributes, max_order=max_order):
            rows, kept = margins_of.largest_groups(base, path, relation, chosen, most)
            own = cells((), rows, place=margins_of.PLACE) if len(kept) else cells(chosen)
            margins.append(table.margin(own, chosen, kept))
        return table.summed(found, margins)


def _roles(columns: Columns) -> Iterable[tuple[str, str]]:
    for role in ("label", "decision", "score", "weight", "entity"):
        if (column := getattr(columns, role)) is not None:
            yield role, column
    for name in columns.attributes:
        yield "attribute", name


def _scores(
    base: duckdb.DuckDBPyConnection, relation: str, path: Path, columns: Columns, bins: Bins
) -> _Scores:
    """Return what the scores are, and define `_BIN` where bins hold several of them.

    Raises
    ------
    DataError
        If a score is infinite or not a number.
    """
    if columns.score is None:
        return _Scores()
    score = relations.number(columns.score)
    ends = relations.ends(base, path, relation, score)
    if not np.isfinite(ends).all():
        worst = next(end for end in ends if not np.isfinite(end))
        raise DataError(
            f"audit: score {columns.score!r} must be finite in every row, got {worst}; leave such "
            "rows out"
        )
    low, high = ends
    kind = columns.probabilities and low >= 0 and high <= 1 + _ROUNDING
    bound = 1.0 if low >= 0 and high <= 1 + _ROUNDING else max(-low, high)
    if path.stat().st_size <= _SMALL_FILE:
        query = f"SELECT count(DISTINCT {score}) FROM {relation}"
        if base.execute(query).fetchall()[0][0] <= bins.exact:
            return _Scores(bound, kind)
    picked = relations.at_ranks(base, path, relation, score, bins.ranks)
    edges = score_bins.range_edges(
        picked if kind else [*picked, high], probabilities=kind, grid=bins.grid
    )
    relations.define(base, _BIN, lambda scores: score_bins.bins_of(scores, edges))
    return _Scores(bound, kind, edges)


def _cells(
    base: duckdb.DuckDBPyConnection,
    relation: str,
    path: Path,
    columns: Columns,
    keys: dict[str, str],
    scores: _Scores,
) -> pd.DataFrame:
    score = None if columns.score is None else relations.number(columns.score)
    weight = "1.0" if columns.weight is None else relations.number(columns.weight)
    keys |= margins_of.keys_of(columns.attributes)
    if columns.label is not None:
        keys["label"] = relations.quoted(columns.label)
    if columns.threshold is None:
        keys["decision"] = relations.quoted(str(columns.decision))
    else:
        keys["decision"] = f"{score} >= {float(columns.threshold)!r}"
    if score is not None:
        keys["bin"] = score if scores.edges is None else f"{_BIN}({score})"
    if columns.entity is not None:
        keys["entity"] = relations.quoted(columns.entity)
    aggregates, totals = {"n": "count(*)"}, {}
    if columns.weight is not None:
        totals = {
            "weight": relations.Total(weight),
            "weight2": relations.Total(f"{weight} * {weight}"),
        }
        aggregates["lowest_weight"] = f"min({weight})"
        aggregates["without_weight"] = f"count(*) - count({weight})"
    if score is not None:
        totals["score"] = (
            relations.Total(f"{weight} * {score}")
            if columns.weight
            else relations.Total(score, scores.bound)
        )
        aggregates["without_score"] = f"count(*) - count({score})"
    return relations.group(base, path, relation, keys, aggregates, totals)


def _check(path: Path, cells: pd.DataFrame, columns: Columns) -> None:
    for role in ("label", "decision", "entity"):
        if role in cells and (missing := int(cells.loc[cells[role].isna(), "n"].sum())):
            raise DataError(
                f"audit: {role} must be known in every row of {path.name}, got {missing} rows "
                "without; leave them out, or count them as an attribute"
            )
    for role in ("score", "weight"):
        if f"without_{role}" in cells and (missing := int(cells[f"without_{role}"].sum())):
            raise DataError(
                f"audit: {role} {getattr(columns, role)!r} must be a number in every row, got "
                f"{missing} rows without one"
            )
    if columns.weight is not None and not (low := float(cells["lowest_weight"].min())) >= 0:
        raise DataError(f"audit: weight {columns.weight!r} must be >= 0, got {low:g}")
