"""An audit as one long table: for a terminal, as CSV, as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumbline.reporting import verdicts

COLUMNS = ("attribute", "group", "metric", "value", "low", "high", "n", "verdict")
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
    return json.dumps(_plain(whole), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(audit: Mapping[str, Any]) -> str:
    """Return the long table as CSV; undefined numbers are empty, an open end is ``inf``."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in audit_to_rows(audit):
        writer.writerow({key: "" if _undefined(row[key]) else row[key] for key in COLUMNS})
    return stream.getvalue()


def to_text(audit: Mapping[str, Any], *, title: str) -> str:
    """Return a summary, the long table for a terminal, comparisons, exclusions and notes."""
    rows = [[_cell(row[column]) for column in COLUMNS] for row in audit_to_rows(audit)]
    family = audit["family"]
    parts = [
        _line(title),
        *_summary(audit),
        "",
        aligned(COLUMNS, rows),
        "",
        f"Intervals of gaps are simultaneous over a family of {len(family)} hypotheses.",
        *(f"Excluded from comparisons {_line(text)}." for text in verdicts.excluded(audit)),
        *(_reason(gap) for gap in audit["gaps"] if gap["comparison"] == "difference"),
        *(_left_out(entry) for entry in audit["left_out"]),
        *(f"note: {_line(note)}" for note in audit["notes"]),
    ]
    return "\n".join(parts) + "\n"


def _summary(audit: Mapping[str, Any]) -> list[str]:
    """Return remarks, verdicts, the largest gap and what is excluded, a line each."""
    lines = [f"remark: {_line(text)}" for text in audit["remarks"]]
    lines.append(f"Gaps between groups: {verdicts.counted(audit)}.")
    if (gap := audit["worst"]) is not None:
        lines.append(
            f"Largest gap of a main metric: {gap['metric'].replace('_', ' ')} by "
            f"{_line(gap['attribute'])}, {_cell(gap['value'])} [{_cell(gap['low'])}, "
            f"{_cell(gap['high'])}] between {_line(gap['lowest'])} (lowest) and "
            f"{_line(gap['highest'])} (highest): {verdicts.told(gap)}."
        )
    out = audit["excluded"]
    unit = "entities" if "entities" in audit else "rows"
    lines.append(
        f"Excluded from every comparison: {out['groups']} of {out['of']} groups of single "
        f"attributes, {out['rows']:,} {unit}."
    )
    return lines


def aligned(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with columns of one width; lines have no blanks at their ends."""
    lines = [[_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _reason(gap: Mapping[str, Any]) -> str:
    return (
        f"{verdicts.told(gap)}: {gap['metric'].replace('_', ' ')} by {_line(gap['attribute'])}: "
        f"{_line(gap['reason'])}"
    )


def _left_out(entry: Mapping[str, Any]) -> str:
    what = f"{_line(entry['attribute'])} {_line(entry['group'])} (n = {entry['n']})"
    metric = "" if entry["metric"] is None else f" in {entry['metric'].replace('_', ' ')}"
    return f"excluded{metric}: {what}: {entry['reason']}"


def _line(text: object) -> str:
    """Return text from data as one line without control characters, which a terminal would obey."""
    return "".join(
        letter if letter.isprintable() else "�" for letter in " ".join(str(text).split())
    )


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
