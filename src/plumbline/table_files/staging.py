"""Tables of any format staged as Parquet, or read as text."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.errors import DataError
from plumbline.table_files import delimited, formats, numbers, parquet
from plumbline.table_files.dialect import Dialect

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
_PLAIN = Dialect()


@dataclass(frozen=True)
class StagedTable:
    """A Parquet file that holds columns of a table.

    Attributes
    ----------
    path : Path
        The columns are named ``c0``, ``c1``, …: two names of a table may differ by capitals only,
        which are one name to SQL.
    columns : tuple of str
        Their names in the table, in this order.
    types : tuple of pyarrow.DataType
        String for the columns of a CSV, float64 for those read as numbers, plain types of Parquet.
    rows : int
    delimiter : str or None
        Of a CSV.
    """

    path: Path
    columns: tuple[str, ...]
    types: tuple[Any, ...]
    rows: int
    delimiter: str | None

    def stored(self, name: str) -> str:
        """Return the name of a column in the Parquet file."""
        return f"c{self.columns.index(name)}"


def read_header(path: Path, dialect: Dialect = _PLAIN, *, where: str) -> tuple[str, ...]:
    """Return the names of the columns of a table.

    Raises
    ------
    DataError
        If the file is missing, empty, of a format that is not read, or has two columns of a name.
    """
    if formats.format_of(path, where=where) == formats.PARQUET:
        return tuple(parquet.schema_of(path, where=where).names)
    return delimited.layout_of(path, dialect, where=where).names


def read_batches(
    path: Path, dialect: Dialect = _PLAIN, columns: Sequence[str] | None = None, *, where: str
) -> Iterator[Any]:
    """Yield columns of a table as Arrow record batches, in the order of its rows.

    Parameters
    ----------
    path : Path
    dialect : Dialect
        Of a CSV.
    columns : sequence of str, optional
        Different names; all by default.
    where : str
        Prefix of error messages.

    Yields
    ------
    pyarrow.RecordBatch
        String columns of a CSV, plain types of Parquet. Missing values are null.

    Raises
    ------
    DataError
        If the file is no such table, a column is missing or has no name, or rows are damaged.
    """
    _, _, batches = _open(path, dialect, columns, where)
    yield from batches


def read_frame(
    path: Path, dialect: Dialect = _PLAIN, columns: Sequence[str] | None = None, *, where: str
) -> pd.DataFrame:
    """Return columns of a table that fits into memory, see `read_batches`."""
    import pandas as pd
    import pyarrow as pa

    names, _, batches = _open(path, dialect, columns, where)
    found = list(batches)
    if not found:
        return pd.DataFrame(columns=list(names), dtype=object)
    table: pd.DataFrame = pa.Table.from_batches(found).to_pandas()
    return table


def stage(
    path: Path,
    target: Path,
    dialect: Dialect = _PLAIN,
    columns: Sequence[str] | None = None,
    *,
    where: str,
    as_numbers: Collection[str] = (),
) -> StagedTable:
    """Write columns of a table to a Parquet file, streamed.

    Parameters
    ----------
    path : Path
        See `formats.format_of`.
    target : Path
        The Parquet file to write.
    dialect, columns, where
        As of `read_batches`.
    as_numbers : collection of str
        Columns of text that are read as numbers.

    Raises
    ------
    DataError
        As `read_batches`; if a value of a column of ``as_numbers`` is no number.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, delimiter, batches = _open(path, dialect, columns, where)
    writer, rows = None, 0
    types: tuple[Any, ...] = ()
    try:
        for batch in batches:
            arrays = [batch.column(i) for i in range(len(names))]
            for i, name in enumerate(names):
                if name in as_numbers and pa.types.is_string(arrays[i].type):
                    arrays[i] = _numbers(arrays[i], name, rows, dialect, where)
            stored = pa.record_batch(arrays, names=[f"c{i}" for i in range(len(names))])
            if writer is None:
                types = tuple(stored.schema.types)
                writer = pq.ParquetWriter(target, stored.schema, compression="lz4")
            writer.write_batch(stored)
            rows += stored.num_rows
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        types = tuple(pa.float64() if name in as_numbers else pa.string() for name in names)
        empty = pa.schema([(f"c{i}", kind) for i, kind in enumerate(types)])
        pq.write_table(empty.empty_table(), target)
    return StagedTable(target, names, types, rows, delimiter)


def _numbers(column: Any, name: str, before: int, dialect: Dialect, where: str) -> Any:
    import pyarrow.compute as pc

    found, wrong = numbers.parse_numbers(column, dialect)
    place = pc.index(wrong, True).as_py()
    if place >= 0:
        raise DataError(
            f"{where}: column {name!r} must be a number in every row, got {column[place].as_py()!r}"
            f" in row {before + place + 1}; correct it, or declare the decimal and thousands signs"
        )
    return found


def _open(
    path: Path, dialect: Dialect, columns: Sequence[str] | None, where: str
) -> tuple[tuple[str, ...], str | None, Iterator[Any]]:
    """Return the names of the wanted columns, the delimiter, and their batches."""
    if formats.format_of(path, where=where) == formats.PARQUET:
        schema = parquet.schema_of(path, where=where)
        chosen = _chosen(path, tuple(schema.names), columns, where)
        parquet.check_types(schema, chosen, where=where)
        return chosen, None, parquet.plain_batches(path, chosen, where=where)
    layout = delimited.layout_of(path, dialect, where=where)
    chosen = _chosen(path, layout.names, columns, where)
    log.info("%s: delimiter %r, %s", path.name, layout.delimiter, layout.encoding)
    batches = delimited.text_batches(path, dialect, layout, chosen, where=where)
    return chosen, layout.delimiter, batches


def _chosen(
    path: Path, header: Sequence[str], columns: Sequence[str] | None, where: str
) -> tuple[str, ...]:
    wanted = tuple(header if columns is None else dict.fromkeys(columns))
    nameless = [str(number) for number, name in enumerate(header, 1) if not name.strip()]
    if nameless and any(not name.strip() for name in wanted):
        raise DataError(
            f"{where}: every column of {path.name} must have a name, got none for column "
            f"{', '.join(nameless)}; name it, or write the table without its index"
        )
    if absent := [name for name in wanted if name not in header]:
        raise DataError(
            f"{where}: columns of {path.name} must include {absent}, got {list(header)[:30]}; "
            "names are case-sensitive"
        )
    return wanted
