"""The page of a study: its claims with verdicts, figures, tables and notes, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.reporting.rendering import Safe, escape, estimate, page, show, table, words
from plumbline.reporting.terms import Terms, in_table

if TYPE_CHECKING:
    import pandas as pd

MARKS = {
    "is_false": "deliberately false",
    "is_control": "A/A control",
    "every_seed": "every seed",
}
_HEADER = ("exercise", "claim", "effect", "claimed", "measured, with interval", "seeds", "verdict")


def study_to_markdown(
    judged: Mapping[str, Any],
    figures: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    terms: Terms,
) -> str:
    """Return the page of a study.

    Parameters
    ----------
    judged : mapping
        Content of its ``claims.json``.
    figures : sequence of str
        Names of files in the folder ``figures`` beside the page.
    tables : mapping of str to DataFrame
        By heading.
    terms : Terms
        Readable names of their columns and of values.
    """
    claims, questions = judged["claims"], judged["exercises"].items()
    told = (
        f"Intervals are of the mean over seeds; with {judged['confidence']:.0%} confidence no "
        f"verdict is wrong (Holm over {judged['judged_together']} claims). *supported*: the "
        "interval lies in the claimed region; *refuted*: outside of it; *undecided*: neither."
    )
    ranges = " Of *every seed*, the interval is the range over seeds."
    return page([
        f"# {escape(judged['title'])}",
        escape(judged["question"]),
        "## Claims",
        table(_HEADER, map(_row, claims)),
        told + (ranges if any(claim["every_seed"] for claim in claims) else ""),
        *(_figure(name, judged["figures"].get(name, "")) for name in figures),
        *(f"## {escape(heading)}\n\n{_table(found, terms)}" for heading, found in tables.items()),
        "## Notes" if judged["notes"] else "",
        *judged["notes"],
        "## Questions of the chapter",
        *(f"{name}. {escape(about['question'])}" for name, about in questions),
    ])  # fmt: skip


def _row(claim: Mapping[str, Any]) -> list[object]:
    marks = ", ".join(mark for key, mark in MARKS.items() if claim[key])
    statement = escape(claim["statement"]) + (f" *({marks})*" if marks else "")
    reason = f" ({escape(claim['reason'])})" if claim["reason"] else ""
    return [
        claim["exercise"], Safe(statement), claim["effect"], claim["claimed"],
        estimate({**claim, "value": claim["estimate"]}), claim["seeds"],
        Safe(f"**{claim['verdict']}**{reason}"),
    ]  # fmt: skip


def _figure(name: str, caption: str) -> str:
    drawn = f"![{escape(words(Path(name).stem))}](figures/{name})"
    return f"{drawn}\n\n*{escape(caption)}*" if caption else drawn


def _table(found: pd.DataFrame, terms: Terms) -> Safe:
    found = in_table(terms, found)
    cells = found.astype(object).where(found.notna(), None)
    rows = ([show(cell) for cell in row] for row in cells.itertuples(index=False))
    return table([words(str(name)) for name in found], rows)
