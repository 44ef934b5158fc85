"""Classes and groups that a split has no row of.

A class must be in every split: a model cannot learn or be measured without it. A group may be
absent, which is described: nothing can be said of it in that split.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import ABSENT_GROUPS, absent_group_notes
from plumbline.errors import DataError

log = logging.getLogger(__name__)

SHOWN = 5  # rows or values named in a message

Codes = npt.NDArray[np.int64]
Groups = Mapping[str, tuple[Codes, Sequence[str]]]
Absent = dict[str, dict[str, dict[str, Any]]]


def first_few(items: Sequence[Any]) -> str:
    """Return the first `SHOWN` items, separated by commas, and an ellipsis for the others."""
    return ", ".join(map(str, items[:SHOWN])) + (", …" if len(items) > SHOWN else "")


def check_classes(
    split: npt.NDArray[np.object_],
    y: Codes,
    classes: Sequence[str],
    *,
    where: str,
    describe: Callable[[Codes], str],
    advise: Callable[[Codes], str],
    counts: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Check that every class has a row in every split.

    Parameters
    ----------
    split : object array, (N,)
    y : int array, (N,)
        Code of each row's class.
    classes : sequence of str
    where : str
        Prefix of the message.
    describe : callable
        Takes positions of rows; names the first few.
    advise : callable
        Takes the positions of all rows of the class; says what helps.
    counts : bool array, (N,), optional
        Rows that count; all by default.

    Raises
    ------
    DataError
        For the first class and split without a row.
    """
    for name in names.SPLITS:
        here = (split == name) & (True if counts is None else counts)
        sizes = np.bincount(y[here], minlength=len(classes))
        for code in np.flatnonzero(sizes == 0)[:1]:
            rows = np.flatnonzero(y == code)
            got = f"none in {name} of {describe(rows)}" if len(rows) else "none at all"
            raise DataError(
                f"{where}: class {classes[code]!r} must have a sample in every split, got {got}; "
                f"{advise(rows)}"
            )


def absent_groups(
    split: npt.NDArray[np.object_], groups: Groups, counts: npt.NDArray[np.bool_] | None = None
) -> Absent:
    """Return the groups that a split has no row of, by attribute and group.

    Rows without a value of an attribute are no group that would be missed.

    Parameters
    ----------
    split : object array, (N,)
    groups : mapping
        Codes of the rows, ``(N,)``, and names of the groups, by attribute.
    counts : bool array, (N,), optional
        Rows that count; all by default.

    Returns
    -------
    dict
        ``{attribute: {group: {"rows": int, "absent_from": list of splits}}}``; rows are those of
        all splits.
    """
    found: Absent = {}
    for attribute, (codes, labels) in groups.items():
        sizes = {}
        for name in names.SPLITS:
            here = (split == name) & (True if counts is None else counts)
            sizes[name] = np.bincount(codes[here], minlength=len(labels))
        total = np.bincount(codes, minlength=len(labels))
        for code, group in enumerate(labels):
            absent = [name for name in names.SPLITS if sizes[name][code] == 0]
            if absent and group != names.UNKNOWN:
                facts = {"rows": int(total[code]), "absent_from": absent}
                found.setdefault(attribute, {})[group] = facts
    return found


def warn_of_absent_groups(absent: Absent, where: str) -> None:
    """Log one line for each attribute with groups that a split has no row of."""
    for note in absent_group_notes({ABSENT_GROUPS: absent}):
        log.warning("%s: %s", where, note)
