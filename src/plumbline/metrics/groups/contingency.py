"""The contingency table: attribute values × label × decision × score bin.

It suffices for every rate, gap, intersection, threshold and interval of an audit: neither model nor
data are needed again, and parts counted apart are added. Only cells that occur are stored. ``C``
cells, ``A`` attributes, ``B`` bins, ``G`` groups, ``K`` classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.groups.counting import (
    MOST_GROUPS,
    Codes,
    Floats,
    Integers,
    attribute_codes,
    count_rows,
)
from plumbline.metrics.groups.score_bins import score_bins


@dataclass(frozen=True)
class ContingencyTable:
    """Counted rows of decisions.

    Attributes
    ----------
    attributes : tuple of str
    values : tuple of tuple of str
        Values of each attribute, sorted.
    classes : tuple of str
        Labels and decisions, by code.
    positive : str or None
        The class whose decision is a selection; None: each class against the rest.
    edges : ndarray, (B,)
        Lowest score of each bin; empty without scores.
    codes : ndarray, (C, A)
        Attribute values of each cell.
    true, decided, bin, cluster : ndarray, (C,)
        Class codes, bin (0 without scores) and entity (0 without entities) of each cell.
    n : ndarray of int, (C,)
        Rows.
    weight, weight2, score : ndarray, (C,)
        Sums over the rows of the weight, of its square, and of weight × score.
    weighted, clustered : bool
        Are weights other than 1; are there entities.
    ranges : bool
        Do bins hold several scores each (`score_bins`), so that thresholds lie on their edges.
    labelled : bool
        Is there a truth; without one ``true`` says nothing, and only decisions are counted.
    probabilities : bool
        Are scores probabilities of the positive class; others only rank, and may be any numbers.
    most : int
        Largest number of groups of a combination of attributes; see `grouping.combined`.
    margins : tuple of ContingencyTable
        Of a table that is too large to be kept whole: one of each combination of attributes, whose
        name and groups are those of its one attribute. The table itself is then summed over all
        attributes, and ``codes`` is (C, 0).
    """

    attributes: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    positive: str | None
    edges: Floats
    codes: Integers
    true: Integers
    decided: Integers
    bin: Integers
    cluster: Integers
    n: Integers
    weight: Floats
    weight2: Floats
    score: Floats
    weighted: bool = False
    clustered: bool = False
    ranges: bool = False
    labelled: bool = True
    probabilities: bool = True
    most: int = MOST_GROUPS
    margins: tuple[ContingencyTable, ...] = ()

    @property
    def total(self) -> int:
        """Rows in all."""
        return int(self.n.sum())

    @property
    def scored(self) -> bool:
        """Are there scores."""
        return len(self.edges) > 0

    def of(self, chosen: Sequence[str]) -> ContingencyTable:
        """Return the table whose cells have the groups of a combination: itself, or a margin.

        Raises
        ------
        MetricError
            If there are margins, but none of this combination.
        """
        if not self.margins or not chosen:
            return self
        wanted = (names.INTERSECTION.join(chosen),)
        for margin in self.margins:
            if margin.attributes == wanted:
                return margin
        raise MetricError(f"counts: {wanted[0]} must be counted, got a table without it")


def table_to_contingency(
    table: pd.DataFrame,
    *,
    attributes: Sequence[str],
    classes: Sequence[str],
    positive: str | None,
    score: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
    entity: npt.ArrayLike | None = None,
) -> ContingencyTable:
    """Count a table with ``y_true`` and ``y_pred`` codes and a column per attribute.

    Parameters
    ----------
    score : array_like, (N,), optional
        Probability of the positive class, in [0, 1].
    weight : array_like, (N,), optional
        Non-negative.
    entity : array_like, (N,), optional
        Whose row it is; rows of one entity do not vary independently.

    Raises
    ------
    MetricError
        If the table lacks an attribute, or a value or an entity is missing; if ``positive`` is no
        class.
    """
    if positive is not None and positive not in classes:
        raise MetricError(f"groups: positive must be one of {list(classes)}, got {positive!r}")
    columns, values = [], []
    for attribute in attributes:
        codes, found = attribute_codes(table, attribute)
        columns.append(codes)
        values.append(found)
    n = len(table)
    edges, bins, scores, ranges = score_bins(score, n)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    clusters = np.broadcast_to(np.int64(0), n)
    if entity is not None:
        clusters = pd.factorize(np.asarray(entity))[0]
        if missing := int(np.count_nonzero(clusters < 0)):
            raise MetricError(
                f"groups: entity must be known in every row, got {missing} rows without; leave "
                "them out, or give each an entity of its own"
            )
    true, decided = (_classes(table, side, len(classes)) for side in ("y_true", "y_pred"))
    keys = (clusters, *columns, true, decided, bins)
    made = _contingency(
        keys,
        (None, weights, None if weights is None else weights**2, _product(weights, scores)),
        attributes=tuple(attributes),
        values=tuple(values),
        classes=tuple(classes),
        positive=positive,
        edges=edges,
        weighted=weight is not None,
        clustered=entity is not None,
        ranges=ranges,
    )
    return _without_absent(made)


def _classes(table: pd.DataFrame, side: str, classes: int) -> Codes:
    codes = table[side].to_numpy()
    codes = codes if codes.dtype.kind in "iu" else codes.astype(np.int64)
    low, high = codes.min(initial=0), codes.max(initial=0)
    if low < 0 or high >= classes:
        raise MetricError(
            f"groups: {side} must be codes of the classes, 0 to {classes - 1}, got "
            f"{low if low < 0 else high}"
        )
    return codes


def _product(weights: Floats | None, scores: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
    return scores if weights is None or scores is None else weights * scores


def _contingency(
    keys: Sequence[Codes], sums: Sequence[npt.NDArray[Any] | None], **fields: Any
) -> ContingencyTable:
    """Return the table of rows or cells: entity, values, label, decision, bin; n, w, w², w·score.

    Without weights w is n.
    """
    values = () if fields.get("margins") else fields["values"]
    sizes = (
        int(keys[0].max(initial=0)) + 1 if fields["clustered"] else 1,
        *map(len, values),
        *[len(fields["classes"])] * 2,
        max(len(fields["edges"]), 1),
    )
    weight = sums[1:3] if fields["weighted"] else ()
    score = sums[3:] if len(fields["edges"]) else ()
    (cluster, *codes, true, decided, bins), totals = count_rows(
        keys, sizes, (sums[0], *weight, *score)
    )
    n = totals[0]
    return ContingencyTable(
        codes=np.stack(codes, axis=1) if codes else np.zeros((len(n), 0), dtype=np.int64),
        true=true,
        decided=decided,
        bin=bins,
        cluster=cluster,
        n=n.astype(np.int64),
        weight=totals[1] if weight else n,
        weight2=totals[2] if weight else n,
        score=totals[-1] if score else np.zeros(len(n)),
        **fields,
    )


def _without_absent(cells: ContingencyTable) -> ContingencyTable:
    """Return the table without the values that no cell has."""
    codes, values = cells.codes.copy(), []
    for place, own in enumerate(cells.values):
        present = np.bincount(codes[:, place], minlength=len(own)) > 0
        if present.all():
            values.append(own)
            continue
        codes[:, place] = (np.cumsum(present) - 1)[codes[:, place]]
        values.append(tuple(itertools.compress(own, present)))
    return replace(cells, codes=codes, values=tuple(values))


def collapse(cells: ContingencyTable) -> ContingencyTable:
    """Return the table with cells of the same keys summed, in the order of their keys."""
    return _contingency(
        (cells.cluster, *cells.codes.T, cells.true, cells.decided, cells.bin),
        (cells.n, cells.weight, cells.weight2, cells.score),
        **{
            name: getattr(cells, name)
            for name in ("attributes", "values", "classes", "positive", "edges", "weighted",
                         "clustered", "ranges", "labelled", "probabilities", "most", "margins")
        },
    )  # fmt: skip


def without_scores(cells: ContingencyTable) -> ContingencyTable:
    """Return the table summed over the score bins."""
    if not cells.scored:
        return cells
    return collapse(
        replace(
            cells, edges=np.empty(0), bin=np.zeros_like(cells.bin), ranges=False,
            margins=tuple(map(without_scores, cells.margins)),
        )
    )  # fmt: skip
