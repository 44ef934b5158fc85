"""Bootstrap replicates of group rates, drawn from the contingency table alone.

Drawing rows with replacement and counting them is one multinomial draw over the cells: the law is
the row bootstrap's, the cost does not depend on the rows. Where rows come in entities, entities are
drawn instead (the cluster bootstrap). For functions of rates that have no interval of their own,
such as the widest of several gaps of several metrics. ``R`` replicates, ``G`` groups.

Source: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), sections 2.2, 3.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from plumbline.metrics.groups.contingency import ContingencyTable, without_scores
from plumbline.metrics.groups.grouping import groups_of
from plumbline.metrics.intervals.survey_design import Design

Floats = npt.NDArray[np.float64]


def replicate_confusions(
    contingency: ContingencyTable, chosen: Sequence[str], *, replicates: int, seed: int
) -> tuple[list[str], Floats, Floats]:
    """Return the groups of a combination, their confusions ``(G, 4)`` and replicates ``(R, G, 4)``.

    Sums of weights, in the order of `shares.CELLS`.
    """
    cells, _, labels, codes = groups_of(without_scores(contingency), chosen)
    positive = cells.classes.index(str(cells.positive))
    truth, decision = cells.true == positive, cells.decided == positive
    # tp, fp, tn, fn, in the order of `shares.CELLS`.
    kind = np.where(decision, np.where(truth, 0, 1), np.where(truth, 3, 2))
    place = codes * 4 + kind
    counts: Floats = np.bincount(place, cells.weight, minlength=len(labels) * 4).astype(np.float64)
    drawn = replicate_counts(cells, place, len(labels) * 4, replicates=replicates, seed=seed)
    return labels, counts.reshape(-1, 4), drawn.reshape(replicates, len(labels), 4)


def replicate_counts(
    cells: ContingencyTable, place: npt.NDArray[np.int64], width: int, *, replicates: int, seed: int
) -> Floats:
    """Return the replicates of sums of weights, ``(R, width)``, of cells summed by their place.

    Parameters
    ----------
    cells : ContingencyTable
    place : ndarray, (C,)
        In 0…width - 1, for each cell.
    width, replicates, seed : int
    """
    if cells.clustered:
        design = Design(cells.weight, _by_content(cells, place, width))
        return design.replicates(place, width, replicates=replicates, seed=seed)
    rng = np.random.default_rng(seed)
    if not cells.weighted:
        counts = np.bincount(place, weights=cells.n, minlength=width)
        total = int(counts.sum())
        return rng.multinomial(total, counts / total, size=replicates).astype(np.float64)
    # Cells of one place differ in weight: counts of cells are drawn, then weighted by their means.
    order = np.lexsort((cells.weight, cells.n, place))
    cells, place = replace(cells, n=cells.n[order], weight=cells.weight[order]), place[order]
    drawn = rng.multinomial(cells.total, cells.n / cells.total, size=replicates)
    summed = np.zeros((replicates, width))
    np.add.at(summed.T, place, (drawn * (cells.weight / cells.n)).T)
    return summed


def _by_content(
    cells: ContingencyTable, place: npt.NDArray[np.int64], width: int
) -> npt.NDArray[np.int64]:
    """Return the entity of each cell, numbered by what the entities hold.

    Draws go by number: so they depend neither on the entities' names nor on the order of rows.
    Entities are sorted by a random projection of their weights by place; two that have one sum are
    alike, so that exchanging them changes nothing.
    """
    direction = np.random.default_rng(0).normal(size=width)
    content = np.bincount(cells.cluster, cells.weight * direction[place])
    order = np.argsort(np.round(content, 9), kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    return number[cells.cluster]
