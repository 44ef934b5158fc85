"""Tables of any format staged as Parquet, or read as text."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.errors import DataError
from plumbline.table_files import formats, numbers, parquet
from plumbline.table_files.dialect import PLAIN, Dialect

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagedTable:
    """A Parquet file that holds columns of a table.

    Attributes
    ----------
    path : Path
        Columns are named ``c0``, ``c1``, …, and as numbers ``n0``, ``n1``, …: two names of a table
        may differ by capitals only, which are one name to SQL.
    columns : tuple of str
        Their names in the table, in this order. A CSV's are text.
    numbers : tuple of str
        Names of the columns that are stored as numbers, in this order.
    rows : int
    delimiter : str or None
        Of a CSV.
    """

    path: Path
    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    rows: int
    delimiter: str | None

    def stored(self, name: str) -> str:
        """Return the name of a column in the Parquet file."""
        return f"c{self.columns.index(name)}"

    def stored_number(self, name: str) -> str:
        """Return the name of a column of numbers in the Parquet file."""
        return f"n{self.numbers.index(name)}"


def read_header(path: Path, dialect: Dialect = PLAIN, *, where: str) -> tuple[str, ...]:
    """Return the names of the columns of a table.

    Raises
    ------
    DataError
        If the file is missing, empty, of a format that is not read, or has two columns of a name.
    """
    if formats.format_of(path, where=where) == formats.PARQUET:
        return tuple(parquet.schema_of(path, where=where).names)
    from plumbline.table_files import delimited

    return delimited.layout_of(path, dialect, where=where).names


def is_plain_parquet(
    path: Path, columns: Sequence[str], as_numbers: Sequence[str], *, where: str
) -> bool:
    """Return whether a table is Parquet that can be used as it is, without staging.

    It has no bytes among its columns and no text among those that are numbers.

    Raises
    ------
    DataError
        If the file is of a format that is not read, or a column of a type that is not.
    """
    import pyarrow as pa

    if formats.format_of(path, where=where) != formats.PARQUET:
        return False
    schema = parquet.schema_of(path, where=where)
    parquet.check_types(schema, [*columns, *as_numbers], where=where)
    kinds = {name: schema.field(name).type for name in (*columns, *as_numbers)}
    text = {name for name, kind in kinds.items() if pa.types.is_string(parquet.plain_type(kind))}
    as_bytes = {name for name in text if "binary" in str(kinds[name])}
    return not as_bytes and not text & set(as_numbers)


def read_batches(
    path: Path, dialect: Dialect = PLAIN, columns: Sequence[str] | None = None, *, where: str
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
    path: Path, dialect: Dialect = PLAIN, columns: Sequence[str] | None = None, *, where: str
) -> pd.DataFrame:
    """Return columns of a table that fits into memory as text, see `read_batches`.

    Missing values are None.
    """
    import pandas as pd
    import pyarrow as pa

    names, _, batches = _open(path, dialect, columns, where)
    found = [pa.Table.from_batches([batch]) for batch in batches]
    if not found:
        return pd.DataFrame(columns=list(names), dtype=object)
    whole = pa.concat_tables(found)
    text = {name: whole[name].cast(pa.string()).to_pylist() for name in names}
    return pd.DataFrame(text, dtype=object)


def stage(
    path: Path,
    target: Path,
    dialect: Dialect = PLAIN,
    columns: Sequence[str] | None = None,
    *,
    where: str,
    as_numbers: Sequence[str] = (),
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
    as_numbers : sequence of str
        Columns that are stored as float64, whether they are among ``columns`` or not. ``nan`` is a
        missing value in them.

    Raises
    ------
    DataError
        As `read_batches`; if a value of a column of ``as_numbers`` is no number.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    counted = tuple(dict.fromkeys(as_numbers))
    wanted = None if columns is None else [*columns, *counted]
    names, delimiter, batches = _open(path, dialect, wanted, where)
    kept = names if columns is None else tuple(dict.fromkeys(columns))
    stored = [f"c{i}" for i in range(len(kept))] + [f"n{i}" for i in range(len(counted))]
    rows, writer = 0, None
    try:
        for batch in batches:
            arrays = [batch.column(name) for name in kept]
            arrays += [_numbers(batch.column(n), n, rows, dialect, where) for n in counted]
            ready = pa.record_batch(arrays, names=stored)
            if writer is None:
                writer = parquet.scratch_writer(target, ready.schema)
            writer.write_batch(ready)
            rows += ready.num_rows
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        types = [pa.string()] * len(kept) + [pa.float64()] * len(counted)
        pq.write_table(pa.schema(zip(stored, types, strict=True)).empty_table(), target)
    return StagedTable(target, kept, counted, rows, delimiter)


def _numbers(column: Any, name: str, before: int, dialect: Dialect, where: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(column.type):
        return pc.cast(column, pa.float64(), safe=False)
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
    from plumbline.table_files import delimited  # NumPy, which the shell of a stage does without

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
    known = set(header)
    if absent := [name for name in wanted if name not in known]:
        raise DataError(
            f"{where}: columns of {path.name} must include {absent}, got {list(header)[:30]}; "
            "names are case-sensitive"
        )
    return wanted
