"""The files of a judged study: claims as JSON, a Markdown page, figures as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.artifacts import write_json, write_text
from plumbline.reporting.rendering import Safe, escape, estimate, page, show, table, words
from plumbline.studies import exercises
from plumbline.studies.framework import verdicts
from plumbline.studies.framework.study import CLAIMS, FIGURES, PAGE, Study

if TYPE_CHECKING:
    import pandas as pd

_MARKS = {"is_false": "deliberately false", "is_control": "A/A control"}


def judge_studies(
    studies: Mapping[str, Study], rows: Mapping[str, pd.DataFrame], *, confidence: float
) -> dict[str, dict[str, Any]]:
    """Judge the claims of studies together; return what ``claims.json`` holds, by study."""
    known = {
        name: {"title": each.title, "question": each.question}
        for name, each in exercises.read().items()
    }
    pairs = [(claim, rows[name]) for name, study in studies.items() for claim in study.claims]
    judged = iter(verdicts.judge(pairs, confidence=confidence))
    return {
        name: {
            "study": name,
            "lab": study.lab,
            "title": study.title,
            "question": study.question,
            "exercises": {each: known[each] for each in study.exercises},
            "confidence": confidence,
            "judged_together": len(pairs),
            "claims": [
                {
                    "id": claim.id, "exercise": claim.exercise, "statement": claim.statement,
                    "effect": str(claim.contrast), "claimed": claim.region,
                    "every_seed": claim.every_seed, "method": claim.method,
                    "is_false": claim.is_false, "is_control": claim.is_control, **next(judged),
                }
                for claim in study.claims
            ],
        }
        for name, study in studies.items()
    }  # fmt: skip


def write_study(
    study: Study, rows: pd.DataFrame, judged: Mapping[str, Any], place: Callable[[str], Path]
) -> None:
    """Write claims, page and figures where ``place`` says."""
    figures = study.figures(rows)
    for name, text in figures.items():
        write_text(place(FIGURES) / name, text)
    write_json(place(CLAIMS), judged)
    tables = study.tables(rows) if study.tables else {}
    write_text(place(PAGE), study_to_markdown(study, judged, list(figures), tables))


def tally(judged: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of claims by verdict."""
    found = [claim["verdict"] for document in judged.values() for claim in document["claims"]]
    return {f"claims/{verdict}": found.count(verdict) for verdict in verdicts.VERDICTS}


def study_to_markdown(
    study: Study,
    judged: Mapping[str, Any],
    figures: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
) -> str:
    """Return the page of a study."""
    claims = judged["claims"]
    header = (
        "exercise",
        "claim",
        "effect",
        "claimed",
        "measured, with interval",
        "seeds",
        "verdict",
    )
    rows = [
        (c["exercise"], _statement(c), c["effect"], c["claimed"],
         Safe(estimate({**c, "value": c["estimate"]})), c["seeds"], _verdict(c)) for c in claims
    ]  # fmt: skip
    told = (
        f"Intervals are of the mean over seeds; with {judged['confidence']:.0%} confidence no "
        f"verdict is wrong (Holm over {judged['judged_together']} claims). *supported*: the "
        "interval lies in the claimed region; *refuted*: outside of it; *undecided*: neither."
    )
    ranges = "Of *every seed*, the interval is the range over seeds."
    return page([
        f"# {escape(study.title)}",
        escape(study.question),
        "## Claims",
        table(header, rows),
        told + (f" {ranges}" if any(c["every_seed"] for c in claims) else ""),
        *(_figure(name) for name in figures),
        *(f"## {escape(heading)}\n\n{_table(found)}" for heading, found in tables.items()),
        "## Notes" if study.notes else "",
        *study.notes,
        "## Questions of the chapter",
        *(f"{each}. {escape(exercises.read()[each].question)}" for each in study.exercises),
    ])  # fmt: skip


def _statement(claim: Mapping[str, Any]) -> Safe:
    marks = [mark for key, mark in _MARKS.items() if claim[key]]
    marks += ["every seed"] if claim["every_seed"] else []
    return Safe(escape(claim["statement"]) + (f" *({', '.join(marks)})*" if marks else ""))


def _verdict(claim: Mapping[str, Any]) -> Safe:
    reason = f" ({escape(claim['reason'])})" if claim["reason"] else ""
    return Safe(f"**{claim['verdict']}**{reason}")


def _figure(name: str) -> str:
    return f"![{escape(words(Path(name).stem))}]({FIGURES}/{name})"


def _table(found: pd.DataFrame) -> Safe:
    cells = found.astype(object).where(found.notna(), None)
    rows = (map(show, row) for row in cells.itertuples(index=False))
    return table([words(str(name)) for name in found], [list(row) for row in rows])
