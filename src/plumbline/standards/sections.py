"""Sections of an audit of decisions beside its comparisons: plan, four-fifths rule, subgroups."""

from __future__ import annotations

from typing import Any

from plumbline import names
from plumbline.artifacts.plain_text import line
from plumbline.audit import listing
from plumbline.audit.planning import plan
from plumbline.reporting.rendering import table
from plumbline.standards.document import four_fifths_to_markdown
from plumbline.standards.four_fifths import (
    SMALL,
    UNDEFINED,
    UNDER,
    UNDER_BUT_FLIPS,
    UNDER_UNSETTLED,
    UNSETTLED,
)

_MOST_GROUPS = 5  # in a line of a summary
# Findings on groups that are not under four fifths, and do not pass either.
_NOT_SAID = {
    UNSETTLED: "above it in these rows, not settled",
    SMALL: "under 2 % of the rows, not judged",
    UNDEFINED: "undefined, as nobody was selected",
}


def plan_page(audit: dict[str, Any]) -> str:
    """Return the section on the rows that would settle open comparisons, empty without a plan."""
    if "plan" not in audit:
        return ""
    found = table(plan.HEADER, plan.plan_to_cells(audit["plan"])) if audit["plan"] else ""
    text = plan.explanation(audit["plan"])
    return f"\n## Rows that would settle open comparisons\n\n{text}\n\n{found}\n"


def plan_text(audit: dict[str, Any]) -> str:
    """Return the plan as a table for a terminal, empty without one."""
    if "plan" not in audit:
        return ""
    cells = plan.plan_to_cells(audit["plan"])
    lines = f"{listing.aligned(plan.HEADER, cells)}\n" if cells else ""
    return f"\nRows that would settle open comparisons. {plan.explanation(audit['plan'])}\n{lines}"


def fifths_page(audit: dict[str, Any]) -> str:
    """Return the section on the four-fifths rule as Markdown, empty without decisions."""
    if "four_fifths" not in audit:
        return ""
    return "\n" + "\n\n".join(four_fifths_to_markdown(audit)) + "\n"


def fifths_text(audit: dict[str, Any]) -> str:
    """Return the four-fifths rule as a table for a terminal, empty without decisions."""
    rows = [
        [
            table["attribute"],
            row["group"],
            *(str(row[key]) for key in ("n", "selected")),
            *("" if row[key] is None else f"{row[key]:.4f}" for key in ("rate", "ratio")),
            _ends(row),
            "" if row["p_value"] is None else f"{row['p_value']:.2g}",
            row["finding"],
        ]
        for table in audit.get("four_fifths", [])
        for row in table["rows"]
    ]
    if not rows:
        return ""
    header = (
        "attribute",
        "group",
        "n",
        "favoured",
        "rate",
        "ratio",
        "interval",
        "p",
        "four fifths",
    )
    p = "p of rates with rows of one entity taken together" if "entities" in audit else "Fisher's p"
    favourable = f"Four-fifths rule, favourable: {line(audit['favourable'])}; {p}, each by itself"
    if audit.get("weighted"):
        favourable += "; unweighted: the rule speaks of persons, each row counts once"
    return f"\n{favourable}\n{listing.aligned(header, rows)}\n"


def fifths_lines(audit: dict[str, Any]) -> list[str]:
    """Return the four-fifths rule between groups of single attributes in a line, if any."""
    rows = [
        (table["attribute"], row)
        for table in audit.get("four_fifths", [])
        if names.INTERSECTION not in table["attribute"]
        for row in table["rows"]
    ]
    if not rows:
        return []
    under = [
        f"{attribute} {row['group']} {row['ratio']:.3f} {_ends(row)}"
        + (" (not settled)" if row["finding"] != UNDER else "")
        for attribute, row in rows
        if row["finding"] in (UNDER, UNDER_UNSETTLED, UNDER_BUT_FLIPS)
    ]
    shown = "; ".join(under[:_MOST_GROUPS]) + ("; …" if len(under) > _MOST_GROUPS else "")
    found = [row["finding"] for _, row in rows]
    others = [
        f"{found.count(finding)} {text}" for finding, text in _NOT_SAID.items() if finding in found
    ]
    return [
        f"Four-fifths rule, favourable {line(audit['favourable'])}: {len(under)} of {len(rows)} "
        f"groups of single attributes under four fifths of the highest rate"
        f"{': ' + line(shown) if shown else ''}{''.join(f'; {text}' for text in others)}."
    ]


def _ends(row: dict[str, Any]) -> str:
    if row["low"] is None:
        return ""
    return f"[{row['low']:.4f}, {'∞' if row['high'] is None else format(row['high'], '.4f')}]"


_SUBGROUP_COLUMNS = ("subgroup", "metric", "value", "others", "n", "p", "verdict")


def _subgroup_cells(audit: dict[str, Any]) -> list[list[str]]:
    return [
        [
            ", ".join(f"{attribute} {value}" for attribute, value in entry["subgroup"].items()),
            entry["metric"],
            *(f"{entry[key]:.4f}" for key in ("value", "others")),
            str(entry["n"]),
            f"{entry['p_holm']:.2g}",
            entry["verdict"],
        ]
        for entry in audit["subgroups"]
    ]


def _searched(audit: dict[str, Any]) -> str:
    return (
        f"The most different of {audit['subgroups'][0]['searched']} subgroups, against all other "
        "rows; p of the maximum over all of them, over the rates by Holm"
    )


def subgroups_text(audit: dict[str, Any]) -> str:
    """Return the subgroups that were searched for, for a terminal; empty without a search."""
    if not audit.get("subgroups"):
        return ""
    return f"\n{_searched(audit)}\n{listing.aligned(_SUBGROUP_COLUMNS, _subgroup_cells(audit))}\n"


def subgroups_page(audit: dict[str, Any]) -> str:
    """Return the subgroups that were searched for as Markdown, empty without a search."""
    if not audit.get("subgroups"):
        return ""
    found = table(_SUBGROUP_COLUMNS, _subgroup_cells(audit))
    return f"\n## Subgroups\n\n{_searched(audit)}.\n\n{found}\n"
