"""CSV and Parquet files as typed columns, streamed: a file may be larger than memory.

Every column's type is declared, or inferred, see `plumbline.data.tables.inference`. The typed
columns are staged as Parquet, which can be read column by column.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline.data.tables.inference import CATEGORY, DATE, NUMBER, cast_column, infer_kind
from plumbline.errors import DataError
from plumbline.table_files import Dialect, StagedTable, read_header, stage
from plumbline.table_files.parquet import BATCH, scratch_writer

__all__ = ["CATEGORY", "DATE", "NUMBER", "stage_table"]


def stage_table(
    path: Path,
    staged: Path,
    *,
    where: str,
    types: Mapping[str, str],
    text_columns: Collection[str],
    needed: Sequence[str],
    wanted: Sequence[str] | None,
    dialect: Dialect,
) -> dict[str, str]:
    """Write the wanted columns of a file as typed Parquet and return their types by name.

    Parameters
    ----------
    path : Path
        A table of any format that `plumbline.table_files` reads.
    staged : Path
        Where the typed columns go: float64, string or timestamp in microseconds, with nulls.
    where : str
        Prefix of error messages.
    types : mapping of str to str
        Declared types; the others are inferred.
    text_columns : collection of str
        Columns that stay text unless declared: labels, groups, entities.
    needed : sequence of str
        Columns that must be there.
    wanted : sequence of str or None
        Columns to stage; None for all.
    dialect : Dialect
        How a CSV is written.

    Raises
    ------
    DataError
        If the file is no such table, a column is missing or named twice, or a value is not of its
        declared type.
    """
    header = read_header(path, dialect, where=where)
    _check_header(header, where, [*needed, *(wanted or []), *types, *text_columns])
    plain = staged.with_name("plain.parquet")
    table = stage(path, plain, dialect, wanted, where=where)
    if table.rows == 0:
        raise DataError(f"{where}: {path.name} must have a row, got none")
    declared = {**dict.fromkeys(text_columns, CATEGORY), **types}
    kinds = {
        name: declared.get(name) or infer_kind(table, name, dialect, where=where)
        for name in table.columns
    }
    _write(table, staged, kinds, dialect, where)
    plain.unlink()
    return kinds


def _check_header(header: Collection[str], where: str, asked: Sequence[str]) -> None:
    known = set(header)
    if absent := [name for name in dict.fromkeys(asked) if name not in known]:
        raise DataError(
            f"{where}: columns must include {absent}, got {list(header)[:30]}; "
            "names are case-sensitive"
        )


def _write(
    table: StagedTable, staged: Path, kinds: Mapping[str, str], dialect: Dialect, where: str
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {NUMBER: pa.float64(), CATEGORY: pa.string(), DATE: pa.timestamp("us")}
    schema = pa.schema([(name, arrow[kind]) for name, kind in kinds.items()])
    with pq.ParquetFile(table.path) as plain, scratch_writer(staged, schema) as writer:
        for batch in plain.iter_batches(batch_size=BATCH):
            columns: list[Any] = []
            for name, kind in kinds.items():
                try:
                    columns.append(cast_column(batch.column(table.stored(name)), kind, dialect))
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    got = " ".join(str(error).split())
                    raise DataError(
                        f"{where}: column {name!r} must be {kind} as declared, got: {got}"
                    ) from error
            writer.write_batch(pa.record_batch(columns, schema=schema))
