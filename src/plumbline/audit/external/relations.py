"""Tables as relations of DuckDB, and sums over their rows by group.

DuckDB reads Parquet alone: a CSV is staged by `plumbline.table_files`, which guesses nothing but
the delimiter. Paths and names of columns come from people: they are quoted or encoded.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import names, table_files
from plumbline.audit.external.keys import category
from plumbline.errors import DataError
from plumbline.table_files import Dialect

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_MOST_CELLS = 20_000_000
CODES = ("bin", "place")  # keys that are numbers


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
    base: duckdb.DuckDBPyConnection,
    path: Path,
    roles: Iterable[tuple[str, str]],
    *,
    numbers: Collection[str],
    dialect: Dialect,
    spill: str,
) -> str:
    """Return the SQL of a file as a table of the columns in use, see `quoted` and `number`.

    Where a floating-point column is grouped by, not-a-number is null: it stands for a missing value
    in files that pandas did not write. In columns of text, ``nan`` is a text.

    Parameters
    ----------
    base : DuckDBPyConnection
    path : Path
        A table of any format of `plumbline.table_files`.
    roles : iterable of (str, str)
        Role and column.
    numbers : collection of str
        Roles whose columns are numbers; the others are grouped by.
    dialect : Dialect
        Of a CSV.
    spill : str
        Folder for the columns of a CSV, as Parquet.

    Raises
    ------
    DataError
        If the file is missing, empty, of another kind, damaged, or lacks a column; if a text is
        no number where one must be.
    """
    import duckdb

    wanted = list(roles)
    header = table_files.read_header(path, dialect, where="audit")
    for role, column in wanted:
        if column not in header:
            raise DataError(
                f"audit: {role} must be a column of {path.name}, got {column!r}; it has "
                f"{list(header)}"
            )
        if role == "attribute" and (column == names.OVERALL or names.INTERSECTION in column):
            raise DataError(
                f"audit: an attribute must not be named {column!r}, which stands for all rows or "
                "for an intersection; rename the column"
            )
    keys = list(dict.fromkeys(column for role, column in wanted if role not in numbers))
    counted = list(dict.fromkeys(column for role, column in wanted if role in numbers))
    # By a link: DuckDB takes *, ? and [ of a path for a pattern, and a folder a=1 for a column.
    stored = Path(tempfile.mkdtemp(dir=spill)) / "table.parquet"
    stored.symlink_to(path.resolve())
    places = [header.index(column) for column in (*keys, *counted)]
    if not table_files.is_plain_parquet(path, keys, counted, where="audit"):
        stored, places = Path(spill) / "columns.parquet", list(range(len(keys) + len(counted)))
        table_files.stage(path, stored, dialect, keys, where="audit", as_numbers=counted)
    source = "read_parquet(" + "'" + str(stored).replace("'", "''") + "')"
    try:
        described = base.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"audit: {path.name} must be a readable table, got {line}") from error
    # By place: names that differ by capitals only are one name to SQL, which renames the second.
    found = [(_identifier(described[place][0]), described[place][1]) for place in places]
    selected = [
        f"{_without_nan(*column)} AS {quoted(name)}"
        for name, column in zip(keys, found[: len(keys)], strict=True)
    ] + [
        f"TRY_CAST({sql} AS DOUBLE) AS {number(name)}"
        for name, (sql, _) in zip(counted, found[len(keys) :], strict=True)
    ]
    return f"(SELECT {', '.join(selected)} FROM {source})"


def _without_nan(sql: str, kind: str) -> str:
    # As text: DuckDB 2.0 takes isnan() for false where the file's statistics, which leave
    # not-a-number out, give a column a largest number.
    if kind not in ("FLOAT", "DOUBLE"):
        return sql
    return f"CASE WHEN CAST({sql} AS VARCHAR) = 'nan' THEN NULL ELSE {sql} END"


@dataclass(frozen=True)
class Total:
    """A sum of numbers, as SQL of one of them; ``bound``: the largest magnitude, if known."""

    sql: str
    bound: float | None = None


def group(
    base: duckdb.DuckDBPyConnection,
    path: Path,
    relation: str,
    keys: dict[str, str],
    aggregates: dict[str, str],
    totals: dict[str, Total],
) -> pd.DataFrame:
    """Return one row per combination of keys, as categories of their texts, in their order.

    Keys named in `CODES` stay numbers. Totals are the same whatever the order of the rows:
    numbers are added up as multiples of 2**-62 of a power of two that none of them exceeds, which
    for numbers of one magnitude is all their digits.

    Parameters
    ----------
    keys, aggregates : dict of str
        SQL by name.
    totals : dict of Total
        Sums by name; without a bound the file is read once more, for the largest.

    Raises
    ------
    DataError
        If there are too many combinations for an audit, a number is infinite or not one, or the
        file cannot be read to its end.
    """
    import duckdb

    try:
        sums = {
            name: f"CAST(sum(TRY_CAST(round(({total.sql}) * {2.0**bits!r}) AS BIGINT)) AS DOUBLE) "
            f"* {2.0**-bits!r}"
            for (name, total), bits in zip(
                totals.items(), _bits(base, path, relation, list(totals.values())), strict=True
            )
        }
        selected = ", ".join(f"{sql} AS {name}" for name, sql in (keys | aggregates | sums).items())
        places = ", ".join(map(str, range(1, len(keys) + 1)))
        by = f"GROUP BY {places}" if keys else ""
        base.execute(
            f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {selected} FROM {relation} {by}"
        )
        count = base.execute("SELECT count(*) FROM cells").fetchall()[0][0]
        if count > _MOST_CELLS:
            raise DataError(
                f"audit: columns of {path.name} must make at most {_MOST_CELLS:,} cells, got "
                f"{count:,}; an attribute has too many values: band it"
            )
        # Keys are grouped as they are stored, which is faster than as text.
        shown = ", ".join(f"{category(base, name)} AS {name}" for name in keys if name not in CODES)
        replaced = f"* REPLACE ({shown})" if shown else "*"
        order = f"ORDER BY {places}" if keys else ""
        return base.execute(f"SELECT {replaced} FROM cells {order}").df()
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"audit: {path.name} must be readable to its end, got {line}") from error


def ends(
    base: duckdb.DuckDBPyConnection, path: Path, relation: str, number: str
) -> tuple[float, float]:
    """Return the lowest and the highest number of a column, 0 and 0 of none; NaN is the highest.

    Raises
    ------
    DataError
        If the file cannot be read to its end.
    """
    import duckdb

    try:
        query = f"SELECT min({number}), max({number}) FROM {relation}"
        low, high = base.execute(query).fetchall()[0]
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"audit: {path.name} must be readable to its end, got {line}") from error
    return (0.0, 0.0) if low is None else (float(low), float(high))


def at_ranks(
    base: duckdb.DuckDBPyConnection, path: Path, relation: str, number: str, parts: int
) -> list[float]:
    """Return the first number of each of ``parts`` equal parts of the sorted numbers, unordered.

    DuckDB sorts in bounded memory.

    Raises
    ------
    DataError
        If the file cannot be read to its end.
    """
    import duckdb

    try:
        n = base.execute(f"SELECT count({number}) FROM {relation}").fetchall()[0][0]
        numbered = (
            f"SELECT x, row_number() OVER (ORDER BY x) - 1 AS place "
            f"FROM (SELECT {number} AS x FROM {relation}) WHERE x IS NOT NULL"
        )
        part = f"(CAST(place AS HUGEINT) * {parts}) // {n}"
        before = f"(CAST(place - 1 AS HUGEINT) * {parts}) // {n}"
        query = f"SELECT x FROM ({numbered}) WHERE place = 0 OR {part} > {before}"
        return [row[0] for row in base.execute(query).fetchall()]
    except duckdb.Error as error:
        line = str(error).strip().splitlines()[0]
        raise DataError(f"audit: {path.name} must be readable to its end, got {line}") from error


def define(
    base: duckdb.DuckDBPyConnection, name: str, function: Callable[[Any], npt.NDArray[Any]]
) -> None:
    """Make a function of arrays of numbers that gives integers known to SQL; null stays null."""
    import pyarrow as pa
    from duckdb import func

    def on_arrow(values: Any) -> Any:
        return pa.array(function(np.asarray(values)))

    base.create_function(name, on_arrow, ["DOUBLE"], "BIGINT", type=func.ARROW)


def _bits(
    base: duckdb.DuckDBPyConnection, path: Path, relation: str, totals: Sequence[Total]
) -> list[int]:
    """Return for each total the power of two by which its numbers fill 62 bits."""
    unknown = [total for total in totals if total.bound is None]
    found: list[float] = []
    if unknown:
        largest = ", ".join(f"max(abs({total.sql}))" for total in unknown)
        found = [x or 0.0 for x in base.execute(f"SELECT {largest} FROM {relation}").fetchall()[0]]
    if not all(map(math.isfinite, found)):
        raise DataError(
            f"audit: numbers of {path.name} must be finite, got {max(found, key=abs)}; leave such "
            "rows out"
        )
    rest = iter(found)
    bounds = [next(rest) if total.bound is None else total.bound for total in totals]
    # Beyond 2**1000 the factor is no number any more; numbers so small add up to nothing.
    return [min(62 - math.frexp(bound)[1], 1000) for bound in bounds]


def quoted(column: str) -> str:
    """Return the SQL of a column that is grouped by, whatever letters its name has."""
    return f"text_{column.encode().hex()}"


def number(column: str) -> str:
    """Return the SQL of a column of numbers, null where it is none."""
    return f"number_{column.encode().hex()}"


def _identifier(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
