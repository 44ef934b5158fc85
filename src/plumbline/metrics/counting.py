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

_BLOCK = 2**18
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
        codes, found = pd.factorize(column)
    texts = [str(value) for value in pd.Index(found).astype(str)]
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
            f"tensor: attributes and entities must make at most {_LARGEST_CODE:,} cells, got "
            f"{cells:,}; band an attribute"
        )
    if cells <= _DENSE + 4 * rows:
        found, totals = _dense(keys, sizes, sums, cells)
    else:
        codes = _combined(keys, sizes, slice(None), np.dtype(np.int64))
        found, place = np.unique(codes, return_inverse=True)
        totals = [_summed(place, values, len(found)) for values in sums]
    return np.unravel_index(found, tuple(sizes)), totals


def _dense(
    keys: Sequence[Codes], sizes: Sequence[int], sums: Sequence[npt.NDArray[Any] | None], cells: int
) -> tuple[Integers, list[Floats]]:
    width = _narrowest(cells)
    counts, totals = np.zeros(cells, np.int64), [np.zeros(cells) for _ in sums]
    step = max(_BLOCK, cells)
    for start in range(0, len(keys[0]), step):
        block = slice(start, start + step)
        codes = _combined(keys, sizes, block, width)
        if len(sums) > 1:  # once, and not in every sum
            codes = codes.astype(np.int64)
        counts += _tally(codes, cells)
        for total, values in zip(totals, sums, strict=True):
            if values is not None:
                total += _summed(codes, values[block], cells)
    found = np.flatnonzero(counts)
    return found, [
        (counts if values is None else total)[found].astype(np.float64)
        for total, values in zip(totals, sums, strict=True)
    ]


def _tally(codes: Codes, cells: int) -> Integers:
    if codes.dtype != np.uint8 or len(codes) < 2**16 or len(codes) % 2:
        return np.bincount(codes, minlength=cells)
    # Bytes are counted two at a time, as numbers of two bytes: half as many steps.
    pairs = np.bincount(codes.view(np.uint16), minlength=2**16).reshape(2**8, 2**8)
    counts: Integers = pairs.sum(axis=0) + pairs.sum(axis=1)
    return counts[:cells]


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


def _summed(place: Integers, values: Floats | None, size: int) -> Floats:
    # Sums of float64 are exact up to 2**53 rows.
    return np.bincount(place, weights=values, minlength=size).astype(np.float64, copy=False)


def _narrowest(cells: int, *, signed: bool = False) -> np.dtype[Any]:
    kinds = (np.int8, np.int16) if signed else (np.uint8, np.uint16)
    fitting = [np.dtype(kind) for kind in kinds if cells <= np.iinfo(kind).max]
    return fitting[0] if fitting else np.dtype(np.int64)
