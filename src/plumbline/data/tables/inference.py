"""The types of columns, inferred from all of their values and not from the first few.

A column of a CSV is a number if each value is one and means no more than one: codes with leading
zeros, such as postcodes, are text, and so are whole numbers that no float64 holds. Else it is a
date if each value is one in ISO 8601, else a category. Values that look like numbers or dates
written in another way are counted, and a warning names the option that reads them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from plumbline.errors import DataError
from plumbline.table_files import Dialect, StagedTable
from plumbline.table_files.numbers import (
    LEADING_ZERO,
    LONG_INTEGER,
    are_numbers,
    number_pattern,
    parse_numbers,
)
from plumbline.table_files.parquet import BATCH

log = logging.getLogger(__name__)

NUMBER, CATEGORY, DATE = "numeric", "categorical", "date"
_TO_NUMBER = "declare it numeric in types if it is one"
_OTHERS = "and other values in missing_values"
_NUMERAL = r"[+-]?[0-9][0-9.,' ]*"
_SIGNS = "$€£¥₹"
# What values look like, and what makes them numbers or dates: the first that fits half of them.
_LOOKS = (
    (
        r"^\s*[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?\s*$",
        "numbers with a comma between thousands", "set thousands to ','",
    ),
    (
        r"^\s*[+-]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?\s*$",
        "numbers with a point between thousands", "set thousands to '.' and decimal to ','",
    ),
    (
        r"^\s*[+-]?[0-9]{1,3}(?:[ '’\x{a0}\x{202f}][0-9]{3})+(?:[.,][0-9]+)?\s*$",
        "numbers with a sign between thousands", "set thousands to that sign",
    ),
    (r"^\s*[+-]?[0-9]*,[0-9]+\s*$", "numbers with a decimal comma", "set decimal to ','"),
    (rf"^\s*{_NUMERAL}%\s*$", "percentages", "write them without the sign %"),
    (
        rf"^\s*(?:[+-]?[{_SIGNS}]\s*{_NUMERAL}|{_NUMERAL}[{_SIGNS}])\s*$",
        "amounts of money", "write them without the sign of the currency",
    ),
    (
        r"^\s*[0-9]{1,2}[/.-][0-9]{1,2}[/.-](?:[0-9]{4}|[0-9]{2})\b.*$",
        "dates", "write them as YYYY-MM-DD",
    ),
    (r"^\s*[0-9]{4}[/.][0-9]{1,2}[/.][0-9]{1,2}\b.*$", "dates", "write them as YYYY-MM-DD"),
    (
        r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*$",
        "dates", f"declare it date in types if it is one, {_OTHERS}",
    ),
    (
        r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*(?:Z|[+-][0-9]{2}:?[0-9]{2})\s*$",
        "times with a zone", "write them in one zone, without its sign",
    ),
)  # fmt: skip
# What keeps a column of numbers from being one: a single value is enough.
_CODES = (
    (LEADING_ZERO + r"[0-9.,]*\s*$", "codes with leading zeros", _TO_NUMBER),
    (LONG_INTEGER, "whole numbers that are too long for one", _TO_NUMBER),
)


def infer_kind(table: StagedTable, name: str, dialect: Dialect, *, where: str) -> str:
    """Return `NUMBER`, `DATE` or `CATEGORY`; warn of a category that looks like another type.

    Parameters
    ----------
    table : StagedTable
    name : str
        Of a column of it.
    dialect : Dialect
        Signs of numbers that are text.
    where : str
        Prefix of messages.

    Raises
    ------
    DataError
        If the column has no value, or a type of Parquet that has no values to compare.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(table.path) as file:
        kind = file.schema_arrow.field(table.stored(name)).type
    if not pa.types.is_string(kind):
        return _arrow_kind(kind, name, where)
    if all(column.null_count == len(column) for column in _columns(table, name)):
        raise DataError(
            f"{where}: columns must have a value to infer their type from, got none in {[name]}; "
            "declare their types or leave them out of features"
        )
    if table.delimiter is None:  # text of Parquet is meant to be text
        _warn_of_lookalikes(table, name, dialect, where)
        return CATEGORY
    if all(are_numbers(column, dialect) for column in _columns(table, name)):
        return NUMBER
    if all(_are_dates(column) for column in _columns(table, name)):
        return DATE
    _warn_of_lookalikes(table, name, dialect, where)
    return CATEGORY


def cast_column(column: Any, kind: str, dialect: Dialect) -> Any:
    """Return a column as float64, string or timestamp.

    Raises
    ------
    pyarrow.ArrowInvalid
        If a value is not of that type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.types.is_string(column.type)
    if kind == CATEGORY:
        return pc.cast(column, pa.string())
    if kind == DATE:
        if text:
            column = pc.utf8_trim_whitespace(column)
        # Nanoseconds are cut; any other unit must fit, or it would become another date.
        cut = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
        return pc.cast(column, pa.timestamp("us"), safe=not cut)
    if text:
        numbers, wrong = parse_numbers(column, dialect)
        if (place := pc.index(wrong, True).as_py()) >= 0:
            raise pa.ArrowInvalid(f"{column[place].as_py()!r}")
        return numbers
    return pc.cast(column, pa.float64(), safe=False)


def _columns(table: StagedTable, name: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(table.path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=[table.stored(name)]):
            yield batch.column(0)


def _are_dates(column: Any) -> bool:
    import pyarrow as pa

    try:
        cast_column(column, DATE, Dialect())
    except pa.ArrowInvalid:
        return False
    return True


def _arrow_kind(kind: Any, name: str, where: str) -> str:
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return NUMBER
    if types.is_decimal(kind):
        return NUMBER
    if types.is_date(kind) or types.is_timestamp(kind):
        return DATE
    raise DataError(
        f"{where}: column {name!r} must hold numbers, text or dates, got {kind}; "
        "leave it out of features"
    )


def _warn_of_lookalikes(table: StagedTable, name: str, dialect: Dialect, where: str) -> None:
    """Warn of a category whose values are mostly numbers or dates in another spelling."""
    numbers = (number_pattern(dialect), "numbers", f"{_TO_NUMBER}, {_OTHERS}")
    looks = [*_LOOKS, *_CODES, numbers]
    counts, examples, total = [0] * len(looks), [""] * len(looks), 0
    for column in _columns(table, name):
        total += len(column) - column.null_count
        for place, (pattern, _, _) in enumerate(looks):
            found = _matching(column, pattern)
            counts[place] += len(found)
            if len(found) and not examples[place]:
                examples[place] = found[0].as_py()
    found, least = list(zip(looks, counts, examples, strict=True)), total / 2
    if counts[-1] == total:  # in the dialect: codes are among them, or Parquet holds them as text
        found, least = found[len(_LOOKS) :], 1
    for (_, kind, advice), count, example in found:
        if count >= least:
            log.warning(
                "%s: column %r was read as a category: %d of its %d values look like %s, such as "
                "%r; %s",
                where, name, count, total, kind, example, advice,
            )  # fmt: skip
            return


def _matching(column: Any, pattern: str) -> Any:
    import pyarrow.compute as pc

    return column.filter(pc.match_substring_regex(column, pattern))
