"""Whole columns of a staged table, and codes in place of their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def read_column(dataset: Any, name: str) -> Any:
    """Return one whole column as an Arrow array."""
    return dataset.to_table(columns=[name]).column(0).combine_chunks()


def codes_of(column: Any, absent: str | None = None) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return codes of the sorted distinct values, as text, and those values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.cast(column, pa.string())
    coded = (pc.fill_null(text, absent) if absent else text).dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    values = coded.dictionary.to_pylist()
    order = sorted(values)
    return places(values, order)[coded.indices.to_numpy(zero_copy_only=False)], order


def places(values: Iterable[str], order: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the place of each value in ``order``, -1 where it has none."""
    place = {value: code for code, value in enumerate(order)}
    return np.array([place.get(value, -1) for value in values], dtype=np.int64)
