"""Thresholds of the scores that a contingency table holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plumbline.errors import MetricError
from plumbline.metrics.groups.contingency import ContingencyTable, collapse
from plumbline.metrics.groups.score_bins import GRID, on_grid


def decide(
    cells: ContingencyTable, threshold: float | dict[str, float], *, attribute: str = ""
) -> ContingencyTable:
    """Return the table as if those with a score of at least ``threshold`` had been selected.

    Parameters
    ----------
    threshold : float or dict
        One for all, or one for each value of ``attribute``, for which the table must be whole.

    Raises
    ------
    MetricError
        If there are no scores or no positive class among two, or a threshold lies inside a bin.
    """
    if not cells.scored or cells.positive is None or len(cells.classes) != 2:
        raise MetricError(
            "counts: a threshold must be set on the scores of two classes, got none; count scores"
        )
    if isinstance(threshold, dict):
        place = cells.attributes.index(attribute)
        wanted = np.array([threshold[value] for value in cells.values[place]])[
            cells.codes[:, place]
        ]
    else:
        wanted = np.full(len(cells.n), threshold)
    if cells.ranges:
        known = np.isin(wanted, cells.edges)
        inside = ~(known | on_grid(wanted)) if cells.probabilities else ~known
        if inside.any():
            first = wanted[inside][0]
            nearest = cells.edges[np.abs(cells.edges - first).argmin()]
            rule = f"a multiple of 1/{GRID}" if cells.probabilities else "the edge of a bin"
            raise MetricError(
                f"counts: threshold must be {rule}, as the scores are in bins, got {first:g}; "
                f"the nearest edge is {nearest!s}"
            )
    positive = cells.classes.index(cells.positive)
    selected = cells.edges[cells.bin] >= wanted - 1e-12
    decided = np.where(selected, positive, 1 - positive)
    margins = tuple(decide(margin, threshold) for margin in cells.margins)
    return collapse(replace(cells, decided=decided, margins=margins))
