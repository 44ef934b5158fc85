"""Groups of a combination of attributes: few enough to be compared, whatever values occur.

``N`` rows or cells, ``G`` groups.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.groups.counting import MOST_GROUPS, Codes, Integers

if TYPE_CHECKING:
    import pandas as pd

_POOLED = re.compile(r"\(([0-9,]+) smaller groups\)")
_PARTS = re.compile(rf'(?:^|{names.INTERSECTION})(?:"((?:[^"]|"")*)"|([^{names.INTERSECTION}]*))')


def pooled_label(groups: int) -> str:
    """Return the name of the group that stands for so many small ones."""
    return f"({groups:,} smaller groups)"


def pooled_groups(label: str) -> int:
    """Return how many groups a group stands for, 0 for a group by itself."""
    found = _POOLED.fullmatch(label)
    return int(found[1].replace(",", "")) if found else 0


def pooled_notes(sizes: pd.DataFrame) -> list[str]:
    """Return a note on every attribute and intersection whose smallest groups are pooled.

    ``sizes`` has ``attribute, group, n``, one row for each group.
    """
    notes = []
    for attribute, own in sizes.groupby("attribute", sort=False):
        pooled = own[[pooled_groups(str(group)) > 0 for group in own["group"]]]
        for group, n in pooled[["group", "n"]].itertuples(index=False, name=None):
            small, large = pooled_groups(group), len(own) - 1
            notes.append(
                f"{attribute} has {small + large:,} groups: the {large:,} largest stand by "
                f"themselves, the {small:,} smallest (n = {int(n):,}) are pooled as {group}, which "
                "is described and not compared."
            )
    return notes


def intersection_label(values: Sequence[str]) -> str:
    """Return the name of a group of an intersection, or of one attribute its value.

    Different values have different names: in an intersection, a value that holds the sign between
    values, or begins with a quote, is put in quotes.

    Examples
    --------
    >>> intersection_label(["female", "60+"]), intersection_label(["2×4", "oak"])
    ('female×60+', '"2×4"×oak')
    """
    return values[0] if len(values) == 1 else names.INTERSECTION.join(map(_part, values))


def _part(value: str) -> str:
    if names.INTERSECTION not in value and not value.startswith('"'):
        return value
    return '"' + value.replace('"', '""') + '"'


def label_values(attribute: str, label: str) -> list[str]:
    """Return the value of each attribute that a group stands for; see `intersection_label`.

    Examples
    --------
    >>> label_values("size×wood", '"2×4"×oak'), label_values("size", "2×4")
    (['2×4', 'oak'], ['2×4'])
    """
    if names.INTERSECTION not in attribute:
        return [label]
    return [quoted.replace('""', '"') or plain for quoted, plain in _PARTS.findall(label)]


def combined(
    columns: Sequence[Codes],
    values: Sequence[Sequence[str]],
    rows: npt.ArrayLike | None = None,
    *,
    most: int = MOST_GROUPS,
) -> tuple[list[str], Integers]:
    """Return the groups that values of attributes make together, and the group of each row.

    All products of the values if these are at most ``most``, those without a row among them; else
    only those that occur. If more than ``most`` occur, the largest stand by themselves, of equal
    ones the first in sorted order, and the others are one group, `pooled_label`, which is the last
    of ``most``.

    Parameters
    ----------
    columns : sequence of ndarray, (N,)
        Codes of each attribute.
    values : sequence of sequence of str
        Its values, sorted.
    rows : array_like, (N,), optional
        What each row or cell counts for in the size of its group; 1 without.
    most : int

    Returns
    -------
    labels : list of str
    codes : ndarray of int, (N,)
    """
    if math.prod(map(len, values)) <= most:
        codes = np.zeros(len(columns[0]), dtype=np.int64)
        for column, own in zip(columns, values, strict=True):
            codes = codes * len(own) + column
        return [intersection_label(group) for group in itertools.product(*values)], codes
    labels, codes = occurring(columns, values)
    return _pooled(labels, codes, rows, most)


def occurring(
    columns: Sequence[Codes], values: Sequence[Sequence[str]]
) -> tuple[list[str], Integers]:
    """Return the combinations of values that occur, in sorted order, and that of each row.

    See `combined`; all values of a single attribute are taken to occur.
    """
    if len(values) > 1:
        values = [list(map(_part, own)) for own in values]
    labels, codes = list(values[0]), columns[0].astype(np.int64)
    for column, own in zip(columns[1:], values[1:], strict=True):
        # Numbered afresh after each attribute, so that the products fit into an integer.
        found, codes = np.unique(codes * len(own) + column, return_inverse=True)
        first, second = np.divmod(found, len(own))
        labels = [
            f"{labels[i]}{names.INTERSECTION}{own[j]}"
            for i, j in zip(first.tolist(), second.tolist(), strict=True)
        ]
    return labels, codes


def _pooled(
    labels: list[str], codes: Integers, rows: npt.ArrayLike | None, most: int
) -> tuple[list[str], Integers]:
    if len(labels) <= most:
        return labels, codes
    weights = None if rows is None else np.asarray(rows, dtype=np.float64)
    size = np.bincount(codes, weights, minlength=len(labels))
    large = most - 1
    kept = np.sort(np.argsort(-size, kind="stable")[:large])
    moved = np.full(len(labels), large)
    moved[kept] = np.arange(large)
    others = pooled_label(len(labels) - large)
    return [*(labels[i] for i in kept), others], moved[codes].astype(np.int64)


def groups_of(
    cells: ContingencyTable, chosen: Sequence[str]
) -> tuple[ContingencyTable, str, list[str], Integers]:
    """Return the cells of a combination of attributes, its name, its groups, each cell's group.

    The name of an intersection is ``sex×age_band`` and a group of it ``female×60+``; see
    `combined`. No attribute at all gives `names.OVERALL` with the one group
    `names.EVERYONE`.
    """
    own = cells.of(chosen)
    if not chosen:
        return own, names.OVERALL, [names.EVERYONE], np.zeros(len(own.n), dtype=np.int64)
    name = names.INTERSECTION.join(chosen)
    if cells.margins:
        return own, name, list(own.values[0]), own.codes[:, 0]
    places = [own.attributes.index(attribute) for attribute in chosen]
    labels, codes = combined(
        [own.codes[:, place] for place in places],
        [own.values[place] for place in places],
        own.n,
        most=own.most,
    )
    return own, name, labels, codes
