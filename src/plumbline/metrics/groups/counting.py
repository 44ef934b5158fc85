"""Rows counted by the combination of their codes. ``N`` rows, ``C`` combinations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.errors import MetricError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
# Integers of any width: those of a pandas Categorical may be bytes.
Codes = npt.NDArray[Any]

# Comparing all pairs of so many groups takes about a second for each metric.
MOST_GROUPS = 500
_LARGEST_CODE = 2**62
_DENSE = 2**20  # combinations that are counted without sorting, whatever the rows


# Texts that stand for a missing value: an empty cell, and what data sets are prepared with. The
# text "nan" does not: it is the code of a language. Not-a-number is a number.
NO_VALUE = frozenset({"", names.UNKNOWN, "(missing)"})


def group_text(value: Any) -> str:
    """Return the text of an attribute's value as it is, `names.UNKNOWN` where it is missing.

    Examples
    --------
    >>> group_text(" f"), group_text(float("nan")), group_text(" "), group_text("(missing)")
    (' f', 'unknown', 'unknown', 'unknown')
    """
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return names.UNKNOWN
    text = str(value)
    return names.UNKNOWN if text.strip() in NO_VALUE else text


def codes_of(column: pd.Series) -> tuple[Codes, tuple[str, ...]]:
    """Return the code of each row and the values, as text, in sorted order.

    The categories of a pandas ``Categorical`` are values even if no row has them. A missing value
    has the code -1. Floats that are all whole are shown as integers: a missing value makes floats
    of them.
    """
    held = column.array
    if isinstance(held, pd.Categorical):
        codes, found = held.codes, held.categories
    else:
        codes, found = held.factorize()
    index = pd.Index(found)
    if index.dtype.kind == "f" and all(float(x).is_integer() and abs(x) < 2**53 for x in index):
        index = index.astype(np.int64)
    texts = list(index.astype(str))
    values = sorted(set(texts))
    place = {text: code for code, text in enumerate(values)}
    moved = np.array([*(place[text] for text in texts), -1])  # the last place is that of -1
    return moved[codes], tuple(values)


def attribute_codes(table: pd.DataFrame, attribute: str) -> tuple[Codes, tuple[str, ...]]:
    """Return `codes_of` an attribute, whose missing values are the group `names.UNKNOWN`.

    Raises
    ------
    MetricError
        If the table lacks the attribute.
    """
    if attribute not in table.columns:
        raise MetricError(f"groups: table must have the attribute {attribute!r}, got no column")
    codes, found = codes_of(table[attribute])
    missing = codes.min(initial=0) < 0
    texts = [group_text(value) for value in found] + [names.UNKNOWN] * bool(missing)
    if texts == list(found):
        return codes, found
    values = sorted(set(texts))
    place = {text: code for code, text in enumerate(values)}
    moved = np.array([place[text] for text in texts], dtype=np.int64)  # -1 is the last place
    return moved[codes], tuple(values)


def count_rows(
    keys: Sequence[Codes], sizes: Sequence[int], sums: Sequence[npt.NDArray[Any] | None] = (None,)
) -> tuple[tuple[Integers, ...], list[Floats]]:
    """Return the combinations of codes that occur, in order, and the sums over the rows of each.

    Parameters
    ----------
    keys : sequence of ndarray, (N,)
        Codes from 0.
    sizes : sequence of int
        Number of codes that each key may have.
    sums : sequence of ndarray, (N,), or None
        Values to sum; None counts the rows.

    Returns
    -------
    codes : tuple of ndarray, (C,)
        For each key, its code in the C combinations.
    totals : list of ndarray, (C,)

    """
    rows, cells = len(keys[0]), math.prod(sizes)
    if cells > _LARGEST_CODE:
        return _count_stepwise(keys, sizes, sums)
    codes = np.zeros(rows, np.int64)
    for key, size in zip(keys, sizes, strict=True):
        codes *= size
        codes += key
    if cells <= _DENSE + 4 * rows:
        found = np.flatnonzero(np.bincount(codes, minlength=cells))
        totals = [np.bincount(codes, values, minlength=cells)[found] for values in sums]
    else:
        found, place = np.unique(codes, return_inverse=True)
        totals = [np.bincount(place, values, minlength=len(found)) for values in sums]
    return np.unravel_index(found, sizes), [total.astype(np.float64) for total in totals]


def _count_stepwise(
    keys: Sequence[Codes], sizes: Sequence[int], sums: Sequence[npt.NDArray[Any] | None]
) -> tuple[tuple[Integers, ...], list[Floats]]:
    """Return `count_rows` of more combinations than fit into an integer.

    Those that occur are numbered afresh after each key; they are no more than the rows.
    """
    place = np.zeros(len(keys[0]), dtype=np.int64)
    codes: list[Integers] = []
    for key, size in zip(keys, sizes, strict=True):
        found, place = np.unique(place * size + key, return_inverse=True)
        before, own = np.divmod(found, size)
        codes = [*(held[before] for held in codes), own]
    totals = [np.bincount(place, values, minlength=len(codes[0])) for values in sums]
    return tuple(codes), [total.astype(np.float64) for total in totals]


def sum_by(place: Integers, values: npt.NDArray[Any], size: int) -> Floats:
    """Return the sums, ``(size,)``, of values ``(N,)`` by their places ``(N,)``, each below size.

    They are added in the order of the rows; of whole numbers the sum is exact up to 2**53.
    """
    return np.bincount(place, values, minlength=size).astype(np.float64)
