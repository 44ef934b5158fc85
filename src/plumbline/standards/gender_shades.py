"""The table of Gender Shades: errors by group and by intersection of groups.

Source: J. Buolamwini and T. Gebru, "Gender Shades", PMLR 81 (2018) 1-15, table 4: positive
predictive value, error 1 - PPV, true and false positive rate, for all, each group and each
intersection; the largest gap is between intersections. Where no class is the positive one, the
error is the share of rows given a wrong class. Intervals are Wilson's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from plumbline import names
from plumbline.metrics.intervals import wilson
from plumbline.standards.categories import Count

ERROR = "error"


def error_table(counts: Sequence[Count], *, confidence: float) -> dict[str, Any]:
    """Return the errors of every group.

    Parameters
    ----------
    counts : sequence of mapping
        ``attribute, group, class, n, tp, fp, tn, fn``; one row per group, or per group and class.
    confidence : float
        In (0, 1).

    Returns
    -------
    dict
        ``binary``; ``rows`` of ``attribute, group, n`` and, each ``{value, low, high, n}``,
        `ERROR`, and where ``binary`` the rates of the paper; ``widest``: ``attribute, lowest,
        highest, value`` of the largest gap in error of an attribute or intersection, the most
        crossed one first; None where no group has an error.
    """
    binary = all(row["class"] is None for row in counts)
    rows = []
    key = lambda row: (row["attribute"], row["group"])  # noqa: E731
    for (attribute, group), members in itertools.groupby(counts, key=key):
        classes = list(members)
        if classes[0]["n"]:
            measured = _binary(classes[0]) if binary else _classes(classes)
            cells = {m: _estimate(*trials, confidence) for m, trials in measured.items()}
            head = {"attribute": attribute, "group": group, "n": int(classes[0]["n"])}
            rows.append({**head, **cells})
    return {"binary": binary, "rows": rows, "widest": _widest(rows)}


def _binary(row: Count) -> dict[str, tuple[int, int]]:
    tp, fp, tn, fn = (int(row[name]) for name in ("tp", "fp", "tn", "fn"))
    return {
        names.PPV: (tp, tp + fp),
        ERROR: (fp, tp + fp),
        names.TPR: (tp, tp + fn),
        names.FPR: (fp, fp + tn),
    }


def _classes(rows: Iterable[Count]) -> dict[str, tuple[int, int]]:
    every = list(rows)
    wrong = sum(int(row["fn"]) for row in every)
    return {ERROR: (wrong, int(every[0]["n"]))}


def _estimate(hits: int, trials: int, confidence: float) -> dict[str, Any]:
    low, high = wilson(hits, trials, confidence=confidence)
    value = hits / trials if trials else None
    return {"value": value, "low": float(low), "high": float(high), "n": trials}


def _widest(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    crossed = [row for row in rows if names.INTERSECTION in row["attribute"]]
    defined = [
        row
        for row in crossed or rows
        if row[ERROR]["value"] is not None and row["attribute"] != names.OVERALL
    ]
    gaps = []
    for attribute in dict.fromkeys(row["attribute"] for row in defined):
        members = sorted(
            (row for row in defined if row["attribute"] == attribute),
            key=lambda row: row[ERROR]["value"],
        )
        least, most = members[0], members[-1]
        gap = most[ERROR]["value"] - least[ERROR]["value"]
        ends = {"lowest": least["group"], "highest": most["group"], "value": gap}
        gaps.append({"attribute": attribute, **ends})
    return max(gaps, key=lambda gap: gap["value"], default=None)
