"""The files of a judged study: claims as JSON, its page, figures as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.artifacts import write_json, write_text
from plumbline.reporting.figures import style
from plumbline.reporting.study_page import study_to_markdown
from plumbline.studies import exercises
from plumbline.studies.framework import verdicts
from plumbline.studies.framework.study import CLAIMS, FIGURES, PAGE, Study

if TYPE_CHECKING:
    import pandas as pd


def judge_studies(
    studies: Mapping[str, Study], rows: Mapping[str, pd.DataFrame], *, confidence: float
) -> dict[str, dict[str, Any]]:
    """Judge the claims of studies together; return what ``claims.json`` holds, by study."""
    known = {e: {"title": x.title, "question": x.question} for e, x in exercises.read().items()}
    pairs = [(claim, rows[name]) for name, study in studies.items() for claim in study.claims]
    found = verdicts.judge(pairs, confidence=confidence)
    judged, tested = iter(found), sum(each["p"] >= 0 for each in found)  # not NaN
    return {
        name: {
            "study": name, "lab": study.lab, "title": study.title, "question": study.question,
            "notes": study.notes, "figures": study.captions, "judged_together": tested,
            "exercises": {each: known[each] for each in study.exercises}, "confidence": confidence,
            "claims": [
                {
                    "id": claim.id, "exercise": claim.exercise, "statement": claim.statement,
                    "effect": claim.contrast.in_words(study.terms), "claimed": claim.region,
                    "contrast": {"kind": type(claim.contrast).__name__, **asdict(claim.contrast)},
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
    tables = study.tables(rows) if study.tables else {}
    figures = style.styled(study.figures)(rows)
    for name, text in figures.items():
        write_text(place(FIGURES) / name, text)
    write_json(place(CLAIMS), judged)
    write_text(place(PAGE), study_to_markdown(judged, list(figures), tables, study.terms))
