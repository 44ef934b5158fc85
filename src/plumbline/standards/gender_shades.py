"""The table of Gender Shades: errors by group and by intersection of groups.

Source: J. Buolamwini and T. Gebru, "Gender Shades", PMLR 81 (2018) 1-15, table 4: positive
predictive value, error 1 - PPV, true and false positive rate, for all, each group and each
intersection; the largest gap is between intersections. Where no class is the positive one, the
error is the share of rows given a wrong class. Intervals are those of `shares.share_interval`. Rows
count by their weights where there are any; then, and where rows belong to entities, intervals are
those of as many independent rows as would tell as much (`plumbline.metrics.intervals.shares`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from plumbline import names
from plumbline.metrics.groups.confusions import DESIGN_COLUMNS, design_to_share
from plumbline.metrics.intervals.shares import share_interval
from plumbline.standards.categories import Count

ERROR = "error"

# The rates of the paper: which cell of the confusion counts, out of which.
_PARTS = {
    names.PPV: ("tp", ("tp", "fp")),
    ERROR: ("fp", ("tp", "fp")),
    names.TPR: ("tp", ("tp", "fn")),
    names.FPR: ("fp", ("fp", "tn")),
}


def error_table(counts: Sequence[Count], *, confidence: float) -> dict[str, Any]:
    """Return the errors of every group.

    Parameters
    ----------
    counts : sequence of mapping
        ``attribute, group, class, n, tp, fp, tn, fn``; one row per group, or per group and class.
        Of weighted rows or entities with what `confusions.count_columns` adds.
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
    # Counts are ordered by class, then by group: the classes of a group do not follow each other.
    by_group: dict[tuple[str, str], list[Count]] = {}
    for row in counts:
        by_group.setdefault((row["attribute"], row["group"]), []).append(row)
    for (attribute, group), classes in by_group.items():
        if classes[0]["n"]:
            if DESIGN_COLUMNS[-1] in classes[0]:
                cells = _designed(classes[0], binary, confidence)
            else:
                measured = _binary(classes[0]) if binary else _classes(classes)
                cells = {m: _estimate(*trials, confidence) for m, trials in measured.items()}
            head = {"attribute": attribute, "group": group, "n": int(classes[0]["n"])}
            rows.append({**head, **cells})
    return {"binary": binary, "rows": rows, "widest": _widest(rows)}


def _binary(row: Count) -> dict[str, tuple[int, int]]:
    return {
        metric: (int(row[above]), sum(int(row[cell]) for cell in below))
        for metric, (above, below) in _PARTS.items()
    }


def _classes(rows: Sequence[Count]) -> dict[str, tuple[int, int]]:
    wrong = sum(int(row["fn"]) for row in rows)
    return {ERROR: (wrong, int(rows[0]["n"]))}


def _estimate(hits: float, trials: float, confidence: float) -> dict[str, Any]:
    low, high = share_interval(hits, trials, confidence=confidence)
    value = hits / trials if trials else None
    return {"value": value, "low": float(low), "high": float(high), "n": trials}


def _designed(row: Count, binary: bool, confidence: float) -> dict[str, dict[str, Any]]:
    """Return the estimates of weighted rows or entities; ``n`` is the rows that count."""
    if not binary:
        share, size = 1 - row["accuracy"], row["accuracy_size"]
        return {ERROR: _of_share(share, size, int(row["n"]), confidence)}
    design = np.array([[row[name] for name in DESIGN_COLUMNS]], dtype=np.float64)
    found = {}
    for metric, (above, below) in _PARTS.items():
        share, size = (float(value[0]) for value in design_to_share(design, (above,), below))
        found[metric] = _of_share(share, size, sum(int(row[c]) for c in below), confidence)
    return found


def _of_share(share: float, size: float, n: int, confidence: float) -> dict[str, Any]:
    """Return the estimate of a share of effective size ``size``; no interval of one unit."""
    if not size > 0:
        return {"value": None if np.isnan(share) else share, "low": None, "high": None, "n": n}
    return _estimate(min(share * size, size), size, confidence) | {"value": share, "n": n}


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
