"""Numbers in place of the names of entities: the pseudonyms of every prepared table.

A hash of a name can be tried out: whoever knows how it is made hashes every name, postcode or
customer number and looks for equal ones. A number in the order of first appearance says nothing but
that order, and needs no secret that a second machine would lack. It is a pseudonym all the same:
whoever has the raw file, or knows other columns of a row, may find out who it belongs to.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline import names

PSEUDONYM = (
    "of which the prepared table keeps a pseudonym, a number in the order of first appearance; "
    "whoever has the raw data can still tell who it is"
)


def entity_numbers(units: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the number of each row's entity, ``(N,)``: 0 for the first one to appear.

    Parameters
    ----------
    units : array, (N,)
        Names of the entities, or their hashes; equal ones are one entity.
    """
    _, first, unit = np.unique(np.asarray(units), return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first, kind="stable")] = np.arange(len(first))
    return number[unit]


def pseudonyms(numbers: npt.NDArray[np.int64]) -> list[str]:
    """Return the pseudonym of each row's entity, such as ``entity-0000012``."""
    return [f"entity-{number:07d}" for number in numbers.tolist()]


def divided_rows(units: npt.ArrayLike, split: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    """Return the rows of entities that are in more than one split, in ascending order.

    Parameters
    ----------
    units : array, (N,)
        Entity of each row.
    split : object array, (N,)
    """
    unit = np.unique(np.asarray(units), return_inverse=True)[1]
    place = sum(k * (split == name) for k, name in enumerate(names.SPLITS))
    low = np.full(unit.max(initial=-1) + 1, len(names.SPLITS))
    high = np.full_like(low, -1)
    np.minimum.at(low, unit, place)
    np.maximum.at(high, unit, place)
    return np.flatnonzero((low != high)[unit])
