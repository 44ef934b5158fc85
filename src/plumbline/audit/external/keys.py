"""Columns that rows are grouped by: as text, and as categories that are kept once each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plumbline.errors import DataError

if TYPE_CHECKING:
    import duckdb


def check_attributes(attributes: Sequence[str]) -> None:
    """Check that there are columns to group by, none of them twice.

    Raises
    ------
    DataError
    """
    if len(set(attributes)) < max(len(attributes), 1):
        raise DataError(
            f"audit: attributes must be one or more different columns, got {list(attributes)}; "
            "name them by --attributes or --attribute"
        )


def category(base: duckdb.DuckDBPyConnection, key: str) -> str:
    """Return the SQL of a key of the cells as a category, and make its type."""
    text = key_text(base, "cells", key)
    distinct = f"SELECT DISTINCT {text} AS x FROM cells WHERE {key} IS NOT NULL ORDER BY x"
    if base.execute(f"SELECT count({key}) FROM cells").fetchall()[0][0] == 0:
        return f"CAST({key} AS VARCHAR)"
    base.execute(f"DROP TYPE IF EXISTS {key}_values")
    base.execute(f"CREATE TYPE {key}_values AS ENUM ({distinct})")
    return f"CAST({text} AS {key}_values)"


def key_text(base: duckdb.DuckDBPyConnection, table: str, key: str) -> str:
    """Return the SQL of a key of a table as text: 1, not 1.0, where all its numbers are whole."""
    described = base.execute(f"DESCRIBE SELECT {key} FROM {table}").fetchall()
    if described[0][1] in ("FLOAT", "DOUBLE"):
        whole = f"{key} = trunc({key}) AND abs({key}) < {2**53}"
        if base.execute(f"SELECT bool_and({whole}) FROM {table}").fetchall()[0][0]:
            return f"CAST(CAST({key} AS BIGINT) AS VARCHAR)"
    return f"CAST({key} AS VARCHAR)"
