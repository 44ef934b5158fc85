"""The cells of each group of a contingency table with scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.metrics.groups.confusions import combinations
from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.groups.grouping import groups_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScoredCells:
    """Cells of one group: arrays ``(c,)``.

    Attributes
    ----------
    bin, cluster, n, weight, weight2
        As those of `ContingencyTable`.
    positive : ndarray of bool
        Is the label positive.
    score : ndarray
        Mean score of the cell.
    lowest : ndarray
        Lowest score of the bin.
    wide : ndarray of bool
        May the bin hold several scores.
    weighted, clustered : bool
    """

    bin: Integers
    positive: npt.NDArray[np.bool_]
    cluster: Integers
    n: Integers
    weight: Floats
    weight2: Floats
    score: Floats
    lowest: Floats
    wide: npt.NDArray[np.bool_]
    weighted: bool
    clustered: bool

    @property
    def units(self) -> int:
        """Independent rows, or entities."""
        return len(np.unique(self.cluster)) if self.clustered else int(self.n.sum())

    def effective(self, side: npt.NDArray[np.bool_] | None = None) -> float:
        """Return ``(Σ w)² / Σ_e w_e²`` over the units e, of some cells: rows, if they are plain."""
        chosen = np.ones(len(self.n), dtype=bool) if side is None else side
        if self.clustered:
            own = np.unique(self.cluster[chosen], return_inverse=True)[1]
            squares = float((np.bincount(own, weights=self.weight[chosen]) ** 2).sum())
        else:
            squares = float(self.weight2[chosen].sum())
        whole = float(self.weight[chosen].sum())
        return whole**2 / squares if squares > 0 else 0.0

    def variance_of_sum(self, influence: Floats, *, by_row: bool = False) -> float:
        """Return the variance of ``Σ w x`` of influences ``(c,)``; NaN of one unit.

        Between entities if there are any and it is not to be ``by_row``.
        """
        units = self.units
        if units < 2:
            return float("nan")
        if self.clustered and not by_row:
            own = np.unique(self.cluster, return_inverse=True)[1]
            squares = float((np.bincount(own, weights=self.weight * influence) ** 2).sum())
        else:
            squares = float((self.weight2 * influence**2).sum())
        return squares * units / (units - 1)


def scored_groups(
    contingency: ContingencyTable, max_order: int
) -> Iterator[tuple[str, str, ScoredCells]]:
    """Yield attribute, group and cells of all rows, of every group, and of every intersection."""
    held, columns = contingency, _columns(contingency)
    for chosen in combinations(contingency.attributes, max_order=max_order, overall=True):
        cells, attribute, labels, codes = groups_of(contingency, chosen)
        if cells is not held:
            held, columns = cells, _columns(cells)
        # Cells stand in the order of the first attributes' groups, whose cells are then a slice.
        sorted_ = bool((codes[:-1] <= codes[1:]).all())
        order = None if sorted_ else np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes, np.arange(len(labels) + 1), sorter=order)
        for i, label in enumerate(labels):
            span = slice(ends[i], ends[i + 1])
            own = span if order is None else order[span]
            yield (
                attribute,
                label,
                ScoredCells(
                    **{name: column[own] for name, column in columns.items()},
                    weighted=contingency.weighted,
                    clustered=contingency.clustered,
                ),
            )


def _columns(contingency: ContingencyTable) -> dict[str, npt.NDArray[Any]]:
    lowest = contingency.edges[contingency.bin]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = contingency.score / contingency.weight
    mean = np.where(contingency.weight == 0, lowest, mean)
    above = np.append(contingency.edges[1:], np.inf)
    wide = (above > np.nextafter(contingency.edges, np.inf)) & contingency.ranges
    return {
        "bin": contingency.bin,
        "positive": contingency.true == contingency.classes.index(str(contingency.positive)),
        "cluster": contingency.cluster,
        "n": contingency.n,
        "weight": contingency.weight,
        "weight2": contingency.weight2,
        "score": mean,
        "lowest": lowest,
        "wide": wide[contingency.bin],
    }
