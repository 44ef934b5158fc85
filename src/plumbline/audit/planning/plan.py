"""How many rows per group would settle the comparisons that an audit left open.

For every gap that is inconclusive or insufficient: cases per group at which, in 80 % of samples, a
gap as wide as the margin would be called a difference, and equal groups equivalent. The level is
that of an audit in which all groups have enough cases: the whole family, all pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumbline import names
from plumbline.audit.planning import sample_size
from plumbline.audit.verdicts.enough import POOLED, UNKNOWN
from plumbline.metrics.intervals import proportions

Row = Mapping[str, Any]
_COMPLEMENTS = (names.TNR, names.FNR)  # one hypothesis with the rate that they complete to 1
_OPEN = (names.INCONCLUSIVE, names.INSUFFICIENT)


def audit_to_plan(audit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the cases and rows that each open comparison needs.

    Parameters
    ----------
    audit : mapping
        Of `plumbline.audit.build.statistics_to_audit`.

    Returns
    -------
    list of dict
        ``attribute, metric, comparison, verdict, margin, value, groups`` (compared ones), ``level``
        (simultaneous confidence of each pair), ``fewest`` (cases today of the group that has
        fewest), and ``difference`` and ``equivalence``: ``{cases, rows}``, where ``rows`` has for
        each group the rows that hold so many cases at its rate today, None where it has no case.
        ``cases`` is None where no number is enough. Cases are what a metric is counted from, as
        positives of a true positive rate; of weighted rows and entities they are effective ones.
    """
    table = {(r["attribute"], r["metric"], r["group"]): r for r in audit["rows"]}
    unknown = {
        (entry["attribute"], entry["group"])
        for entry in audit["left_out"]
        if entry["reason"] in (UNKNOWN, POOLED)
    }
    each = _level(audit)
    found = []
    for gap in audit["gaps"]:
        key = (gap["attribute"], gap["metric"])
        margin = _margin(gap)
        if gap["verdict"] not in _OPEN or key[1] == names.REPRESENTATION_GAP or margin is None:
            continue
        whole = table.get((names.OVERALL, gap["metric"], names.EVERYONE))
        own = [
            row
            for row in audit["rows"]
            if (row["attribute"], row["metric"]) == key
            and _rows(table, row) > 0
            and (row["attribute"], row["group"]) not in unknown
        ]
        if whole is None or _undefined(whole["value"]) or len(own) < 2:
            continue
        spread = None if _share(gap["metric"]) else _spread(table, whole, audit["confidence"])
        if not _cases(table, whole) > 0 or not (spread is None or spread > 0):
            continue  # how values vary is not known
        asked = sample_size.Comparison(
            value=float(whole["value"]),
            spread=spread,
            comparison=gap["comparison"],
            margin=margin,
            groups=len(own),
            each=each,
            reference=key[0] in audit.get("reference", {}),
        )
        found.append(_entry(gap, asked, own, table))
    return found


def _entry(
    gap: Row, asked: sample_size.Comparison, own: list[Row], table: Mapping[Any, Row]
) -> dict[str, Any]:
    cases = {row["group"]: _cases(table, row) for row in own}
    needed = {
        "difference": sample_size.for_difference(asked),
        "equivalence": sample_size.for_equivalence(asked),
    }
    return {
        **{name: gap[name] for name in ("attribute", "metric", "comparison", "verdict")},
        "margin": asked.margin,
        "value": asked.value,
        "groups": asked.groups,
        "level": asked.near,
        "fewest": min(cases.values()),
        **{
            name: {
                "cases": count,
                "rows": {
                    row["group"]: _scaled(count, cases[row["group"]], _rows(table, row))
                    for row in own
                },
            }
            for name, count in needed.items()
        },
    }


def _scaled(count: int | None, cases: float, rows: int) -> int | None:
    """Return the rows that hold ``count`` cases where today ``rows`` hold ``cases``."""
    if count is None or not cases > 0:
        return None
    return math.ceil(count * rows / cases - 1e-9)


def _level(audit: Mapping[str, Any]) -> float:
    """Return the confidence of each hypothesis if none were left out for want of cases."""
    family = {
        (gap["attribute"], gap["metric"])
        for gap in audit["gaps"]
        if gap["metric"].partition("/")[0] not in _COMPLEMENTS
    }
    return proportions.bonferroni(audit["confidence"], len(family))


def _margin(gap: Row) -> float | None:
    return None if _undefined(gap["margin"]) else float(gap["margin"])


def _share(metric: str) -> bool:
    return metric.partition("/")[0] in names.GROUP_RATES or metric == names.CLASS_AGREEMENT


def _spread(table: Mapping[Any, Row], row: Row, confidence: float) -> float:
    """Return the standard deviation of one case, from the interval of all."""
    half = (row["high"] - row["low"]) / 2
    return float(half / proportions.critical_value(confidence) * _cases(table, row) ** 0.5)


def _cases(table: Mapping[Any, Row], row: Row) -> float:
    """Return the cases of a value, effective ones of a share of weighted rows or entities.

    0 where rows are weighted or belong to entities, and what they are worth cannot be estimated.
    Values that are no shares have no effective size: what their rows are worth is in their spread.
    """
    if "effective_n" not in row:
        return float(row["n"])
    share = _share(row["metric"])
    rate = row if share else table.get((row["attribute"], names.ACCURACY, row["group"]))
    if rate is not None and _undefined(rate["effective_n"]):
        return 0.0
    return float(row["effective_n"] if share else row["n"])


def _rows(table: Mapping[Any, Row], row: Row) -> int:
    """Return the rows of the group of a value."""
    whole = table.get((row["attribute"], names.ACCURACY, row["group"]), row)
    return int(whole["n"])


def _undefined(value: Any) -> bool:
    return value is None or value != value


HEADER = (
    "attribute", "metric", "comparison", "margin", "groups", "fewest cases",
    "cases: difference", "rows: difference", "cases: equivalent", "rows: equivalent",
)  # fmt: skip
EXPLAINED = (
    "Cases per group (positives of a true positive rate, and so on) that settle an open comparison "
    "in 80 % of samples, at the level of the whole audit with all groups. To show a difference, if "
    "two groups are as far apart as the margin; to show that groups are equivalent, if all are "
    "equal. Rows are those of the group that needs most of them for so many cases, at today's "
    "shares of cases. Both take today's value over all rows for granted."
)


def explanation(plan: Sequence[Mapping[str, Any]]) -> str:
    """Return what the numbers of a plan are; of an empty one that nothing is open."""
    if not plan:
        return "No open comparison has a margin and data to plan from."
    return EXPLAINED


def plan_to_cells(plan: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return the plan as text under `HEADER`, one line for each comparison."""
    return [
        [
            entry["attribute"],
            entry["metric"],
            entry["comparison"],
            f"{entry['margin']:g}",
            str(entry["groups"]),
            f"{entry['fewest']:,.0f}",
            *_needed(entry["difference"]),
            *_needed(entry["equivalence"]),
        ]
        for entry in plan
    ]


def _needed(found: Mapping[str, Any]) -> tuple[str, str]:
    if found["cases"] is None:
        return "no number is enough", ""
    known = {group: rows for group, rows in found["rows"].items() if rows is not None}
    if not known:
        return f"{found['cases']:,}", "unknown: no case yet"
    most = max(known, key=lambda group: (known[group], group))
    return f"{found['cases']:,}", f"{known[most]:,} ({most})"
