"""What is compared: each count of new rows, and its reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.monitoring import comparisons, distances
from plumbline.monitoring.comparisons import LARGE, Comparison, Smallest, share_comparison
from plumbline.monitoring.counting import ColumnCounts, NewRows
from plumbline.monitoring.distances import Distance

NO_GROUP = "(no group of training rows)"


def pair_with_training(
    new: NewRows, summary: Mapping[str, Any], smallest: Smallest
) -> Iterator[Comparison]:
    """Yield the comparisons of every column and group with the training rows.

    Some values are in no training row though nothing has changed. How many is told by the training
    rows themselves: the share that is outside of the range of the others, or that has a category
    alone, is what is expected of new rows (Good, "The population frequencies of species and the
    estimation of population parameters", Biometrika 40 (1953) 237-264).
    """
    rows = int(summary["rows"])
    for name, known in summary["columns"].items():
        counts = new.columns[name]
        yield share_comparison(
            comparisons.MISSING, name, (known["missing"], rows), (counts.missing, new.rows),
            smallest=smallest.share,
        )  # fmt: skip
        if "edges" in known:
            yield from _number(name, known, counts, rows - known["missing"], smallest)
        else:
            yield from _category(name, known, counts, smallest)
    for attribute, groups in new.groups.items():
        trained = summary["groups"][attribute]
        named = {group: groups[group] for group in groups if group is not None}
        pairs = {
            **{group: (trained.get(group, 0), named.get(group, 0)) for group in (*trained, *named)},
            NO_GROUP: (sum(size == 1 for size in trained.values()), groups[None]),
        }
        for group, (before, now) in pairs.items():
            yield share_comparison(
                comparisons.GROUP, f"{attribute}: {group}", (before, rows), (now, new.rows),
                smallest=smallest.share,
            )  # fmt: skip


def pair_labels(
    labels: Mapping[str, int], summary: Mapping[str, Any], smallest: Smallest
) -> Iterator[Comparison]:
    """Yield the comparison of the share of each class among new labels with the training rows.

    Nothing without a label or classes.
    """
    trained, everyone = summary["classes"], sum(labels.values())
    for name, count in trained.items() if everyone else ():
        yield share_comparison(
            comparisons.LABEL, name, (count, sum(trained.values())),
            (labels.get(name, 0), everyone), smallest=smallest.share,
        )  # fmt: skip


def pair_with_reference(
    decisions: Mapping[str, int], report: Mapping[str, Any], smallest: Smallest
) -> Iterator[Comparison]:
    """Yield the comparison of the share of each decision with that in the test split.

    Parameters
    ----------
    decisions : mapping of str to int
        New rows by decision.
    report : mapping
        Content of ``reports/metrics/<model>.json``; nothing is compared without it.
    smallest : Smallest
    """
    curves = report.get("curves") or {}
    if not decisions or "confusion" not in curves:
        return
    decided = np.asarray(curves["confusion"]).sum(axis=0)
    total, everyone = int(decided.sum()), sum(decisions.values())
    for name, count in zip(curves["classes"], decided.tolist(), strict=True):
        yield share_comparison(
            comparisons.DECISION, str(name), (int(count), total),
            (decisions.get(name, 0), everyone), smallest=smallest.share,
        )  # fmt: skip


def _number(
    name: str, known: Mapping[str, Any], counts: ColumnCounts, rows: int, smallest: Smallest
) -> Iterator[Comparison]:
    edges, below, at_most = (np.asarray(known[key]) for key in ("edges", "below", "at_most"))
    trained = (below, at_most, rows)
    own = (counts.below, counts.at_most, counts.present)

    def estimate(confidence: float) -> Distance:
        return distances.cumulative_distance(trained, own, confidence=confidence)

    before, now = (_median(edges, *part[1:]) for part in (trained, own))
    yield Comparison(
        comparisons.FEATURE, name, before, now, (rows, counts.present), smallest.distance, LARGE,
        estimate,
    )  # fmt: skip
    alone = int(at_most[0] == 1) + int(rows - below[-1] == 1)
    yield share_comparison(
        comparisons.RANGE, name, (min(alone, rows), rows), (counts.outside, counts.present),
        smallest=smallest.share,
    )  # fmt: skip


def _category(
    name: str, known: Mapping[str, Any], counts: ColumnCounts, smallest: Smallest
) -> Iterator[Comparison]:
    other = known["other"]
    trained = np.array([*known["counts"].values(), other or 0], dtype=np.int64)
    own = np.array([*(counts.categories[v] for v in known["counts"]), counts.other], dtype=np.int64)

    def estimate(confidence: float) -> Distance:
        return distances.share_distance(trained, own, confidence=confidence)

    rows = int(trained.sum())
    yield Comparison(
        comparisons.FEATURE, name, None, None, (rows, counts.present), smallest.distance, LARGE,
        estimate,
    )  # fmt: skip
    if other is None:  # else rare categories and new ones are one to the model
        alone = int((trained == 1).sum())
        yield share_comparison(
            comparisons.UNSEEN, name, (alone, rows), (counts.other, counts.present),
            smallest=smallest.share,
        )  # fmt: skip


def _median(edges: npt.NDArray[np.float64], at_most: Any, rows: int) -> float | None:
    """Return the first edge that half of the rows do not exceed; None without such a one."""
    place = int(np.searchsorted(at_most, rows / 2))
    return float(edges[place]) if rows and place < len(edges) else None
