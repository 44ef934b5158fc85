"""Groups of raw rows, by the names that the groups have in an audit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.tables.csv_files import CATEGORY, NUMBER
from plumbline.data.tables.encoders import OTHER
from plumbline.data.tables.inference import cast_column
from plumbline.errors import DataError
from plumbline.table_files import Dialect

_NUMBER = r"[-+0-9.e]+"
# How `plumbline.data.tables.rows` names the bands of a number.
_BAND = re.compile(
    rf"under (?P<first>{_NUMBER})|(?P<low>{_NUMBER}) to under (?P<high>{_NUMBER})"
    rf"|(?P<last>{_NUMBER}) and over"
)


def rows_to_groups(
    column: Any, known: Sequence[str], *, dialect: Dialect, where: str
) -> npt.NDArray[np.object_]:
    """Return the group of each raw row, ``(N,)``, None where it is none of the known ones.

    A number is put into its band where all known groups are bands such as ``30 to under 45``. A
    missing value is the group *unknown*, if that is known.

    Parameters
    ----------
    column : Arrow array
        The attribute in the raw rows.
    known : sequence of str
    dialect : Dialect
        Its texts of missing values stand for missing values.
    where : str
        Prefix of error messages.

    Raises
    ------
    DataError
        If the groups are bands and a value is no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if text:
        column = pc.cast(column, pa.string())
        marks = pc.is_in(column, value_set=pa.array(dialect.missing, pa.string()))
        column = pc.if_else(marks, pa.scalar(None, pa.string()), column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    named = [group for group in known if group not in (names.UNKNOWN, OTHER)]
    bounds = [_bounds(group) for group in named]
    if named and all(bounds) and not (text and _are_names(column, known)):
        found = _banded(column, named, [pair for pair in bounds if pair], dialect, where)
    else:
        values = _as_text(column)
        found = np.array([value if value in known else None for value in values], dtype=object)
    if names.UNKNOWN in known:
        found[np.asarray(column.is_null().to_numpy(zero_copy_only=False))] = names.UNKNOWN
    return found


def _bounds(group: str) -> tuple[float, float] | None:
    found = _BAND.fullmatch(group)
    if found is None:
        return None
    low, high = found["low"] or found["last"], found["first"] or found["high"]
    try:
        return -math.inf if low is None else float(low), math.inf if high is None else float(high)
    except ValueError:
        return None


def _are_names(column: Any, known: Sequence[str]) -> bool:
    """Say whether a text is one of the names already: somebody banded the numbers before."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(pc.any(pc.is_in(column, value_set=pa.array(list(known), pa.string()))).as_py())


def _banded(
    column: Any, named: Sequence[str], bounds: Sequence[tuple[float, float]], dialect: Dialect,
    where: str,
) -> npt.NDArray[np.object_]:  # fmt: skip
    import pyarrow as pa

    try:
        typed = cast_column(column, NUMBER, dialect)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise DataError(
            f"{where}: must be a number, or one of {', '.join(named)}, in every row, got: {error}"
        ) from error
    numbers = np.asarray(typed.to_numpy(zero_copy_only=False), dtype=np.float64)
    found = np.full(len(numbers), None, dtype=object)
    for group, (low, high) in zip(named, bounds, strict=True):
        found[(numbers >= low) & (numbers < high)] = group
    return found


def _as_text(column: Any) -> list[str | None]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):  # 2.0 is the group 2
        return [None if v is None else f"{v:.15g}" for v in column.to_pylist()]
    found: list[str | None] = cast_column(column, CATEGORY, Dialect()).to_pylist()
    return found
