"""The subgroup that differs most from everyone else, with p of the maximum.

All conjunctions of up to ``max_order`` attribute values are searched. The largest of many
standardised differences is large by chance too, so p is of the maximum: outcomes are permuted over
the rows, which on counts is one multivariate hypergeometric draw over the cells, and every
permutation is searched like the data (Westfall and Young, "Resampling-Based Multiple Testing",
1993, section 2.3). Rows with weights or of entities are no rows to be exchanged: see
`subgroup_draws`. On data without any effect a subgroup is called different in at most a share
1 - confidence of the searches, whatever the number of subgroups.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.audit.options import AuditOptions
from plumbline.audit.subgroups import draws
from plumbline.metrics.groups.contingency import ContingencyTable, without_scores
from plumbline.metrics.intervals import shares

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_SHOWN = 5
_BLOCK = 256


def search(contingency: ContingencyTable, options: AuditOptions) -> list[dict[str, Any]]:
    """Return the subgroups with the largest standardised differences, for each searched rate.

    Parameters
    ----------
    contingency : ContingencyTable
        Without a positive class each class is compared with the rest, and accuracy searched once.
    options : AuditOptions
        ``max_order`` is the largest number of attributes in a conjunction.

    Returns
    -------
    list of dict
        ``metric, subgroup, n, value, others, z, p, p_holm, searched, verdict``: ``subgroup`` is a
        mapping of attributes to values, ``n`` its rows, or its entities if rows have such, ``p``
        of the maximum over all ``searched`` subgroups, ``p_holm`` also over the rates. At most
        five for each rate, most different first.
    """
    cells = without_scores(contingency)
    rows, patterns = _patterns(cells)
    conjunctions, members, kind = _conjunctions(cells, patterns, options.max_order)
    rng, found, best = np.random.default_rng(options.seed), [], []
    for metric, (counted, hit) in _outcomes(cells).items():
        result = _searched(cells, rows, len(patterns), (counted, hit), members, kind,
                           options, rng)  # fmt: skip
        best.append(result["p"].min(initial=1.0) if len(result["p"]) else np.nan)
        found.append((metric, result))
    adjusted = shares.holm(best)
    return [
        _entry(
            metric, conjunctions, result, i, best[place], float(adjusted[place]), options.confidence
        )
        for place, (metric, result) in enumerate(found)
        for i in range(min(_SHOWN, len(result["p"])))
    ]


def _outcomes(cells: ContingencyTable) -> dict[str, tuple[Flags, Flags]]:
    """Return by rate which cells count, and which of them are hits; without labels selection."""
    everyone, right = np.ones(len(cells.n), dtype=bool), cells.true == cells.decided
    found: dict[str, tuple[Flags, Flags]] = {}
    for code, label in enumerate(cells.classes):
        if cells.positive not in (None, label):
            continue
        of = "" if cells.positive else f"/{label}"
        truth, decision = cells.true == code, cells.decided == code
        found[names.SELECTION_RATE + of] = (everyone, decision)
        if cells.labelled:
            found |= {names.TPR + of: (truth, decision), names.FPR + of: (~truth, decision)}
    return found | ({names.ACCURACY: (everyone, right)} if cells.labelled else {})


def _searched(
    cells: ContingencyTable,
    rows: Integers,
    patterns: int,
    outcome: tuple[Flags, Flags],
    members: Any,
    kind: Integers,
    options: AuditOptions,
    rng: np.random.Generator,
) -> dict[str, Any]:
    counted, hit = outcome
    if cells.weighted or cells.clustered:
        made = draws.outcome(cells, rows, patterns, counted, hit)
        return draws.search(made, members, kind, options, shown=_SHOWN, rng=rng)
    n = _sum(rows, cells.n * counted, patterns)
    k = _sum(rows, cells.n * (counted & hit), patterns)
    return _search(n, k, members, options, rng)


def _entry(
    metric: str,
    conjunctions: list[dict[str, str]],
    result: dict[str, npt.NDArray[Any]],
    i: int,
    best: float,
    adjusted: float,
    confidence: float,
) -> dict[str, Any]:
    p = float(result["p"][i])
    # Holm's factor of the rate's smallest p holds for its other subgroups as well.
    p_holm = min(p * adjusted / best, 1.0)
    return {
        "metric": metric,
        "subgroup": conjunctions[int(result["place"][i])],
        "n": int(result["n"][i]),
        "value": float(result["value"][i]),
        "others": float(result["others"][i]),
        "z": float(result["z"][i]),
        "p": p,
        "p_holm": p_holm,
        "searched": int(result["searched"]),
        "verdict": names.DIFFERENCE if p_holm <= 1 - confidence else names.INCONCLUSIVE,
    }


def _search(
    n: Integers,
    k: Integers,
    members: Any,
    options: AuditOptions,
    rng: np.random.Generator,
) -> dict[str, Any]:
    total, successes = int(n.sum()), int(k.sum())
    size = members @ n.astype(np.float64)
    kept = np.flatnonzero(
        (size >= options.min_group_size) & (total - size >= options.min_group_size)
    )
    members, size = members[kept], size[kept]
    if not len(kept) or successes in (0, total):
        return {"p": np.empty(0), "searched": len(kept)}
    share = successes / total
    # Variance of a hypergeometric count: exact under permutation.
    sd = np.sqrt(size * share * (1 - share) * (total - size) / (total - 1))

    def standardised(counts: Floats) -> Floats:
        z: Floats = (members @ counts - size[:, None] * share) / sd[:, None]
        return z

    z = standardised(k.astype(np.float64)[:, None])[:, 0]
    largest = []
    for start in range(0, options.replicates, _BLOCK):
        drawn = rng.multivariate_hypergeometric(
            n, successes, size=min(_BLOCK, options.replicates - start), method="marginals"
        )
        largest.append(np.abs(standardised(drawn.T.astype(np.float64))).max(axis=0))
    null = np.sort(np.concatenate(largest))
    order = np.argsort(-np.abs(z), kind="stable")[:_SHOWN]
    # Ties in floating point must count against the data.
    beyond = len(null) - np.searchsorted(null, np.abs(z[order]) - 1e-9)
    hits = members[order] @ k.astype(np.float64)
    return {
        "p": (1 + beyond) / (1 + len(null)),
        "place": kept[order],
        "n": size[order],
        "value": hits / size[order],
        "others": (successes - hits) / (total - size[order]),
        "z": z[order],
        "searched": len(kept),
    }


def _patterns(cells: ContingencyTable) -> tuple[Integers, Integers]:
    """Return the row of each cell among the distinct combinations of values, and these."""
    patterns, rows = np.unique(cells.codes, axis=0, return_inverse=True)
    return rows.reshape(-1), patterns


def _conjunctions(
    cells: ContingencyTable, patterns: Integers, max_order: int
) -> tuple[list[dict[str, str]], Any, Integers]:
    """Return every conjunction of known values, which patterns it holds (sparse), and its kind.

    Conjunctions of the same attributes are of one kind.
    """
    from scipy.sparse import csr_array

    named: list[dict[str, str]] = []
    rows, columns = [], []
    kinds: list[Integers] = []
    for order in range(1, max_order + 1):
        for places in itertools.combinations(range(len(cells.attributes)), order):
            found, own = np.unique(patterns[:, places], axis=0, return_inverse=True)
            rows.append(own.reshape(-1) + len(named))
            columns.append(np.arange(len(patterns)))
            kinds.append(np.full(len(found), len(kinds)))
            named += [
                {
                    cells.attributes[p]: cells.values[p][c]
                    for p, c in zip(places, codes, strict=True)
                }
                for codes in found
            ]
    row, column = np.concatenate(rows), np.concatenate(columns)
    members = csr_array((np.ones(len(row)), (row, column)), shape=(len(named), len(patterns)))
    known = np.flatnonzero([names.UNKNOWN not in conjunction.values() for conjunction in named])
    return [named[i] for i in known], members[known], np.concatenate(kinds)[known]


def _sum(rows: Integers, values: Integers, size: int) -> Integers:
    return np.bincount(rows, weights=values, minlength=size).astype(np.int64)
