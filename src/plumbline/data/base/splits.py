"""Training, validation and test splits as a function of the sample's id alone.

Samples of a stratum are put in the order of the SHA-256 of their ids; the first ones are the test
split, the last ones the validation split. There is no random number: rows may come in any order,
and a data set that grows moves few samples, and none between validation and test. The order does
not depend on ``params.seed`` either, so that a network trained under one seed has never seen the
test samples of another.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.errors import DataError

Labels = npt.NDArray[np.object_]


def hash_order(ids: Iterable[str], *, salt: str) -> list[str]:
    """Return the ids in the order of ``sha256(salt + "/" + id)``."""
    return sorted(ids, key=lambda name: (hashlib.sha256(f"{salt}/{name}".encode()).digest(), name))


def assign_splits(
    ids: Sequence[str],
    *,
    val_fraction: float,
    test_fraction: float,
    salt: str,
    strata: Sequence[Hashable] | None = None,
    entities: Sequence[str] | None = None,
) -> Labels:
    """Return the split of each sample, ``(N,)``.

    Parameters
    ----------
    ids : sequence of str
        Unique sample ids.
    val_fraction, test_fraction : float
        Shares of every stratum, met to the nearest whole sample (half goes up).
    salt : str
        Separates the orders of different data sets.
    strata : sequence, optional
        Stratum of each sample, e.g. class and group; one stratum by default.
    entities : sequence of str, optional
        Entity of each sample, e.g. a patient: an entity is never in two splits. Shares are then
        counted in entities, and an entity's stratum is that of most of its samples.

    Raises
    ------
    DataError
        If an id comes twice.
    """
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"splits: sample ids must be unique, got {twice[0]!r} more than once")
    units = ids if entities is None else entities
    kinds: Sequence[Hashable] = [""] * len(units) if strata is None else strata
    # Codes in the order of the strata's names: the smaller code wins a tie between two of them.
    codes = {stratum: code for code, stratum in enumerate(sorted(set(kinds), key=str))}
    return assign_hashed(
        unit_hashes(units, salt=salt),
        strata=np.fromiter((codes[kind] for kind in kinds), dtype=np.int64, count=len(kinds)),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
    )


def unit_hashes(units: Iterable[str], *, salt: str) -> npt.NDArray[np.uint64]:
    """Return the first 64 bits of ``sha256(salt + "/" + unit)``, ``(N,)``: `hash_order` as numbers.

    Two units in 5 million share a number with a probability of 10**-6, and then share a split.
    """
    head = f"{salt}/".encode()
    return np.fromiter(
        (
            int.from_bytes(
                hashlib.sha256(head + unit.encode("utf-8", "surrogatepass")).digest()[:8]
            )
            for unit in units
        ),
        dtype=np.uint64,
    )


def assign_hashed(
    hashes: npt.NDArray[np.uint64],
    *,
    strata: npt.NDArray[np.int64],
    val_fraction: float,
    test_fraction: float,
) -> Labels:
    """Return the split of each row, ``(N,)``; see `assign_splits`.

    Parameters
    ----------
    hashes : array of uint64, (N,)
        Of the unit that each row belongs to; equal numbers are one unit.
    strata : array of int, (N,)
        A unit's stratum is that of most of its rows, the smallest of equals.
    val_fraction, test_fraction : float
        Shares of the units of every stratum.
    """
    stratum, order, row_unit = _in_order(hashes, strata)
    sizes = np.bincount(stratum, minlength=1)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - (np.cumsum(sizes) - sizes)[stratum[order]]
    size = sizes[stratum]
    tests, vals = (np.floor(size * f + 0.5) for f in (test_fraction, val_fraction))
    split = np.full(len(order), names.TRAIN, dtype=object)
    split[place >= size - vals] = names.VAL
    split[place < tests] = names.TEST
    return np.asarray(split[row_unit], dtype=object)


def assign_ranks(
    hashes: npt.NDArray[np.uint64], *, strata: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each unit's place, stratum by stratum in hash order, and each row's unit, ``(N,)``."""
    _, order, row_unit = _in_order(hashes, strata)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank, row_unit


def _in_order(
    hashes: npt.NDArray[np.uint64], strata: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    units, row_unit = np.unique(hashes, return_inverse=True)
    stratum = _majority(row_unit, strata, len(units))
    return stratum, np.lexsort((units, stratum)), row_unit


def pooled_strata(
    levels: Sequence[npt.NDArray[np.int64]], *, min_rows: int
) -> npt.NDArray[np.int64]:
    """Return strata as fine as their sizes allow, ``(N,)``.

    Parameters
    ----------
    levels : sequence of arrays of int, (N,)
        Codes from the most important level (the class) to the least.
    min_rows : int
        A stratum is divided by a further level only for parts of at least so many rows; the smaller
        parts stay together.
    """
    found = np.zeros(len(levels[0]), dtype=np.int64)
    for level in levels:
        _, finer, counts = np.unique(
            np.stack([found, level]), axis=1, return_inverse=True, return_counts=True
        )
        finer = finer.reshape(-1)
        kept = np.where(counts[finer] >= min_rows, finer + 1 + found.max(), found)
        found = np.unique(kept, return_inverse=True)[1].reshape(-1)
    return found


def _majority(
    row_unit: npt.NDArray[np.int64], strata: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    if len(row_unit) == count:
        found = np.empty(count, dtype=np.int64)
        found[row_unit] = strata
        return found
    width = int(strata.max(initial=0)) + 1
    pairs, votes = np.unique(row_unit * width + strata, return_counts=True)
    unit, stratum = pairs // width, pairs % width
    order = np.lexsort((stratum, -votes, unit))
    first = np.r_[True, np.diff(unit[order]) > 0] if len(order) else np.zeros(0, dtype=bool)
    return np.asarray(stratum[order][first], dtype=np.int64)


def tertile_groups(
    values: npt.ArrayLike, train: npt.NDArray[np.bool_], groups: tuple[str, str, str]
) -> tuple[Labels, str]:
    """Return the group of each value, by the tertiles of the training values, and their bounds."""
    numbers = np.asarray(values)
    low, high = (float(f"{q:.6g}") for q in np.quantile(numbers[train], [1 / 3, 2 / 3]))
    found = np.array(groups, dtype=object)[np.searchsorted([low, high], numbers, side="right")]
    bounds = (
        f"{groups[0]} below {low:g}, {groups[1]} below {high:g}, {groups[2]} otherwise (the thirds "
        "of the training split)."
    )
    return found, bounds


def choose_labelled(
    ids: Sequence[str],
    *,
    classes: Sequence[Hashable],
    splits: Sequence[str],
    per_class: int,
    salt: str,
) -> npt.NDArray[np.bool_]:
    """Mark the first ``per_class`` training samples of each class in hash order, ``(N,)``.

    A class with fewer training samples has all of them marked.
    """
    members: dict[Hashable, list[str]] = {}
    for i, name, split in zip(ids, classes, splits, strict=True):
        if split == names.TRAIN:
            members.setdefault(name, []).append(i)
    chosen: set[str] = set()
    for here in members.values():
        chosen.update(hash_order(here, salt=salt)[:per_class])
    return np.array([name in chosen for name in ids], dtype=bool)
