"""CSV and Parquet files as relations of DuckDB, and sums over their rows by group.

Paths and names of columns come from people: they are quoted, never pasted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_MOST_CELLS = 20_000_000


def connect(spill: str, memory: str) -> duckdb.DuckDBPyConnection:
    """Return a database in memory that spills to a folder and fetches nothing."""
    import duckdb

    # Nothing is fetched from the network for a file that asks for it.
    settings: dict[str, Any] = {
        "memory_limit": memory,
        "temp_directory": spill,
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(":memory:", config=settings)


def relation_of(
    base: duckdb.DuckDBPyConnection, path: Path, roles: Iterable[tuple[str, str]]
) -> str:
    """Return the SQL of a file as a table, after a look for its columns, ``(role, column)``.

    Raises
    ------
    DataError
        If the file is missing, empty, of another kind, or lacks a column.
    """
    import duckdb

    if not path.is_file():
        raise DataError(f"audit: file must exist, got none at {path}; check the path")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    name = "'" + str(path).replace("'", "''") + "'"
    if suffixes[-1:] in ([".parquet"], [".pq"]):
        relation = f"read_parquet({name})"
    elif {".csv", ".tsv"} & set(suffixes[-2:]):
        relation = f"read_csv({name}, all_varchar=true, header=true)"
    else:
        raise DataError(
            f"audit: file must be .parquet, .csv or .tsv, got {path.name}; convert or rename it"
        )
    if not path.stat().st_size:
        raise DataError(f"audit: {path.name} must have rows, got an empty file")
    try:
        found = [row[0] for row in base.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(
            f"audit: {path.name} must be a readable {suffixes[-1][1:]} file, got {line}"
        ) from error
    for role, column in roles:
        if column not in found:
            raise DataError(
                f"audit: {role} must be a column of {path.name}, got {column!r}; it has {found}"
            )
    return relation


def group(
    base: duckdb.DuckDBPyConnection,
    path: Path,
    relation: str,
    keys: dict[str, str],
    sums: dict[str, str],
) -> pd.DataFrame:
    """Return one row per combination of keys, as text; ``keys`` and ``sums`` are SQL by name.

    Only a key named ``bin`` stays a number.

    Raises
    ------
    DataError
        If there are too many combinations for an audit, or the file cannot be read to its end.
    """
    import duckdb

    selected = ", ".join(f"{sql} AS {name}" for name, sql in (keys | sums).items())
    try:
        base.execute(
            f"CREATE TEMP TABLE cells AS SELECT {selected} FROM {relation} "
            f"GROUP BY {', '.join(map(str, range(1, len(keys) + 1)))}"
        )
        count = base.execute("SELECT count(*) FROM cells").fetchall()[0][0]
        if count > _MOST_CELLS:
            raise DataError(
                f"audit: columns of {path.name} must make at most {_MOST_CELLS:,} cells, got "
                f"{count:,}; an attribute has too many values: band it"
            )
        # Keys are grouped as they are stored, which is faster than as text.
        shown = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in keys if name != "bin")
        return base.execute(f"SELECT * REPLACE ({shown}) FROM cells").df()
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"audit: {path.name} must be readable to its end, got {line}") from error


def quoted(column: str) -> str:
    """Return the SQL of a column's name, whatever letters it has."""
    return '"' + column.replace('"', '""') + '"'


def number(column: str) -> str:
    """Return the SQL of a column as a number, null where it is none."""
    return f"TRY_CAST({quoted(column)} AS DOUBLE)"


def attribute(value: Any) -> str:
    """Return the text of an attribute's value, `names.UNKNOWN` for none."""
    shown = "" if value is None or value != value else str(value).strip()
    return shown or names.UNKNOWN
