"""Samples of the held-out splits that the training split holds too, exactly or nearly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.data_audit.dataset import Subject, digests, shingles, vectors
from plumbline.errors import DataError

Floats = npt.NDArray[np.float64]

CHUNK = 1_000_000  # distances held at once
SHOWN = 20  # pairs named in the document
MIN_FEATURES = 4  # of fewer features, rows are nearly equal by chance
BY_CHANCE = (
    0.001  # if more held-out rows than this share meet a shuffled row, equality says nothing
)


@dataclass(frozen=True)
class Likeness:
    """From when on two samples count as nearly the same.

    Attributes
    ----------
    table_distance : float
        Largest difference over the features, in standard deviations.
    image_distance : float
        Root mean square over grey levels in [0, 1].
    text_overlap : float
        Runs of five words that both have, over those that either has (Jaccard), in [0, 1].
    """

    table_distance: float
    image_distance: float
    text_overlap: float


def find_duplicates(
    subject: Subject, rows: npt.NDArray[np.int64], *, likeness: Likeness
) -> dict[str, Any]:
    """Return the duplicates between the training split and the others.

    Parameters
    ----------
    subject : Subject
    rows : int array
        Rows among which near duplicates are looked for; exact ones are looked for among all. Of
        tables with fewer than `MIN_FEATURES` features none are looked for (``n`` is 0).
    likeness : Likeness

    Returns
    -------
    dict
        ``exact`` and ``near``, each ``{count, n, share, pairs, verdict, reason}`` with held-out
        rows counted and pairs ``{held_out, train, split, likeness}``; near ones are no exact ones.
        ``by_chance``: share of held-out rows of a table that equal a training row whose columns
        are shuffled; above `BY_CHANCE` the verdict is insufficient: rows are so coarse that
        different samples look the same. ``within``: rows
        of the training split that are equal to an earlier one of it. ``contradictory``: sets of
        equal samples with different labels.
    """
    every = np.arange(len(subject.table))
    codes = digests(subject, every)
    ids = subject.table["sample_id"].to_numpy(dtype=object)
    splits = subject.table["split"].to_numpy(dtype=object)
    train = subject.train
    first = pd.Series(every[train], index=codes[train]).groupby(level=0).first()
    twin = pd.Series(codes).map(first)
    exact = np.flatnonzero(~train & twin.notna().to_numpy())
    pairs = [(int(i), int(twin[i]), 0.0 if _is_distance(subject) else 1.0) for i in exact]
    near, held_out = _near(subject, rows, likeness, known=set(exact.tolist()))
    labels, classes = subject.labels
    by_code = pd.Series(labels).groupby(codes).nunique()

    chance = _by_chance(subject)

    def part(found: list[tuple[int, int, float]], n: int) -> dict[str, Any]:
        named = [
            {"held_out": ids[i], "train": ids[j], "split": splits[i], "likeness": value}
            for i, j, value in found[:SHOWN]
        ]
        share = len(found) / n if n else float("nan")
        verdict, reason = _verdict(len(found), n, chance)
        facts = {"count": len(found), "n": n, "share": share, "pairs": named}
        return {**facts, "verdict": verdict, "reason": reason}

    return {
        "exact": part(pairs, int((~train).sum())),
        "near": part(near, held_out),
        "within": int(train.sum() - len(first)),
        "contradictory": int((by_code > 1).sum()) if classes else 0,
        "by_chance": chance,
        "measure": "distance" if _is_distance(subject) else "overlap",
    }


def refuse_leaks(found: dict[str, Any], *, source: str, max_share: float) -> None:
    """Refuse data whose held-out rows stand in the training split, too.

    Raises
    ------
    DataError
        If the share of exact, or of near, duplicates is above ``max_share``, and they are more
        than coarse rows that look the same.
    """
    for kind in ("exact", "near"):
        part = found[kind]
        if part["verdict"] == names.DIFFERENCE and part["share"] > max_share:
            pair = part["pairs"][0]
            raise DataError(
                f"{source}: held-out samples must not have {kind} duplicates in the training split "
                f"(at most a share of {max_share:g}), got {part['count']} of {part['n']}, e.g. "
                f"{pair['held_out']} ({pair['split']}) and {pair['train']}; split by the entity "
                "they belong to, remove them, or allow a share in data_audit.max_leaked_share"
            )


def _verdict(count: int, n: int, chance: float) -> tuple[str, str]:
    if not n:
        return names.INSUFFICIENT, "not looked for among so few features"
    if chance > BY_CHANCE:
        return names.INSUFFICIENT, (
            f"rows are so coarse that {100 * chance:.3g} % of the held-out ones equal a training "
            "row with shuffled columns; equality does not say that they are one sample"
        )
    if count:
        return names.DIFFERENCE, "held-out samples stand in the training split"
    return names.INCONCLUSIVE, "none found"


def _by_chance(subject: Subject) -> float:
    if subject.images is not None or subject.schema.dataset == names.TEXT:
        return 0.0
    train = subject.train
    table = subject.table[list(subject.schema.features)]
    # The columns that one category became are shuffled together.
    columns: dict[str, list[str]] = {}
    for feature in subject.schema.features:
        columns.setdefault(feature.partition("=")[0], []).append(feature)
    rng = np.random.default_rng(0)
    held_out = np.zeros(int((~train).sum()), dtype=np.uint64)
    shuffled = np.zeros(int(train.sum()), dtype=np.uint64)
    for members in columns.values():
        codes = pd.util.hash_pandas_object(table[members], index=False).to_numpy()
        held_out = _mixed(held_out, codes[~train])
        shuffled = _mixed(shuffled, rng.permutation(codes[train]))
    return float(np.isin(held_out, shuffled).mean()) if len(held_out) else 0.0


def _mixed(sums: npt.NDArray[np.uint64], codes: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    # As sums of a polynomial in an odd number, modulo 2**64: the order of columns counts.
    mixed: npt.NDArray[np.uint64] = sums * np.uint64(0x9E3779B97F4A7C15) + codes.astype(np.uint64)
    return mixed


def _is_distance(subject: Subject) -> bool:
    return subject.schema.dataset != names.TEXT


def _near(
    subject: Subject, rows: npt.NDArray[np.int64], likeness: Likeness, *, known: set[int]
) -> tuple[list[tuple[int, int, float]], int]:
    train = subject.train[rows]
    others, trained = rows[~train], rows[train]
    if not len(others) or not len(trained):
        return [], len(others)
    if subject.images is not None:
        found = vectors(subject, rows)
        nearest, best = nearest_rows(found[~train], found[train])
        hits = best <= likeness.image_distance
    elif _is_distance(subject):
        if len(subject.schema.features) < MIN_FEATURES:
            return [], 0
        found = vectors(subject, rows)
        nearest, best = rows_within(found[~train], found[train], likeness.table_distance)
        hits = np.isfinite(best)
    else:
        texts = subject.table["text"]
        nearest, best = most_overlapping(list(texts.iloc[others]), list(texts.iloc[trained]))
        hits = best >= likeness.text_overlap
    order = np.argsort(best if _is_distance(subject) else -best, kind="stable")
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


def most_overlapping(queries: list[str], texts: list[str]) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the text with which each query shares most runs of five words, and the overlap.

    A query of fewer than five words overlaps with nothing.
    """
    asked, held = shingles(queries), shingles(texts)
    sizes = held.getnnz(axis=1)
    nearest = np.zeros(len(queries), dtype=np.int64)
    best = np.zeros(len(queries))
    step = max(CHUNK // max(len(texts), 1), 1)
    for start in range(0, len(queries), step):
        part = asked[start : start + step]
        common = (part @ held.T).toarray()
        either = part.getnnz(axis=1)[:, None] + sizes - common
        overlap = common / np.maximum(either, 1)
        nearest[start : start + step] = overlap.argmax(axis=1)
        best[start : start + step] = overlap.max(axis=1)
    return nearest, best
