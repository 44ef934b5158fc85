"""Folds of cross-validation as functions of ids: without random numbers, for rows in any order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.data.base.splits import assign_ranks, unit_hashes
from plumbline.errors import DataError

Rows = npt.NDArray[np.int64]


def k_fold(
    units: Sequence[str],
    *,
    folds: int,
    salt: str,
    strata: Sequence[Hashable] | None = None,
) -> Rows:
    """Return the fold 0…folds-1 of each row, ``(N,)``; a unit is in one fold only.

    Units of a stratum are put in the order of their SHA-256 and dealt out in turn, so that the
    folds' shares of each stratum differ by one unit at most; the next stratum continues where the
    last one stopped, so that the sizes of the folds differ by one unit at most, too.

    Parameters
    ----------
    units : sequence of str
        Id of each row, or its entity such as a patient.
    folds : int
        At least 2, at most the different units.
    salt : str
    strata : sequence, optional
        Of each row; a unit's stratum is that of most of its rows.

    Raises
    ------
    DataError
        If there are fewer units than folds, or fewer than 2 folds.
    """
    count = len(set(units))
    if folds < 2 or folds > count:
        raise DataError(f"folds: number of folds must be in 2…{count}, got {folds}")
    kinds: Sequence[Hashable] = [""] * len(units) if strata is None else strata
    order = {kind: code for code, kind in enumerate(sorted(set(kinds), key=str))}
    codes = np.fromiter((order[kind] for kind in kinds), dtype=np.int64, count=len(units))
    rank, row_unit = assign_ranks(unit_hashes(units, salt=salt), strata=codes)
    return np.asarray(rank[row_unit] % folds, dtype=np.int64)


def forward_chaining(times: Sequence[Any], *, folds: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield (training rows, test rows) of ``folds`` tests, each later than its training rows.

    The distinct times are cut into ``folds + 1`` blocks of nearly equal length; fold k trains on
    the first k + 1 blocks and tests on the next. Rows of one time are never divided.

    Parameters
    ----------
    times : sequence
        Number or date by which each row is ordered, ``(N,)``.
    folds : int

    Raises
    ------
    DataError
        If there are fewer than ``folds + 1`` distinct times.
    """
    values, place = np.unique(np.asarray(times), return_inverse=True)
    if folds < 1 or len(values) < folds + 1:
        raise DataError(
            f"folds: number of folds must be in 1…{len(values) - 1} (distinct times less one), "
            f"got {folds}"
        )
    ends = [len(values) * (k + 1) // (folds + 1) for k in range(folds + 1)]
    for before, after in pairwise(ends):
        train = np.flatnonzero(place < before)
        yield train, np.flatnonzero((place >= before) & (place < after))
