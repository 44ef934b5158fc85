"""The claims of a laboratory by exercise, and the figures of its studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline.reporting.figures import style
from plumbline.reporting.references import Book
from plumbline.reporting.rendering import words
from plumbline.reporting.site.figures import Drawing
from plumbline.reporting.site.models import Estimate
from plumbline.reporting.study_page import MARKS

STUDIES = Path("reports/studies")


@dataclass
class ClaimRow:
    """One claim: its estimate with interval, and what decides it."""

    estimate: Estimate
    effect: str
    claimed: str
    verdict: str
    remark: str
    study: str


@dataclass
class ExerciseView:
    """An exercise with the claims on it and the figures of their studies."""

    name: str
    title: str
    question: str
    rows: list[ClaimRow] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)


def exercise_views(book: Book, lab: str) -> list[ExerciseView]:
    """Return the exercises that a laboratory has claims on, E1 first.

    A figure is shown once: with the first exercise of its study.
    """
    folders = sorted(path.parent for path in (book.root / STUDIES / lab).glob("*/claims.json"))
    found: dict[str, ExerciseView] = {}
    for folder in folders:
        file = (folder / "claims.json").relative_to(book.root)
        document = book.read(file)
        for name, about in document["exercises"].items():
            found.setdefault(name, ExerciseView(name, about["title"], about["question"]))
        for number, claim in enumerate(document["claims"]):
            found[claim["exercise"]].rows.append(_row(book, file, number))
        if document["exercises"]:
            first = min(document["exercises"], key=_number)
            found[first].drawings += _drawings(folder, document)
    return [found[name] for name in sorted(found, key=_number)]


def _row(book: Book, file: Path, number: int) -> ClaimRow:
    claim = book.read(file)["claims"][number]
    value, low, high = (book.at(file, "claims", number, k) for k in ("estimate", "low", "high"))
    ends = (low, high) if low.value is not None and high.value is not None else (None, None)
    remarks = [mark for key, mark in MARKS.items() if claim[key]]
    remarks += [claim["reason"]] if claim["reason"] else []
    return ClaimRow(
        Estimate(claim["statement"], value, *ends), claim["effect"], claim["claimed"],
        claim["verdict"], "; ".join(remarks), file.parent.name,
    )  # fmt: skip


def _drawings(folder: Path, document: Mapping[str, Any]) -> list[Drawing]:
    shown = []
    for path in sorted(folder.glob("figures/*.svg")):
        caption = document["figures"].get(path.name) or f"{document['title']}: {words(path.stem)}"
        text = path.read_text(encoding="utf-8")
        name = f"{folder.name}-{path.stem}"
        shown.append(Drawing(style.inline(text, name=name, label=caption), caption))
    return shown


def _number(exercise: str) -> int:
    return int(exercise[1:])
