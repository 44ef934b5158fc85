"""Folds of cross-validation as functions of ids alone: no random number, rows in any order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.data.splits import assign_ranks, unit_hashes
from plumbline.errors import DataError

Rows = npt.NDArray[np.int64]


def k_fold(
    ids: Sequence[str],
    *,
    folds: int,
    salt: str,
    strata: Sequence[Hashable] | None = None,
) -> Rows:
    """Return the fold 0…folds-1 of each sample, ``(N,)``.

    Samples of a stratum are put in the order of the SHA-256 of their ids and dealt out in turn, so
    that the folds' shares of each stratum differ by one sample at most; the next stratum goes on
    where the last one stopped, and so do the sizes of the folds.

    Parameters
    ----------
    ids : sequence of str
        Unique.
    folds : int
        At least 2, at most the samples.
    salt : str
    strata : sequence, optional

    Raises
    ------
    DataError
        If an id comes twice or the folds do not fit.
    """
    if len(set(ids)) < len(ids):
        raise DataError("folds: sample ids must be unique, got one more than once")
    return grouped(ids, entities=ids, folds=folds, salt=salt, strata=strata)


def grouped(
    ids: Sequence[str],
    *,
    entities: Sequence[str],
    folds: int,
    salt: str,
    strata: Sequence[Hashable] | None = None,
) -> Rows:
    """Return the fold of each sample; an entity, e.g. a patient, is in one fold only.

    As `k_fold` with entities in place of samples; an entity's stratum is that of most of its
    samples.
    """
    count = len(set(entities))
    if folds < 2 or folds > count:
        raise DataError(f"folds: number of folds must be in 2…{count}, got {folds}")
    kinds: Sequence[Hashable] = [""] * len(ids) if strata is None else strata
    order = {kind: code for code, kind in enumerate(sorted(set(kinds), key=str))}
    codes = np.fromiter((order[kind] for kind in kinds), dtype=np.int64, count=len(ids))
    rank, row_unit = assign_ranks(unit_hashes(entities, salt=salt), strata=codes)
    return np.asarray(rank[row_unit] % folds, dtype=np.int64)


def forward_chaining(times: Sequence[Any], *, folds: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield (training rows, test rows) of ``folds`` tests that each lie after their training.

    The distinct times are cut into ``folds + 1`` blocks of nearly equal length; fold k trains on
    the first k + 1 blocks and tests on the next. Rows of one time are never divided.

    Parameters
    ----------
    times : sequence
        What orders the rows, ``(N,)``: numbers or dates.
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
