"""Confusion counts of groups, read off the contingency table. ``G`` groups."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline.metrics.groups.contingency import ContingencyTable, without_scores
from plumbline.metrics.groups.counting import sum_by
from plumbline.metrics.groups.grouping import groups_of
from plumbline.metrics.intervals import shares

Floats = npt.NDArray[np.float64]

# A table by columns of one length: building a frame takes longer than counting 100,000 rows.
Columns = dict[str, npt.NDArray[Any]]

COUNT_COLUMNS = ["attribute", "group", "class", "n", "tp", "fp", "tn", "fn"]
PAIRS = list(itertools.combinations_with_replacement(range(4), 2))
DESIGN_COLUMNS = [
    *(f"weight_{cell}" for cell in shares.CELLS),
    *(f"moment_{shares.CELLS[i]}_{shares.CELLS[j]}" for i, j in PAIRS),
    *(f"square_{cell}" for cell in shares.CELLS),
    "units",
]


def combinations(
    attributes: Sequence[str], *, max_order: int, overall: bool = False
) -> list[tuple[str, ...]]:
    """Return the attributes and their intersections up to ``max_order``, single ones first.

    With ``overall`` the empty combination, one group of all rows, stands before them.
    """
    return [
        chosen
        for order in range(0 if overall else 1, max_order + 1)
        for chosen in itertools.combinations(attributes, order)
    ]


def contingency_to_counts(
    contingency: ContingencyTable, *, max_order: int, overall: bool = False
) -> pd.DataFrame:
    """Return `count_columns` as a frame."""
    return pd.DataFrame(count_columns(contingency, max_order=max_order, overall=overall))


def count_columns(
    contingency: ContingencyTable, *, max_order: int, overall: bool = False
) -> Columns:
    """Return confusion counts of every group, one row per group (and class, if many).

    Parameters
    ----------
    contingency : ContingencyTable
    max_order : int
        1: single attributes; 2: intersections of two as well; and so on.
    overall : bool
        Put the counts of all rows before those of the groups.

    Returns
    -------
    dict of ndarray
        `COUNT_COLUMNS`; ``class`` is None where there is a positive class. Of weighted or
        clustered rows also `DESIGN_COLUMNS`.
    """
    whole, rows, counts, designs = without_scores(contingency), [], [], []
    weighed = contingency.weighted or contingency.clustered
    for chosen in combinations(contingency.attributes, max_order=max_order, overall=overall):
        cells, name, groups, codes = groups_of(whole, chosen)
        for k, label in enumerate(contingency.classes):
            if contingency.positive not in (None, label):
                continue
            # tp, fp, tn, fn, in the order of `shares.CELLS`.
            kind = np.where(
                cells.decided == k,
                np.where(cells.true == k, 0, 1),
                np.where(cells.true == k, 3, 2),
            )
            rows += [(name, group, None if contingency.positive else label) for group in groups]
            counts.append(_by_kind(codes, kind, cells.n.astype(np.float64), len(groups)))
            if weighed:
                designs.append(_design(cells, codes, kind, len(groups)))
    if not rows:
        return {name: np.empty(0, dtype=object) for name in COUNT_COLUMNS}
    sums = np.concatenate(counts).astype(np.int64)
    columns: Columns = dict(
        zip(("attribute", "group", "class"), np.array(rows, dtype=object).T, strict=True)
    )
    columns["n"] = sums.sum(axis=1)
    columns |= dict(zip(shares.CELLS, sums.T, strict=True))
    if weighed:
        columns |= dict(zip(DESIGN_COLUMNS, np.concatenate(designs).T, strict=True))
        if contingency.positive is None:
            columns |= _accuracies(whole, max_order=max_order, overall=overall)
    return columns


def _by_kind(
    codes: npt.NDArray[np.int64], kind: npt.NDArray[np.int64], values: Floats, groups: int
) -> Floats:
    return sum_by(codes * 4 + kind, values, groups * 4).reshape(groups, 4)


def _accuracies(whole: ContingencyTable, *, max_order: int, overall: bool) -> dict[str, Floats]:
    """Return the share of right decisions and its effective size, of all classes together.

    A group has them in the row of each of its classes.
    """
    found = []
    for chosen in combinations(whole.attributes, max_order=max_order, overall=overall):
        cells, _, groups, codes = groups_of(whole, chosen)
        kind = np.where(cells.decided == cells.true, 0, 3)
        share = design_to_share(_design(cells, codes, kind, len(groups)), ("tp",), ("tp", "fn"))
        found += [np.stack(share)] * len(whole.classes)
    value, size = np.concatenate(found, axis=1)
    return {"accuracy": value, "accuracy_size": size}


def design_to_share(
    design: Floats, above: tuple[str, ...], below: tuple[str, ...]
) -> tuple[Floats, Floats]:
    """Return value and effective size of a share of weighted or clustered rows, ``(G,)`` each.

    ``design`` are `DESIGN_COLUMNS`, ``(G, 19)``.
    """
    sums, products, squares, _ = np.split(design, [4, 14, 18], axis=1)
    moments = np.empty((len(design), 4, 4))
    for (i, j), column in zip(PAIRS, products.T, strict=True):
        moments[:, i, j] = moments[:, j, i] = column
    inside, counted = (np.array([c in part for c in shares.CELLS]) for part in (above, below))
    whole = sums @ counted
    value = np.divide(sums @ inside, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return value, shares.effective_size(sums, moments, squares, above=above, below=below)


def _design(
    cells: ContingencyTable, codes: npt.NDArray[np.int64], kind: npt.NDArray[np.int64], groups: int
) -> Floats:
    """Return `DESIGN_COLUMNS`, ``(G, 19)``.

    Summed weights, their products within units, their squares, and the number of units.
    """
    squares = _by_kind(codes, kind, cells.weight2, groups)
    sums = _by_kind(codes, kind, cells.weight, groups)
    products: list[Floats]
    if cells.clustered:
        _, pair = np.unique(
            codes * (int(cells.cluster.max(initial=0)) + 1) + cells.cluster, return_inverse=True
        )
        size = int(pair.max(initial=-1)) + 1
        within = _by_kind(pair, kind, cells.weight, size)
        group = np.zeros(size, dtype=np.int64)
        group[pair] = codes
        units = sum_by(group, np.ones(size), groups)
        products = [sum_by(group, within[:, i] * within[:, j], groups) for i, j in PAIRS]
    else:
        units = sum_by(codes, cells.n.astype(np.float64), groups)
        zero = np.zeros(groups)
        products = [squares[:, i] if i == j else zero for i, j in PAIRS]
    return np.stack([*sums.T, *products, *squares.T, units], axis=1)
