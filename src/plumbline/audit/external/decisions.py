"""From a file of decisions to its contingency table, by DuckDB, in bounded memory.

One pass of ``GROUP BY`` over a Parquet or CSV file of any length; only cells come into Python.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.audit.external import relations
from plumbline.errors import DataError
from plumbline.metrics.groups import contingency, score_bins
from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.groups.counting import group_text
from plumbline.table_files.dialect import PLAIN, Dialect

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# Files up to this size are looked at twice, to give each score a bin of its own.
_SMALL_FILE = 64 * 2**20
_MOST_CLASSES = 200
_BIN = "score_bin"  # function of SQL


@dataclass(frozen=True)
class Columns:
    """Which column of a file is what.

    Attributes
    ----------
    label, decision : str
        The truth and what was decided. With ``threshold`` it is "score >= threshold".
    attributes : tuple of str
    score, weight, entity : str, optional
        Probability of the positive class; how many each row stands for; whose row it is.
    threshold : float, optional
    """

    label: str
    attributes: tuple[str, ...]
    decision: str | None = None
    score: str | None = None
    weight: str | None = None
    entity: str | None = None
    threshold: float | None = None


def file_to_contingency(
    path: Path,
    columns: Columns,
    *,
    positive: str | None = None,
    multiclass: bool = False,
    memory: str = "2GB",
    dialect: Dialect = PLAIN,
) -> ContingencyTable:
    """Count a Parquet or CSV file.

    Parameters
    ----------
    path : Path
        Parquet if its name ends in ``.parquet`` or ``.pq``, else CSV (also ``.csv.gz``).
    columns : Columns
        Rows without a value of an attribute go to the group `names.UNKNOWN`.
    positive : str, optional
        The class whose decision is a selection; by default ``1`` (or true).
    multiclass : bool
        Count each class against the rest.
    memory : str
        What DuckDB may use before it writes to a temporary folder.
    dialect : Dialect
        How a CSV is written.

    Raises
    ------
    DataError
        If the file is missing, empty or of another kind; if a column is missing, or has values that
        it may not have.
    """
    if len(set(columns.attributes)) < max(len(columns.attributes), 1):
        raise DataError(
            f"audit: attributes must be one or more different columns, got {columns.attributes}"
        )
    with (
        tempfile.TemporaryDirectory(prefix="plumbline-") as spill,
        relations.connect(spill, memory) as base,
    ):
        relation = relations.relation_of(
            base, path, _roles(columns), numbers=("score", "weight"), dialect=dialect, spill=spill
        )
        edges = _edges(base, relation, path, columns)
        cells = _cells(base, relation, path, columns, ranges=edges is not None)
    return _contingency(path, cells, columns, positive, multiclass=multiclass, edges=edges)


def _roles(columns: Columns) -> Iterable[tuple[str, str]]:
    for role in ("label", "decision", "score", "weight", "entity"):
        if (column := getattr(columns, role)) is not None:
            yield role, column
    for name in columns.attributes:
        yield "attribute", name


def _edges(
    base: duckdb.DuckDBPyConnection, relation: str, path: Path, columns: Columns
) -> npt.NDArray[np.float64] | None:
    """Return the edges of score bins and define `_BIN`; None where each score is a bin."""
    if columns.score is None:
        return None
    score = relations.number(columns.score)
    if path.stat().st_size <= _SMALL_FILE:
        query = f"SELECT count(DISTINCT {score}) FROM {relation}"
        if base.execute(query).fetchall()[0][0] <= score_bins.EXACT:
            return None
    picked = relations.at_ranks(base, path, relation, score, score_bins.RANKS)
    edges = score_bins.range_edges(picked)
    relations.define(base, _BIN, lambda scores: score_bins.bins_of(scores, edges))
    return edges


def _cells(
    base: duckdb.DuckDBPyConnection, relation: str, path: Path, columns: Columns, *, ranges: bool
) -> pd.DataFrame:
    score = None if columns.score is None else relations.number(columns.score)
    weight = "1.0" if columns.weight is None else relations.number(columns.weight)
    keys = {f"a{i}": relations.quoted(name) for i, name in enumerate(columns.attributes)}
    keys["label"] = relations.quoted(columns.label)
    if columns.threshold is None:
        keys["decision"] = relations.quoted(str(columns.decision))
    else:
        keys["decision"] = f"{score} >= {float(columns.threshold)!r}"
    if score is not None:
        keys["bin"] = f"{_BIN}({score})" if ranges else score
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
            else relations.Total(score, 1.0)
        )
        aggregates["lowest_score"] = f"min({score})"
        aggregates["highest_score"] = f"max({score})"
        aggregates["without_score"] = f"count(*) - count({score})"
    return relations.group(base, path, relation, keys, aggregates, totals)


def _contingency(
    path: Path,
    cells: pd.DataFrame,
    columns: Columns,
    positive: str | None,
    *,
    multiclass: bool,
    edges: npt.NDArray[np.float64] | None,
) -> ContingencyTable:
    if cells.empty:
        raise DataError(f"audit: {path.name} must have rows, got a header only")
    _check(path, cells, columns)
    label, decision = (cells[side].map(_normal) for side in ("label", "decision"))
    classes, chosen = _classes(
        path, list(label.unique()), list(decision.unique()), positive, multiclass=multiclass
    )
    if columns.score is not None and chosen is None:
        raise DataError(
            "audit: score must be the probability of one of two classes, got --multiclass; leave "
            "the score out"
        )
    place = {name: code for code, name in enumerate(classes)}
    codes, values = np.zeros((len(cells), len(columns.attributes)), dtype=np.int64), []
    for i in range(len(columns.attributes)):
        named = cells[f"a{i}"].map(group_text)
        found = sorted(named.unique())
        codes[:, i] = np.searchsorted(np.array(found, dtype=object), named.to_numpy(dtype=object))
        values.append(tuple(found))
    bins, ranges = np.zeros(len(cells), dtype=np.int64), edges is not None
    if edges is not None:
        bins = cells["bin"].to_numpy(np.int64)
    elif columns.score is None:
        edges = np.empty(0)
    else:
        edges, inverse = np.unique(cells["bin"].to_numpy(np.float64), return_inverse=True)
        bins = inverse.astype(np.int64)
    cluster = np.zeros(len(cells), dtype=np.int64)
    if columns.entity is not None:
        cluster = np.unique(cells["entity"].to_numpy(dtype=str), return_inverse=True)[1]
    counted = ContingencyTable(
        attributes=columns.attributes,
        values=tuple(values),
        classes=classes,
        positive=chosen,
        edges=edges,
        codes=codes,
        true=np.array([place[name] for name in label], dtype=np.int64),
        decided=np.array([place[name] for name in decision], dtype=np.int64),
        bin=bins,
        cluster=cluster.astype(np.int64),
        n=cells["n"].to_numpy(np.int64),
        weight=cells["n" if columns.weight is None else "weight"].to_numpy(np.float64),
        weight2=cells["n" if columns.weight is None else "weight2"].to_numpy(np.float64),
        score=_score(cells),
        weighted=columns.weight is not None,
        clustered=columns.entity is not None,
        ranges=ranges,
    )
    return contingency.collapse(counted)


def _score(cells: pd.DataFrame) -> npt.NDArray[np.float64]:
    if "score" not in cells:
        return np.zeros(len(cells))
    return cells["score"].to_numpy(np.float64)


def _check(path: Path, cells: pd.DataFrame, columns: Columns) -> None:
    for role in ("label", "decision", "entity"):
        if role in cells and (missing := int(cells.loc[cells[role].isna(), "n"].sum())):
            raise DataError(
                f"audit: {role} must be known in every row of {path.name}, got {missing} rows "
                "without; leave them out, or count them as an attribute"
            )
    for role, highest in (("score", 1.0), ("weight", np.inf)):
        if f"without_{role}" not in cells:
            continue
        column = getattr(columns, role)
        if missing := int(cells[f"without_{role}"].sum()):
            raise DataError(
                f"audit: {role} {column!r} must be a number in every row, got {missing} rows "
                "without one"
            )
        low = float(cells[f"lowest_{role}"].min())
        high = float(cells["highest_score"].max()) if role == "score" else low
        if not (low >= 0 and high <= highest + 1e-9):
            rule = "in [0, 1]" if role == "score" else ">= 0"
            worst = low if low < 0 else high
            raise DataError(f"audit: {role} {column!r} must be {rule}, got {worst:g}")


def _classes(
    path: Path,
    labels: Sequence[str],
    decisions: Sequence[str],
    positive: str | None,
    *,
    multiclass: bool,
) -> tuple[tuple[str, ...], str | None]:
    """Return the classes and the positive one, None for many classes."""
    label, both = sorted(set(labels)), sorted({*labels, *decisions})
    if multiclass:
        if len(both) > _MOST_CLASSES:
            raise DataError(
                f"audit: label must have at most {_MOST_CLASSES} classes, got {len(both)}"
            )
        return tuple(both), None
    known = {"0", "1"} if set(both) <= {"0", "1"} else set(both)
    if len(known) > 2:
        what = "label" if len(label) > 2 else "label and decision together"
        values = label if len(label) > 2 else both
        shown = ", ".join(values[:5]) + (", …" if len(values) > 5 else "")
        raise DataError(
            f"audit: {what} must have two values, got {len(values)}: {shown}; add --multiclass to "
            "count each class against the rest"
        )
    chosen = "1" if positive is None else _normal(positive)
    if chosen not in known:
        raise DataError(
            f"audit: the favourable value must be one of {sorted(known)}, got "
            f"{'none' if positive is None else repr(positive)}; name it with --favourable"
        )
    other = sorted(known - {chosen}) or [f"not {chosen}"]
    return (other[0], chosen), chosen


def _normal(value: Any) -> str:
    """Return the text of a label: 1.0 and true are 1, as they are in other files."""
    shown = str(value).strip()
    if shown.lower() in ("true", "false"):
        return "1" if shown.lower() == "true" else "0"
    try:
        amount = float(shown)
    except ValueError:
        return shown
    return str(int(amount)) if amount.is_integer() else shown
