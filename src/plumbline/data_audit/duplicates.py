"""Leakage between splits: exact and near duplicates of held-out samples in the training split."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.data.text.word_runs import containment, most_common_runs, word_runs
from plumbline.data_audit.dataset import AuditedDataset, digests, vectors
from plumbline.data_audit.options import DuplicateThresholds

Floats = npt.NDArray[np.float64]

CHUNK = 1_000_000  # distances held at once
SHOWN = 20  # pairs named in the document
MIN_FEATURES = 4  # of fewer features, rows are nearly equal by chance
# If more held-out rows than this share equal a training row with shuffled columns, rows are so
# coarse that equality is no evidence of a duplicate.
MAX_CHANCE_SHARE = 0.001


def find_duplicates(
    dataset: AuditedDataset, rows: npt.NDArray[np.int64], *, thresholds: DuplicateThresholds
) -> dict[str, Any]:
    """Return the duplicates between the training split and the others.

    Parameters
    ----------
    dataset : AuditedDataset
    rows : int array
        Rows among which near duplicates are looked for; exact ones are looked for among all. Of
        tables with fewer than `MIN_FEATURES` features none are looked for (``n`` is 0). A document
        is a near duplicate if the training documents together contain it; the training document
        of a pair is the one with most runs of words in common.
    thresholds : DuplicateThresholds

    Returns
    -------
    dict
        ``exact`` and ``near``, each ``{count, n, share, pairs, verdict, reason}`` with held-out
        rows counted and pairs ``{held_out, train, split, value}``; near ones exclude exact ones.
        ``chance_share``: share of held-out rows of a table that equal a training row whose columns
        are shuffled; above `MAX_CHANCE_SHARE` the verdict is insufficient, else it is leakage or
        none found. ``within_train``: rows of the training split that equal an earlier one.
        ``conflicting_labels``: sets of equal samples with different labels. ``shared_runs``: of
        text, the share of a split's runs of five words that stand in the training split, by
        held-out split.
    """
    every = np.arange(len(dataset.table))
    codes = digests(dataset, every)
    ids = dataset.table["sample_id"].to_numpy(dtype=object)
    splits = dataset.table["split"].to_numpy(dtype=object)
    train = dataset.train
    first = pd.Series(every[train], index=codes[train]).groupby(level=0).first()
    twin = pd.Series(codes).map(first)
    exact = np.flatnonzero(~train & twin.notna().to_numpy())
    pairs = [(int(i), int(twin[i]), 0.0 if _is_distance(dataset) else 1.0) for i in exact]
    near, held_out = _near(dataset, rows, thresholds, known=set(exact.tolist()))
    labels, classes = dataset.labels
    by_code = pd.Series(labels).groupby(codes).nunique()

    chance = _chance_share(dataset)

    def part(found: list[tuple[int, int, float]], n: int) -> dict[str, Any]:
        named = [
            {"held_out": ids[i], "train": ids[j], "split": splits[i], "value": value}
            for i, j, value in found[:SHOWN]
        ]
        share = len(found) / n if n else float("nan")
        verdict, reason = _verdict(len(found), n, chance)
        facts = {"count": len(found), "n": n, "share": share, "pairs": named}
        return {**facts, "verdict": verdict, "reason": reason}

    return {
        "exact": part(pairs, int((~train).sum())),
        "near": part(near, held_out),
        "within_train": int(train.sum() - len(first)),
        "conflicting_labels": int((by_code > 1).sum()) if classes else 0,
        "chance_share": chance,
        "measure": "distance" if _is_distance(dataset) else names.CONTAINMENT,
        **({} if _is_distance(dataset) else {"shared_runs": _shared_runs(dataset)}),
    }


def _verdict(count: int, n: int, chance: float) -> tuple[str, str]:
    if not n:
        return names.INSUFFICIENT, "too few features to look for near duplicates"
    if chance > MAX_CHANCE_SHARE:
        return names.INSUFFICIENT, (
            f"rows are so coarse that {100 * chance:.3g} % of the held-out ones equal a training "
            "row with shuffled columns; equal rows need not be the same sample"
        )
    if count:
        return names.LEAKAGE, "held-out samples stand in the training split, too"
    return names.NONE_FOUND, "no duplicate among the rows that were compared"


def _chance_share(dataset: AuditedDataset) -> float:
    if dataset.images is not None or dataset.schema.dataset == names.TEXT:
        return 0.0
    train = dataset.train
    table = dataset.table[list(dataset.schema.features)]
    # The columns that one category became are shuffled together.
    columns: dict[str, list[str]] = {}
    for feature in dataset.schema.features:
        columns.setdefault(feature.partition("=")[0], []).append(feature)
    rng = np.random.default_rng(0)
    held_out = np.zeros(int((~train).sum()), dtype=np.uint64)
    shuffled = np.zeros(int(train.sum()), dtype=np.uint64)
    for members in columns.values():
        codes = pd.util.hash_pandas_object(table[members], index=False).to_numpy()
        held_out = _combined(held_out, codes[~train])
        shuffled = _combined(shuffled, rng.permutation(codes[train]))
    return float(np.isin(held_out, shuffled).mean()) if len(held_out) else 0.0


def _combined(sums: npt.NDArray[np.uint64], codes: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    # A polynomial hash modulo 2**64: the order of columns matters.
    return np.asarray(sums * np.uint64(0x9E3779B97F4A7C15) + codes.astype(np.uint64))


def _is_distance(dataset: AuditedDataset) -> bool:
    return dataset.schema.dataset != names.TEXT


def _near(
    dataset: AuditedDataset,
    rows: npt.NDArray[np.int64],
    thresholds: DuplicateThresholds,
    *,
    known: set[int],
) -> tuple[list[tuple[int, int, float]], int]:
    train = dataset.train[rows]
    others, trained = rows[~train], rows[train]
    if not len(others) or not len(trained):
        return [], len(others)
    if dataset.images is not None:
        found = vectors(dataset, rows)
        nearest, best = nearest_rows(found[~train], found[train])
        hits = best <= thresholds.image_distance
    elif _is_distance(dataset):
        if len(dataset.schema.features) < MIN_FEATURES:
            return [], 0
        found = vectors(dataset, rows)
        nearest, best = rows_within(found[~train], found[train], thresholds.table_distance)
        hits = np.isfinite(best)
    else:
        nearest, best = contained(dataset, others, trained)
        hits = best > thresholds.text_containment
    order = np.argsort(best if _is_distance(dataset) else -best, kind="stable")
    return [
        (int(others[i]), int(trained[nearest[i]]), float(best[i]))
        for i in order
        if hits[i] and int(others[i]) not in known
    ], len(others)


def nearest_rows(queries: Floats, points: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the nearest point of each query, ``(Q,)``, and its root mean square distance."""
    squares = (points**2).sum(axis=1)
    nearest = np.empty(len(queries), dtype=np.int64)
    best = np.empty(len(queries))
    step = max(CHUNK // max(len(points), 1), 1)
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        squared = (part**2).sum(axis=1)[:, None] + squares - 2 * part @ points.T
        nearest[start : start + step] = squared.argmin(axis=1)
        best[start : start + step] = squared.min(axis=1)
    distance: Floats = np.sqrt(np.maximum(best, 0) / queries.shape[1])
    return nearest, distance


def rows_within(
    queries: Floats, points: Floats, bound: float
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the point nearest to each query by their largest difference, ``(Q,)``, and that.

    Where no point is within ``bound`` the difference is infinite and the point arbitrary.
    """
    from scipy.spatial import cKDTree

    # The bound is exclusive; equal rows must be found with a bound of 0, too.
    difference, nearest = cKDTree(points).query(
        queries, p=np.inf, distance_upper_bound=np.nextafter(bound, np.inf)
    )
    return np.minimum(nearest, len(points) - 1).astype(np.int64), difference


def contained(
    dataset: AuditedDataset, queries: npt.NDArray[np.int64], trained: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the training document nearest to each query, ``(Q,)``, and the query's containment.

    The containment is in all training documents together, the nearest document is the one of
    ``trained`` with most runs in common.
    """
    runs = word_runs(list(dataset.table["text"]))
    shares = containment(runs, dataset.train)[queries]
    return most_common_runs(runs[queries], runs[trained]), shares


def _shared_runs(dataset: AuditedDataset) -> dict[str, float]:
    runs, splits = word_runs(list(dataset.table["text"])), dataset.table["split"].to_numpy()
    found = containment(runs, dataset.train)
    sizes = np.diff(runs.indptr)
    return {
        split: float(np.average(found[splits == split], weights=sizes[splits == split]))
        for split in (names.VAL, names.TEST)
        if sizes[splits == split].sum()
    }
