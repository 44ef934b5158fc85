"""Rows counted by the combination of their codes, in one pass. ``N`` rows.

Codes stay in the bytes that they come in, and rows are taken in blocks that fit into the cache:
what is read is little more than the columns themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline.errors import MetricError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
# Integers of any width: a byte will do for the sexes.
Codes = npt.NDArray[Any]

_BLOCK = 2**16  # rows
_BYTES = 2**18  # rows, where their codes fit into bytes
_LARGEST_CODE = 2**62
_DENSE = 2**20  # cells that may be counted without sorting, whatever the rows


def codes_of(column: pd.Series) -> tuple[Codes, tuple[str, ...]]:
    """Return the code of each row and the values, as text, in sorted order.

    A column that holds codes already, a pandas ``Categorical``, is not gone through again; values
    may then be among those returned that no row has. A missing value has the code -1.
    """
    held = column.array
    if isinstance(held, pd.Categorical):
        codes, found = held.codes, held.categories
    else:
        codes, found = held.factorize()
    is_text = isinstance(found.dtype, pd.StringDtype)
    texts = list(found if is_text else pd.Index(found).astype(str))
    values = sorted(set(texts))
    if texts != values:
        place = {text: code for code, text in enumerate(values)}
        # The last place is that of -1.
        moved = np.array([*(place[text] for text in texts), -1])
        codes = moved.astype(_narrowest(len(values), signed=True))[codes]
    return codes, tuple(values)


def count_rows(
    keys: Sequence[Codes], sizes: Sequence[int], sums: Sequence[npt.NDArray[Any] | None] = (None,)
) -> tuple[tuple[Integers, ...], list[Floats]]:
    """Return the combinations of codes that occur, in order, and the sums over the rows of each.

    Parameters
    ----------
    keys : sequence of ndarray, (N,)
        Codes from 0.
    sizes : sequence of int
        How many codes each key may have.
    sums : sequence of ndarray, (N,), or None
        What to sum; None counts the rows.

    Returns
    -------
    codes : tuple of ndarray, (C,)
        For each key, its code in the C combinations.
    totals : list of ndarray, (C,)

    Raises
    ------
    MetricError
        If there are more combinations than fit into an integer.
    """
    rows, cells = len(keys[0]), math.prod(sizes)
    if cells > _LARGEST_CODE:
        raise MetricError(
            f"counts: attributes and entities must make at most {_LARGEST_CODE:,} cells, got "
            f"{cells:,}; band an attribute"
        )
    if cells <= _DENSE + 4 * rows:
        found, totals = _dense(keys, sizes, sums, cells)
    else:
        codes = _combined(keys, sizes, slice(None), np.dtype(np.int64))
        found, place = np.unique(codes, return_inverse=True)
        one = np.ones(rows)
        totals = [sum_by(place, one if v is None else v, len(found)) for v in sums]
    return _parted(found, sizes), totals


def sum_by(place: Integers, values: npt.NDArray[Any], size: int) -> Floats:
    """Return the sums, ``(size,)``, of values ``(N,)`` by their places ``(N,)``, each below size.

    They are added in the order of the rows; of whole numbers the sum is exact up to 2**53.
    """
    sums = np.zeros(size)
    _add(sums, place, values)
    return sums


def _add(sums: Floats, place: Codes, values: npt.NDArray[Any]) -> None:
    # Of these types alone `add.at` is quick, quicker than `bincount`; of others it is very slow.
    np.add.at(sums, place.astype(np.intp, copy=False), values.astype(np.float64, copy=False))


def _dense(
    keys: Sequence[Codes], sizes: Sequence[int], sums: Sequence[npt.NDArray[Any] | None], cells: int
) -> tuple[Integers, list[Floats]]:
    width = _narrowest(cells)
    counts, totals = np.zeros(cells, np.int64), [np.zeros(cells) for _ in sums]
    weighed = [(total, v) for total, v in zip(totals, sums, strict=True) if v is not None]
    step = _BYTES if width == np.uint8 and not weighed else _BLOCK
    for start in range(0, len(keys[0]), step):
        block = slice(start, start + step)
        codes = _combined(keys, sizes, block, width)
        if step == _BYTES:
            counts += _tally(codes, cells)
            continue
        places = codes.astype(np.intp)
        np.add.at(counts, places, 1)
        for total, values in weighed:
            _add(total, places, values[block])
    found = np.flatnonzero(counts)
    return found, [
        (counts if values is None else total)[found].astype(np.float64)
        for total, values in zip(totals, sums, strict=True)
    ]


def _tally(codes: Codes, cells: int) -> Integers:
    """Count bytes two at a time, as numbers of two bytes: half as many steps."""
    if len(codes) < 2**16 or len(codes) % 2:
        return np.bincount(codes, minlength=cells)
    pairs = np.bincount(codes.view(np.uint16), minlength=2**16).reshape(2**8, 2**8)
    counts: Integers = pairs.sum(axis=0) + pairs.sum(axis=1)
    return counts[:cells]


def _parted(found: Integers, sizes: Sequence[int]) -> tuple[Integers, ...]:
    """Return what `numpy.unravel_index` does; dividing by one number at a time is quicker."""
    parts = []
    for size in reversed(sizes):
        whole = found // size
        parts.append(found - whole * size)
        found = whole
    return tuple(reversed(parts))


def _combined(
    keys: Sequence[Codes], sizes: Sequence[int], block: slice, width: np.dtype[Any]
) -> Codes:
    rows = len(keys[0][block])
    codes = np.zeros(rows, width)
    for key, size in zip(keys, sizes, strict=True):
        if size > 1:
            codes *= width.type(size)
            codes += key[block].astype(width, copy=False)
    return codes


def _narrowest(cells: int, *, signed: bool = False) -> np.dtype[Any]:
    kinds = (np.int8, np.int16) if signed else (np.uint8, np.uint16)
    fitting = [np.dtype(kind) for kind in kinds if cells <= np.iinfo(kind).max]
    return fitting[0] if fitting else np.dtype(np.int64)
