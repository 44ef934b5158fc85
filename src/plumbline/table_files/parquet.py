"""Parquet files as batches of columns with plain types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from plumbline.errors import DataError
from plumbline.table_files import detect

BATCH = 65_536  # rows


def schema_of(path: Path, *, where: str) -> Any:
    """Return the Arrow schema of a Parquet file.

    Raises
    ------
    DataError
        If it is no Parquet file, or two columns have one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error, where) from error
    if (twice := detect.duplicate(schema.names)) is not None:
        raise DataError(
            f"{where}: columns of {path.name} must have different names, got {twice}; rename them"
        )
    return schema


def check_types(schema: Any, columns: Sequence[str], *, where: str) -> None:
    """Check that columns hold numbers, text, dates or truth values.

    Raises
    ------
    DataError
        If one is nested or of a type without values to compare.
    """
    for name in columns:
        kind = plain_type(schema.field(name).type)
        if kind is None:
            raise DataError(
                f"{where}: column {name!r} must hold numbers, text or dates, got "
                f"{schema.field(name).type}; write it as columns of its own, or leave it out"
            )


def plain_type(kind: Any) -> Any:
    """Return the type that a column is read as, None for one that is not read.

    A dictionary is read as its values; every kind of text is one, and so are bytes.
    """
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return plain_type(kind.value_type)
    text = (
        types.is_string, types.is_large_string, types.is_string_view, types.is_null,
        types.is_binary, types.is_large_binary, types.is_binary_view,
    )  # fmt: skip
    if any(check(kind) for check in text):
        return pa.string()
    simple = (
        types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_date,
        types.is_timestamp, types.is_time,
    )  # fmt: skip
    return kind if any(check(kind) for check in simple) else None


def plain_batches(path: Path, columns: Sequence[str], *, where: str) -> Iterator[Any]:
    """Yield columns as record batches of `plain_type`, without NaN: it is a missing value.

    Raises
    ------
    DataError
        If the file cannot be read to its end.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH, columns=list(columns)):
                kept = [_plain(batch.column(name)) for name in columns]
                yield pa.record_batch(kept, names=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error, where) from error


def _plain(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = column.cast(plain_type(column.type))
    if not pa.types.is_floating(plain.type):
        return plain
    return pc.if_else(pc.is_nan(plain), pa.scalar(None, plain.type), plain)


def scratch_writer(path: Path, schema: Any) -> Any:
    """Return a writer of a Parquet file that is read a few times and thrown away.

    It takes half the time of the usual one: there are no statistics, and columns of many values
    soon go without a dictionary.
    """
    import pyarrow.parquet as pq

    return pq.ParquetWriter(
        path, schema, compression="lz4", write_statistics=False, dictionary_pagesize_limit=1 << 16
    )


def _unreadable(path: Path, error: Exception, where: str) -> DataError:
    sentence = " ".join(str(error).split())[:300]
    return DataError(f"{where}: {path.name} must be a readable parquet file, got {sentence}")
