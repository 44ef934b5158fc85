"""The law of the largest standardised difference of subgroups whose rows are weighted or repeated.

Such rows cannot be exchanged for one another. Instead the sums over their independent units, rows
or entities, are taken for normal: a unit's weighted deviations from the rate of all are multiplied
by normal numbers (V. Chernozhukov, D. Chetverikov and K. Kato, "Gaussian approximations and
multiplier bootstrap for maxima of sums of high-dimensional random vectors", Annals of Statistics 41
(2013) 2786-2819). Subgroups too small for that are left out.

A subgroup with few hits by chance has a small estimated variance too, which would make its low rate
look certain. So its variance is at least the pooled one: the variance per squared weight of a unit,
pooled over all subgroups of the same attributes, as equal rates imply. ``P`` patterns of attribute
values, ``U`` units, ``G`` subgroups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.intervals import shares

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_DRAWN = 2**24  # normal numbers at a time


@dataclass(frozen=True)
class Outcome:
    """Weighted rows of a rate by pattern ``(P,)``, and what its units contribute, ``(P, U)``.

    Attributes
    ----------
    whole, hits : ndarray
        Summed weights of the rows that count, and of those among them that are hits.
    deviations, weights : sparse array
        Of each unit: root of the sum of squares, over its independent parts, of weight × (hit -
        rate of all); summed weight.
    units : sparse array
        Rows of each unit, or 1 for an entity that has any.
    clustered : bool
        Are the units entities, which may be in several patterns.
    """

    whole: Floats
    hits: Floats
    deviations: Any
    weights: Any
    units: Any
    clustered: bool


def outcome(
    cells: ContingencyTable, rows: Integers, patterns: int, counted: npt.NDArray[np.bool_],
    hit: npt.NDArray[np.bool_],
) -> Outcome:  # fmt: skip
    """Return the sums of a rate by pattern; ``rows`` is the pattern of each cell."""
    from scipy.sparse import csr_array

    weight = cells.weight * counted
    whole, hits = (
        np.bincount(rows, weights=values, minlength=patterns).astype(np.float64)
        for values in (weight, weight * hit)
    )
    deviation = hit - hits.sum() / max(whole.sum(), np.finfo(float).tiny)

    def by_unit(values: Floats, unit: Integers) -> Any:
        return csr_array((values, (rows, unit)), shape=(patterns, int(unit.max(initial=0)) + 1))

    if cells.clustered:
        present = by_unit((cells.n * counted).astype(np.float64), cells.cluster)
        present.data = np.sign(present.data)
        return Outcome(
            whole, hits, by_unit(weight * deviation, cells.cluster),
            by_unit(weight, cells.cluster), present, clustered=True,
        )  # fmt: skip
    # The rows of a cell are independent: their squares add up, as those of one unit would.
    unit, root = np.arange(len(rows)), np.sqrt(cells.weight2) * counted
    return Outcome(
        whole, hits, by_unit(root * deviation, unit), by_unit(root, unit),
        by_unit((cells.n * counted).astype(np.float64), unit), clustered=False,
    )  # fmt: skip


def search(
    made: Outcome,
    members: Any,
    kind: Integers,
    options: AuditOptions,
    *,
    shown: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the ``shown`` most different subgroups, with p of the maximum over all of them.

    ``members (G, P)`` says which patterns a subgroup holds, ``kind (G,)`` which attributes describe
    it: subgroups of one kind have no row in common. A subgroup is searched if it and the others
    have ``min_group_size`` units, and `shares.FEW` hits and misses would be expected of as many
    independent rows as its effective size.
    """
    from scipy.sparse import csr_array

    size, total = members @ made.whole, made.whole.sum()
    rate = made.hits.sum() / total if total > 0 else np.nan
    units = _units(members, made)
    everyone = float(_units(csr_array(np.ones((1, len(made.whole)))), made)[0])
    weights, deviations = members @ made.weights, members @ made.deviations
    squares = _squares(weights)
    effective = np.divide(size**2, squares, out=np.zeros(len(size)), where=squares > 0)
    kept = np.flatnonzero(
        (units >= options.min_group_size)
        & (everyone - units >= options.min_group_size)
        & (size < total)
        & (effective * min(rate, 1 - rate) >= shares.FEW)
    )
    if not len(kept) or not 0 < rate < 1:
        return {"p": np.empty(0), "searched": len(kept)}
    per_weight = _pooled(_squares(deviations), kind) / _pooled(squares, kind)
    members, part, hits = members[kept], size[kept] / total, members[kept] @ made.hits
    variance = _beside_all(deviations[kept], made.deviations, part)
    pooled = per_weight[kept] * _beside_all(weights[kept], made.weights, part)
    sd = np.sqrt(np.maximum(variance, np.finfo(float).tiny))
    z = (hits - size[kept] * rate) / np.maximum(sd, np.sqrt(np.maximum(pooled, 0)))
    null = np.sort(_largest(made.deviations, members, part, sd, options.replicates, rng))
    order = np.argsort(-np.abs(z), kind="stable")[:shown]
    beyond = len(null) - np.searchsorted(null, np.abs(z[order]) - 1e-9)
    return {
        "p": (1 + beyond) / (1 + len(null)),
        "place": kept[order],
        "n": units[kept][order],
        "value": hits[order] / size[kept][order],
        "others": (made.hits.sum() - hits[order]) / (total - size[kept][order]),
        "z": z[order],
        "searched": len(kept),
    }


def _squares(sums: Any) -> Floats:
    """Return the sum over units of the squares, of each row of a sparse array."""
    return np.asarray(sums.multiply(sums).sum(axis=1), dtype=np.float64).ravel()


def _pooled(values: Floats, kind: Integers) -> Floats:
    """Return for each subgroup the sum over all subgroups of its kind."""
    return np.bincount(kind, weights=values).astype(np.float64)[kind]


def _beside_all(own: Any, patterns: Any, part: Floats) -> Floats:
    """Return the sum of squares over units of a subgroup's sum minus its part of the sum of all."""
    everyone = np.asarray(patterns.sum(axis=0)).ravel()
    return np.asarray(
        _squares(own) - 2 * part * (own @ everyone) + part**2 * (everyone**2).sum(),
        dtype=np.float64,
    )


def _units(members: Any, made: Outcome) -> Floats:
    """Return rows of each subgroup, or its entities: one in several patterns counts once."""
    own = members @ made.units
    if made.clustered:
        own.data = np.sign(own.data)
    return np.asarray(own.sum(axis=1), dtype=np.float64).ravel()


def _largest(
    deviations: Any,
    members: Any,
    part: Floats,
    sd: Floats,
    replicates: int,
    rng: np.random.Generator,
) -> Floats:
    of_all = np.asarray(deviations.sum(axis=0)).ravel()
    found, width = [], max(1, min(256, _DRAWN // len(of_all)))
    for start in range(0, replicates, width):
        drawn = rng.normal(size=(len(of_all), min(width, replicates - start)))
        sums = members @ (deviations @ drawn) - part[:, None] * (of_all @ drawn)
        found.append(np.abs(sums / sd[:, None]).max(axis=0))
    return np.concatenate(found)
