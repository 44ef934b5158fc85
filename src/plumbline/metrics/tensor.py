"""The count tensor: attribute values × label × decision × score bin.

It suffices for every rate, gap, intersection, threshold and interval of an audit: neither model nor
data are needed again, and parts counted apart are added. Only cells that occur are stored. ``C``
cells, ``A`` attributes, ``B`` bins, ``G`` groups, ``K`` classes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.errors import MetricError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Thousandths of the score are thresholds, and fifteenths (the bins of calibration) are whole bins.
BINS = 3000
# Up to so many different scores each is a bin of its own, and nothing is rounded.
EXACT = 50_000
_LARGEST_CODE = 2**62
_DENSE = 2**20  # cells that may be counted without sorting, whatever the rows


@dataclass(frozen=True)
class Tensor:
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

    @property
    def total(self) -> int:
        """Rows in all."""
        return int(self.n.sum())

    @property
    def scored(self) -> bool:
        """Are there scores."""
        return len(self.edges) > 0


def table_to_tensor(
    table: pd.DataFrame,
    *,
    attributes: Sequence[str],
    classes: Sequence[str],
    positive: str | None,
    score: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
    entity: npt.ArrayLike | None = None,
) -> Tensor:
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
        If the table lacks an attribute, or a value is missing; if ``positive`` is no class.
    """
    if positive is not None and positive not in classes:
        raise MetricError(f"groups: positive must be one of {list(classes)}, got {positive!r}")
    codes, values = np.zeros((len(table), len(attributes)), dtype=np.int64), []
    for i, attribute in enumerate(attributes):
        if attribute not in table.columns:
            raise MetricError(f"groups: table must have the attribute {attribute!r}, got no column")
        if table[attribute].isna().any():
            raise MetricError(
                f"groups: attribute {attribute!r} must be defined, got missing values; "
                "name them as a group of their own"
            )
        codes[:, i], found = pd.factorize(table[attribute].astype(str), sort=True)
        values.append(tuple(map(str, found)))
    edges, bins, scores = score_bins(score, len(table))
    weights = np.ones(len(table)) if weight is None else np.asarray(weight, dtype=np.float64)
    clusters = np.zeros(len(table), dtype=np.int64)
    if entity is not None:
        clusters = pd.factorize(np.asarray(entity))[0].astype(np.int64)
    rows = Tensor(
        attributes=tuple(attributes),
        values=tuple(values),
        classes=tuple(classes),
        positive=positive,
        edges=edges,
        codes=codes,
        true=table["y_true"].to_numpy(np.int64),
        decided=table["y_pred"].to_numpy(np.int64),
        bin=bins,
        cluster=clusters,
        n=np.ones(len(table), dtype=np.int64),
        weight=weights,
        weight2=weights**2,
        score=weights * scores,
        weighted=weight is not None,
        clustered=entity is not None,
    )
    return collapse(rows)


def score_bins(score: npt.ArrayLike | None, n: int) -> tuple[Floats, Integers, Floats]:
    """Return the lowest score of each bin, the bin of each row, and the scores.

    Up to `EXACT` different scores are a bin each; more go to `BINS` bins of one width, closed
    below.
    """
    if score is None:
        return np.empty(0), np.zeros(n, dtype=np.int64), np.zeros(n)
    scores = np.asarray(score, dtype=np.float64)
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1 + 1e-6):
        raise MetricError("tensor: scores must be in [0, 1], got values outside of it")
    # A part that has too many different scores already spares sorting the whole.
    if len(np.unique(scores[: 2 * EXACT])) <= EXACT:
        found, bins = np.unique(scores, return_inverse=True)
        if len(found) <= EXACT:
            return found, bins.astype(np.int64), scores
    # The small addend keeps a score that is a multiple of the width out of the bin below.
    return grid(), np.minimum((scores * BINS + 1e-9).astype(np.int64), BINS), scores


def grid() -> Floats:
    """Return the lower edges of bins of one width; a score of 1 has the last one to itself."""
    return np.arange(BINS + 1) / BINS


def collapse(tensor: Tensor) -> Tensor:
    """Return the tensor with cells of the same keys summed, in the order of their keys."""
    k = len(tensor.classes)
    sizes = (
        int(tensor.cluster.max(initial=0)) + 1,
        *map(len, tensor.values),
        k,
        k,
        max(len(tensor.edges), 1),
    )
    keys = (tensor.cluster, *tensor.codes.T, tensor.true, tensor.decided, tensor.bin)
    if math.prod(sizes) > _LARGEST_CODE:
        raise MetricError(
            f"tensor: attributes and entities must make at most {_LARGEST_CODE:,} cells, got "
            f"{math.prod(sizes):,}; band an attribute"
        )
    code = np.zeros(len(tensor.n), dtype=np.int64)
    for key, size in zip(keys, sizes, strict=True):
        code = code * size + key
    if math.prod(sizes) <= _DENSE + 4 * len(code):
        n = np.bincount(code, weights=tensor.n, minlength=math.prod(sizes))
        found = np.flatnonzero(n)
        place, n = code, n[found]

        def summed(values: Floats) -> Floats:
            return np.bincount(place, weights=values, minlength=math.prod(sizes))[found].astype(
                np.float64
            )

    else:
        found, place = np.unique(code, return_inverse=True)
        n = np.bincount(place, weights=tensor.n, minlength=len(found))

        def summed(values: Floats) -> Floats:
            return np.bincount(place, weights=values, minlength=len(found)).astype(np.float64)

    cluster, *codes, true, decided, bins = np.unravel_index(found, sizes)
    return replace(
        tensor,
        codes=np.stack(codes, axis=1) if codes else np.zeros((len(found), 0), dtype=np.int64),
        true=true,
        decided=decided,
        bin=bins,
        cluster=cluster,
        n=n.astype(np.int64),
        weight=summed(tensor.weight) if tensor.weighted else n.astype(np.float64),
        weight2=summed(tensor.weight2) if tensor.weighted else n.astype(np.float64),
        score=summed(tensor.score) if tensor.scored else np.zeros(len(found)),
    )


def add(parts: Sequence[Tensor]) -> Tensor:
    """Return the tensor of the parts taken together.

    Raises
    ------
    MetricError
        If the parts differ in attributes, classes, bins, or in whether they have weights; or if
        they have entities, which may stand in several parts.
    """
    kinds = {(t.attributes, t.classes, t.positive, t.edges.tobytes(), t.weighted) for t in parts}
    if len(kinds) != 1 or any(part.clustered for part in parts):
        raise MetricError(
            "tensor: parts must have the same attributes, classes and bins and no entities, "
            f"got {len(kinds)} kinds; count them together"
        )
    values = tuple(
        tuple(sorted(set(itertools.chain(*sets))))
        for sets in zip(*(part.values for part in parts), strict=True)
    )
    recoded = []
    for part in parts:
        moved = [
            np.searchsorted(whole, own)[codes] if len(own) else codes
            for whole, own, codes in zip(values, part.values, part.codes.T, strict=True)
        ]
        recoded.append(np.stack(moved, axis=1) if moved else part.codes)
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(part, field) for part in parts])
        for field in ("true", "decided", "bin", "cluster", "n", "weight", "weight2", "score")
    }
    return collapse(replace(parts[0], values=values, codes=np.concatenate(recoded), **joined))


def without_scores(tensor: Tensor) -> Tensor:
    """Return the tensor summed over the score bins."""
    if not tensor.scored:
        return tensor
    return collapse(replace(tensor, edges=np.empty(0), bin=np.zeros_like(tensor.bin)))


def decide(tensor: Tensor, threshold: float | dict[str, float], *, attribute: str = "") -> Tensor:
    """Return the tensor as if those with a score of at least ``threshold`` had been selected.

    Parameters
    ----------
    threshold : float or dict
        One for all, or one for each value of ``attribute``.

    Raises
    ------
    MetricError
        If there are no scores or no positive class among two, or a threshold lies inside a bin.
    """
    if not tensor.scored or tensor.positive is None or len(tensor.classes) != 2:
        raise MetricError(
            "tensor: a threshold must be set on the scores of two classes, got none; count scores"
        )
    if isinstance(threshold, dict):
        place = tensor.attributes.index(attribute)
        wanted = np.array([threshold[value] for value in tensor.values[place]])[
            tensor.codes[:, place]
        ]
    else:
        wanted = np.full(len(tensor.n), threshold)
    if np.array_equal(tensor.edges, grid()):
        inside = np.abs(wanted * BINS - np.round(wanted * BINS)) > 1e-6
        if inside.any():
            raise MetricError(
                f"tensor: threshold must be a multiple of 1/{BINS}, the width of the bins, "
                f"got {wanted[inside][0]:g}"
            )
    positive = tensor.classes.index(tensor.positive)
    selected = tensor.edges[tensor.bin] >= wanted - 1e-12
    decided = np.where(selected, positive, 1 - positive)
    return collapse(replace(tensor, decided=decided))


def groups_of(tensor: Tensor, chosen: Sequence[str]) -> tuple[str, list[str], Integers]:
    """Return the name of a combination of attributes, its groups, and the group of every cell.

    The name of an intersection is ``sex×age_band`` and a group of it ``female×60+``. Groups are
    all products of the values that occur, in sorted order, those without a row among them. No
    attribute at all gives `names.OVERALL` with the one group `names.EVERYONE`.
    """
    codes = np.zeros(len(tensor.n), dtype=np.int64)
    if not chosen:
        return names.OVERALL, [names.EVERYONE], codes
    places = [tensor.attributes.index(attribute) for attribute in chosen]
    for place in places:
        codes = codes * len(tensor.values[place]) + tensor.codes[:, place]
    labels = [
        names.INTERSECTION.join(group)
        for group in itertools.product(*(tensor.values[place] for place in places))
    ]
    return names.INTERSECTION.join(chosen), labels, codes


def confusion(tensor: Tensor, chosen: Sequence[str] = ()) -> Integers:
    """Return rows by group, label and decision, ``(G, K, K)``."""
    _, labels, codes = groups_of(tensor, chosen)
    k = len(tensor.classes)
    cell = (codes * k + tensor.true) * k + tensor.decided
    counts = np.bincount(cell, weights=tensor.n, minlength=len(labels) * k * k)
    return counts.astype(np.int64).reshape(len(labels), k, k)
