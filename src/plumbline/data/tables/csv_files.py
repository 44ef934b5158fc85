"""CSV and Parquet files as typed columns, streamed: a file may be larger than memory.

A CSV is read as text. Every column's type is declared, or inferred from all of its values (not
from the first few): a number if each value is one, else a date if each is one in ISO 8601, else a
category. The typed columns are staged as Parquet, which can be read column by column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline.errors import DataError

NUMBER, CATEGORY, DATE = "numeric", "categorical", "date"
BLOCK = 8 << 20  # bytes of CSV parsed at once


def stage_table(
    path: Path,
    staged: Path,
    *,
    where: str,
    types: Mapping[str, str],
    text_columns: Collection[str],
    needed: Sequence[str],
    wanted: Sequence[str] | None,
    delimiter: str,
    encoding: str,
    missing: Sequence[str],
) -> dict[str, str]:
    """Write the wanted columns of a file as typed Parquet and return their types by name.

    Parameters
    ----------
    path : Path
        Parquet if its name ends in ``.parquet``, else CSV with a header line.
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
    delimiter, encoding : str
        Of a CSV.
    missing : sequence of str
        Values of a CSV that stand for a missing one.

    Raises
    ------
    DataError
        If the file is no such table, a column is missing or named twice, or a value is not of its
        declared type.
    """
    import pyarrow as pa

    options = {"delimiter": delimiter, "encoding": encoding, "missing": missing}
    try:
        header = _header(path, where, options)
        _check_header(header, where, [*needed, *(wanted or []), *types, *text_columns])
        chosen = list(header) if wanted is None else list(wanted)
        declared = {**dict.fromkeys(text_columns, CATEGORY), **types}
        found = {name: declared[name] for name in chosen if name in declared}
        rest = [name for name in chosen if name not in found]
        if path.suffix == ".parquet":
            found |= {name: _arrow_kind(header[name], name, where) for name in rest}
        else:
            found |= _infer(path, rest, where, options) if rest else {}
        _write(path, staged, {name: found[name] for name in chosen}, where, options)
    except (pa.ArrowException, UnicodeError, OSError) as error:
        sentence = " ".join(str(error).split())[:300]
        raise DataError(f"{where}: {path.name} must be a whole table, got: {sentence}") from error
    return {name: found[name] for name in chosen}


def _header(path: Path, where: str, options: Mapping[str, Any]) -> dict[str, Any]:
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
        fields = [(field.name, field.type) for field in schema]
    else:
        with _csv(path, options) as reader:
            fields = [(name, None) for name in reader.schema.names]
    names_ = [name for name, _ in fields]
    if twice := sorted({name for name in names_ if names_.count(name) > 1}):
        raise DataError(f"{where}: columns must have different names, got {twice[0]!r} twice")
    if any(not name.strip() for name in names_):
        raise DataError(f"{where}: every column must have a name, got an empty one")
    return dict(fields)


def _check_header(header: Collection[str], where: str, asked: Sequence[str]) -> None:
    if absent := [name for name in dict.fromkeys(asked) if name not in header]:
        raise DataError(
            f"{where}: columns must include {absent}, got {list(header)[:30]}; "
            "names are case-sensitive"
        )


@contextmanager
def _csv(
    path: Path, options: Mapping[str, Any], columns: Sequence[str] | None = None
) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    read = csv.ReadOptions(block_size=BLOCK, encoding=options["encoding"])
    parse = csv.ParseOptions(delimiter=options["delimiter"], newlines_in_values=True)
    convert: dict[str, Any] = {
        "null_values": list(options["missing"]),
        "strings_can_be_null": True,
        "quoted_strings_can_be_null": True,
    }
    if columns is not None:
        text = {name: pa.string() for name in columns}
        convert |= {"include_columns": list(columns), "column_types": text}
    reader = csv.open_csv(path, read, parse, csv.ConvertOptions(**convert))
    try:
        yield reader
    finally:
        reader.close()


def _infer(
    path: Path, columns: Sequence[str], where: str, options: Mapping[str, Any]
) -> dict[str, str]:
    kinds = {name: [NUMBER, DATE, CATEGORY] for name in columns}
    seen = dict.fromkeys(columns, False)
    with _csv(path, options, columns) as reader:
        for batch in reader:
            for name in columns:
                column = batch.column(name)
                seen[name] |= column.null_count < len(column)
                while not _fits(column, kinds[name][0]):
                    kinds[name].pop(0)
    if empty := [name for name in columns if not seen[name]]:
        raise DataError(
            f"{where}: columns must have a value to infer their type from, got none in {empty}; "
            "declare their types or leave them out of features"
        )
    return {name: kinds[name][0] for name in columns}


def _fits(column: Any, kind: str) -> bool:
    import pyarrow as pa

    try:
        _cast(column, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _cast(column: Any, kind: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if kind == CATEGORY:
        return pc.cast(column, pa.string())
    if text:
        column = pc.utf8_trim_whitespace(column)
    if kind == NUMBER:
        numbers = pc.cast(column, pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    return pc.cast(column, pa.timestamp("us"), safe=False)


def _arrow_kind(kind: Any, name: str, where: str) -> str:
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return NUMBER
    if types.is_decimal(kind):
        return NUMBER
    if types.is_date(kind) or types.is_timestamp(kind):
        return DATE
    if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind):
        return CATEGORY
    raise DataError(
        f"{where}: column {name!r} must hold numbers, text or dates, got {kind}; "
        "leave it out of features"
    )


def _write(
    path: Path, staged: Path, kinds: Mapping[str, str], where: str, options: Mapping[str, Any]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {NUMBER: pa.float64(), CATEGORY: pa.string(), DATE: pa.timestamp("us")}
    schema = pa.schema([(name, arrow[kind]) for name, kind in kinds.items()])
    rows = 0
    with pq.ParquetWriter(staged, schema) as writer:
        for batch in _batches(path, list(kinds), options):
            columns = []
            for name, kind in kinds.items():
                try:
                    columns.append(_cast(batch.column(name), kind))
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    got = " ".join(str(error).split())
                    raise DataError(
                        f"{where}: column {name!r} must be {kind} as declared, got: {got}"
                    ) from error
            writer.write_batch(pa.record_batch(columns, schema=schema))
            rows += batch.num_rows
    if rows == 0:
        raise DataError(f"{where}: {path.name} must have a row, got none")


def _batches(path: Path, columns: Sequence[str], options: Mapping[str, Any]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=65_536, columns=list(columns))
    else:
        with _csv(path, options, columns) as reader:
            yield from reader
