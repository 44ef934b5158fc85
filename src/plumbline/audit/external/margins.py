"""The largest groups of a combination of columns, found by DuckDB whatever values occur."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.audit.external import relations
from plumbline.audit.external.keys import key_text
from plumbline.errors import DataError
from plumbline.metrics.groups.counting import group_text
from plumbline.metrics.groups.grouping import intersection_label, pooled_label

if TYPE_CHECKING:
    import duckdb

WHOLE = 2**22  # cells of a table that is kept whole
PLACE = '"place of the group"'  # SQL of a column that no file is likely to have


def keys_of(columns: Sequence[str]) -> dict[str, str]:
    """Return the SQL of columns by the names that they have as keys of cells."""
    return {f"a{i}": relations.quoted(name) for i, name in enumerate(columns)}


def fits(base: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]) -> bool:
    """Return whether rows grouped by columns, label and decision make at most `WHOLE` cells."""
    cells = base.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
    if cells <= WHOLE:
        return True
    most = 4
    for name in columns:
        distinct = f"SELECT DISTINCT {relations.quoted(name)} FROM {relation}"
        most *= base.execute(f"SELECT count(*) FROM ({distinct})").fetchall()[0][0]
    return most <= WHOLE


def largest_groups(
    base: duckdb.DuckDBPyConnection,
    path: Path,
    relation: str,
    columns: Sequence[str],
    most: int,
) -> tuple[str, list[str]]:
    """Return rows with the place of their group, and the groups, if they are more than ``most``.

    The largest groups stand by themselves, of equal ones the first in sorted order; the others are
    one group, which is the last of ``most``.

    Returns
    -------
    relation : str
        SQL of the rows, with a column `PLACE`.
    groups : list of str
        In sorted order; empty where there are no more than ``most``, and then the rows have no
        place.

    Raises
    ------
    DataError
        If the file cannot be read to its end.
    """
    import duckdb

    keys = [f"k{i}" for i in range(len(columns))]
    selected = ", ".join(
        f"{relations.quoted(column)} AS {key}" for key, column in zip(keys, columns, strict=True)
    )
    try:
        base.execute(
            f"CREATE OR REPLACE TEMP TABLE sizes AS SELECT {selected}, count(*) AS n "
            f"FROM {relation} GROUP BY ALL"
        )
        count = base.execute("SELECT count(*) FROM sizes").fetchall()[0][0]
        if count <= most:
            return relation, []
        texts = [key_text(base, "sizes", key) for key in keys]
        place = f"row_number() OVER (ORDER BY n DESC, {', '.join(texts)}) - 1"
        base.execute(
            f"CREATE OR REPLACE TEMP TABLE kept AS SELECT *, {place} AS rank FROM "
            f"(SELECT * FROM sizes ORDER BY n DESC, {', '.join(texts)} LIMIT {most - 1})"
        )
        base.execute("DROP TABLE sizes")
        found = base.execute(f"SELECT {', '.join(texts)} FROM kept ORDER BY rank").fetchall()
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"audit: {path.name} must be readable to its end, got {line}") from error
    groups = [tuple(map(group_text, row)) for row in found]
    labels = sorted(set(groups))
    numbered = ", ".join(f"({rank}, {labels.index(group)})" for rank, group in enumerate(groups))
    same = " AND ".join(
        f"r.{relations.quoted(column)} IS NOT DISTINCT FROM k.{key}"
        for key, column in zip(keys, columns, strict=True)
    )
    joined = (
        f"(SELECT r.*, coalesce(p.number, {len(labels)}) AS {PLACE} FROM {relation} AS r "
        f"LEFT JOIN kept AS k ON {same} "
        f"LEFT JOIN (VALUES {numbered}) AS p(rank, number) ON k.rank = p.rank)"
    )
    return joined, [*map(intersection_label, labels), pooled_label(count - most + 1)]
