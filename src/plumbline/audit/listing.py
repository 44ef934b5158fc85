"""An audit for a terminal, as a summary or as one long table, and as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumbline import names
from plumbline.artifacts.plain_text import csv_cell, line, visible_json
from plumbline.audit import disparities
from plumbline.metrics.groups.grouping import pooled_groups
from plumbline.reporting import verdicts

COLUMNS = ("attribute", "group", "metric", "value", "low", "high", "n", "verdict")
_GAP_COLUMNS = (
    "attribute", "metric", "lowest", "highest", "difference", "interval", "ratio", "interval",
    "verdict",
)  # fmt: skip
_MOST_GAPS = 12  # lines of a summary
_MEANS = "A gap shows neither its cause nor whether it does harm."
_VERDICTS = (
    "Verdicts: difference, the interval excludes equality; equivalent, it lies within the margin; "
    "inconclusive, neither; insufficient, too few cases."
)
_SIGN = {"difference": " − ", "ratio": " / "}


def audit_to_rows(audit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the values of groups, then the widest gaps of each attribute, as `COLUMNS`.

    A gap's metric is ``<metric>_difference`` or ``<metric>_ratio``, its group the highest minus the
    lowest, or the lowest over the highest: ``Male − Female``, ``Female / Male``. Pairs, where the
    audit lists them, follow as ``<metric>_difference_pair`` and ``<metric>_ratio_pair``.
    """
    values = [{column: row[column] for column in COLUMNS} for row in audit["rows"]]
    gaps = [_gap_row(gap) for gap in audit["gaps"]]
    return values + gaps + [_pair_row(pair) for pair in audit.get("pairs", [])]


def _gap_row(gap: Mapping[str, Any]) -> dict[str, Any]:
    ends = [gap["highest"], gap["lowest"]]
    if gap["comparison"] == "ratio":
        ends.reverse()
    known = all(end is not None for end in ends)
    return {
        "attribute": gap["attribute"],
        "group": _SIGN[gap["comparison"]].join(map(str, ends)) if known else "",
        "metric": f"{gap['metric']}_{gap['comparison']}",
        **{column: gap[column] for column in ("value", "low", "high", "n", "verdict")},
    }


def _pair_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "attribute": pair["attribute"],
        "group": f"{pair['group']}{_SIGN[pair['comparison']]}{pair['other']}",
        "metric": f"{pair['metric']}_{pair['comparison']}_pair",
        "n": None,
        **{column: pair[column] for column in ("value", "low", "high", "verdict")},
    }


def to_json(audit: Mapping[str, Any]) -> str:
    """Return the audit as JSON, its long table under ``rows``; undefined numbers are null."""
    whole = {**audit, "rows": audit_to_rows(audit)}
    text = json.dumps(_plain(whole), indent=2, ensure_ascii=False, allow_nan=False)
    return visible_json(text) + "\n"


def to_csv(audit: Mapping[str, Any]) -> str:
    """Return the long table as CSV; undefined numbers are empty, an open end is ``inf``.

    Text is written as `csv_cell` has it: no spreadsheet takes it for a formula.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in audit_to_rows(audit):
        writer.writerow({key: _csv(row[key]) for key in COLUMNS})
    return stream.getvalue()


def _csv(value: Any) -> Any:
    if _undefined(value):
        return ""
    return csv_cell(value) if isinstance(value, str) else value


def to_summary(audit: Mapping[str, Any], *, title: str, more: Iterable[str] = ()) -> str:
    """Return a summary and the gaps that matter, for a terminal.

    These are the gaps that are a difference, then those of main metrics between the groups of one
    attribute that are not settled. ``more``: lines that end the summary.
    """
    known = disparities.main_metrics(audit["kind"], binary=audit.get("positive") is not None)
    found = sorted(
        (gap for gap in verdicts.compared(audit, "difference") if _matters(gap, known)),
        key=lambda gap: (
            names.VERDICTS.index(gap["verdict"]),
            gap["metric"] not in known,
            names.INTERSECTION in gap["attribute"],
        ),
    )
    ratios = {(g["attribute"], g["metric"]): g for g in verdicts.compared(audit, "ratio")}
    rows = [_gap_cells(gap, ratios.get((gap["attribute"], gap["metric"]))) for gap in found]
    parts = [
        line(title),
        *_summary(audit),
        *more,
        "",
        *_first_gaps(rows),
        _VERDICTS,
        f"{_simultaneous(audit)} {_MEANS}",
        f"All {len(audit_to_rows(audit))} values and gaps, with reasons and notes: add --full, or "
        "--format csv, json or md.",
    ]
    return "\n".join(parts) + "\n"


def _first_gaps(rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["No gap is a difference, and every gap of a main metric is settled."]
    hidden = len(rows) - _MOST_GAPS
    return [
        "Differences, then gaps of main metrics that are not settled:",
        aligned(_GAP_COLUMNS, rows[:_MOST_GAPS]),
        *([f"… and {hidden} more"] if hidden > 0 else []),
    ]


def _simultaneous(audit: Mapping[str, Any]) -> str:
    number = len(audit["family"])
    if not number:
        return "No gap could be computed: no two groups have enough cases."
    family = f"a family of {number} {'hypothesis' if number == 1 else 'hypotheses'}"
    return f"Intervals of gaps are simultaneous over {family}."


def _matters(gap: Mapping[str, Any], main: Sequence[str]) -> bool:
    if gap["verdict"] == names.DIFFERENCE:
        return True
    single = names.INTERSECTION not in gap["attribute"]
    return single and gap["metric"] in main and gap["verdict"] != names.EQUIVALENT


def _gap_cells(gap: Mapping[str, Any], ratio: Mapping[str, Any] | None) -> list[str]:
    return [
        gap["attribute"],
        gap["metric"],
        *(gap[end] or "" for end in ("lowest", "highest")),
        *_estimate(gap),
        *(("", "") if ratio is None else _estimate(ratio)),
        verdicts.verdict_text(gap),
    ]


def _estimate(gap: Mapping[str, Any]) -> tuple[str, str]:
    if _undefined(gap["value"]):
        return "", ""
    return f"{gap['value']:.3f}", f"[{gap['low']:.3f}, {gap['high']:.3f}]"


def to_text(audit: Mapping[str, Any], *, title: str) -> str:
    """Return a summary, the long table for a terminal, comparisons, exclusions and notes."""
    rows = [[_cell(row[column]) for column in COLUMNS] for row in audit_to_rows(audit)]
    parts = [
        line(title),
        *_summary(audit),
        "",
        aligned(COLUMNS, rows),
        "",
        _simultaneous(audit),
        *(f"Excluded from comparisons {line(text)}." for text in verdicts.excluded(audit)),
        *(_reason(gap) for gap in audit["gaps"] if gap["comparison"] == "difference"),
        *(_left_out(entry) for entry in audit["left_out"]),
        *(f"note: {line(note)}" for note in audit["notes"]),
    ]
    return "\n".join(parts) + "\n"


def _summary(audit: Mapping[str, Any]) -> list[str]:
    """Return remarks, verdicts, the largest gap and what is excluded, a line each."""
    lines = [f"remark: {line(text)}" for text in audit["remarks"]]
    lines.append(f"Gaps between groups: {verdicts.counted(audit)}.")
    if (gap := audit["worst"]) is not None:
        lines.append(
            f"Largest gap of a main metric: {gap['metric'].replace('_', ' ')} by "
            f"{line(gap['attribute'])}, {_cell(gap['value'])} [{_cell(gap['low'])}, "
            f"{_cell(gap['high'])}] between {line(gap['lowest'])} (lowest) and "
            f"{line(gap['highest'])} (highest): {verdicts.verdict_text(gap)}."
        )
    out = audit["excluded"]
    unit = "entities" if "entities" in audit else "rows"
    lines.append(
        f"Excluded from every comparison: {out['groups']} of {out['of']} groups of single "
        f"attributes, {out['rows']:,} {unit}."
    )
    pooled = dict.fromkeys(
        f"{row['group']} of {row['attribute']}"
        for row in audit["rows"]
        if pooled_groups(str(row["group"]))
    )
    if pooled:
        lines.append(f"Pooled, described and not compared: {line('; '.join(pooled))}.")
    return lines


def aligned(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with columns of one width; lines have no blanks at their ends."""
    cells = [[line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _reason(gap: Mapping[str, Any]) -> str:
    return (
        f"{verdicts.verdict_text(gap)}: {gap['metric'].replace('_', ' ')} by "
        f"{line(gap['attribute'])}: {line(gap['reason'])}"
    )


def _left_out(entry: Mapping[str, Any]) -> str:
    what = f"{line(entry['attribute'])} {line(entry['group'])} (n = {entry['n']})"
    metric = "" if entry["metric"] is None else f" in {entry['metric'].replace('_', ' ')}"
    return f"excluded{metric}: {what}: {entry['reason']}"


def _cell(value: Any) -> str:
    if _undefined(value):
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)


def _undefined(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # NumPy scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
