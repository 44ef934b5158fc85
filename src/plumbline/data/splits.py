"""Training, validation and test splits as a function of the sample's id alone.

Samples of a stratum are put in the order of the SHA-256 of their ids; the first ones are the test
split, the last ones the validation split. There is no random number: rows may come in any order,
and a data set that grows moves few samples, and none between validation and test. The order does
not depend on ``params.seed`` either, so that a network trained under one seed has never seen the
test samples of another.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

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
        What the shares are kept in, e.g. class and group; one stratum by default.
    entities : sequence of str, optional
        What a sample belongs to, e.g. a patient: an entity is never in two splits. Shares are
        then counted in entities, and an entity's stratum is that of most of its samples.

    Raises
    ------
    DataError
        If an id comes twice.
    """
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError(f"splits: sample ids must be unique, got {twice[0]!r} more than once")
    units = list(ids) if entities is None else list(entities)
    kinds: Sequence[Hashable] = [""] * len(units) if strata is None else strata
    members: dict[Hashable, list[str]] = defaultdict(list)
    for unit, stratum in _stratum_of(units, kinds).items():
        members[stratum].append(unit)
    split: dict[str, str] = {}
    for units_here in members.values():
        order = hash_order(units_here, salt=salt)
        tests, vals = (_nearest(len(order) * f) for f in (test_fraction, val_fraction))
        for place, unit in enumerate(order):
            in_val = names.VAL if place >= len(order) - vals else names.TRAIN
            split[unit] = names.TEST if place < tests else in_val
    return np.array([split[unit] for unit in units], dtype=object)


def choose_labelled(
    ids: Sequence[str],
    *,
    classes: Sequence[Hashable],
    splits: Sequence[str],
    per_class: int,
    salt: str,
) -> npt.NDArray[np.bool_]:
    """Mark the first ``per_class`` training samples of each class in hash order, ``(N,)``.

    Raises
    ------
    DataError
        If a class has fewer training samples.
    """
    chosen: set[str] = set()
    for name in sorted(set(classes), key=str):
        here = [
            i
            for i, c, s in zip(ids, classes, splits, strict=True)
            if c == name and s == names.TRAIN
        ]
        if len(here) < per_class:
            raise DataError(
                f"splits: labels_per_class must be at most the training samples of class {name!r} "
                f"({len(here)}), got {per_class}"
            )
        chosen.update(hash_order(here, salt=salt)[:per_class])
    return np.array([name in chosen for name in ids], dtype=bool)


def _nearest(count: float) -> int:
    return math.floor(count + 0.5)


def _stratum_of(units: Sequence[str], strata: Sequence[Hashable]) -> Mapping[str, Hashable]:
    votes: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for unit, stratum in zip(units, strata, strict=True):
        votes[unit][stratum] += 1
    return {unit: min(c, key=lambda s: (-c[s], str(s))) for unit, c in votes.items()}
