"""Read the labels of new rows: their codes, and the rows that have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import DatasetSchema
from plumbline.data.tables.csv_files import CATEGORY, NUMBER
from plumbline.data.tables.inference import cast_column
from plumbline.errors import DataError
from plumbline.table_files import Dialect

if TYPE_CHECKING:
    import pyarrow as pa


def label_codes(
    column: pa.Array, name: str, schema: DatasetSchema, dialect: Dialect
) -> npt.NDArray[Any]:
    """Return the targets that a column of labels holds.

    Parameters
    ----------
    column : Array of n labels
        Text, numbers, or a dictionary of either; the dialect's marks of missing values are missing.
    name : str
        Of the column, for errors.
    schema : DatasetSchema
        Of the training data.
    dialect : Dialect
        Of the file.

    Returns
    -------
    ndarray (n,)
        Codes of the classes, -1 where a label is missing; of a regression numbers, NaN where it is.

    Raises
    ------
    DataError
        As `labels_to_codes` does.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.cast(column, pa.string())
        marks = pc.is_in(column, value_set=pa.array(dialect.missing, pa.string()))
        column = pc.if_else(marks, pa.scalar(None, pa.string()), column)
    try:
        typed = cast_column(column, NUMBER, dialect).to_numpy(zero_copy_only=False)
        number = np.asarray(typed, dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        number = None
    text = cast_column(column, CATEGORY, dialect).to_pylist()
    return labels_to_codes(text, schema, column=name, number=number)


def labels_to_codes(
    labels: Any, schema: DatasetSchema, *, column: str, number: npt.NDArray[np.float64] | None
) -> npt.NDArray[Any]:
    """Return the class code, or the number, of each label; -1 or NaN where it is missing.

    Parameters
    ----------
    labels : sequence of str or None
        As text.
    schema : DatasetSchema
    column : str
        Name of the column of the labels.
    number : ndarray or None
        The labels as numbers, if they are.

    Raises
    ------
    DataError
        If a label is of no class, or no number for a regression.
    """
    if not schema.classes:
        if number is None:
            raise DataError(f"monitor: label {column!r} must be a number in every row, got text")
        return number
    place = {name: code for code, name in enumerate(schema.classes)}
    cut = schema.about.get("median")
    if number is not None and cut is not None and not set(labels) & set(place):
        return np.where(np.isnan(number), -1, number > cut)
    if wrong := next((v for v in labels if v is not None and v not in place), None):
        raise DataError(
            f"monitor: label {column!r} must be one of {', '.join(schema.classes)}, got {wrong!r}; "
            "correct it, or name the column of the labels with --label"
        )
    return np.array([-1 if v is None else place[v] for v in labels], dtype=np.int64)


def labelled_rows(
    found: pd.DataFrame, codes: npt.NDArray[Any], groups: Mapping[str, Any], schema: DatasetSchema
) -> pd.DataFrame:
    """Return the rows with a label as a table of predictions holds them.

    Parameters
    ----------
    found : DataFrame of n rows
        Decisions and probabilities, or values, of a predictor.
    codes : ndarray (n,)
        Of `label_codes`.
    groups : mapping of str to n values
        Group of each row by attribute; None becomes ``names.UNKNOWN``.
    schema : DatasetSchema
        Of the training data.
    """
    if schema.classes:
        place = {name: code for code, name in enumerate(schema.classes)}
        table = found.drop(columns="decision").assign(
            y_true=codes, y_pred=found["decision"].map(place).to_numpy(dtype=np.int64)
        )
        known = codes >= 0
    else:
        table = pd.DataFrame({"y_true": codes, "y_pred": found["value"]})
        known = np.isfinite(codes)
    for name, values in groups.items():
        table[name] = [names.UNKNOWN if group is None else group for group in values]
    return table.loc[known]
