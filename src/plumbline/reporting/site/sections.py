"""The sections of the report page about models and their audits."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline import catalog, names
from plumbline.reporting import verdicts
from plumbline.reporting.comparisons import PairedDifference, label
from plumbline.reporting.figures.forest import audit_metrics
from plumbline.reporting.references import Book
from plumbline.reporting.rendering import words
from plumbline.reporting.site.figures import Drawing, audit_drawings, section_drawings
from plumbline.reporting.site.models import Gap, ModelView, gap_view

MAX_GAP_ROWS = 30

# Titles of sections, and their first sentence; a data set that is not listed has its label alone.
_LEADS = {
    names.TABULAR: (
        "Tabular data",
        "A feed-forward network compared with classical models on the same rows.",
    ),
    names.TEXT: (
        "Text",
        "A recurrent network compared with an n-gram baseline, in bits per character of unseen "
        "documents.",
    ),
    names.IMAGES: (
        "Images with few labels",
        "Three ways of using a pretrained backbone when few images are labelled. The convolutional "
        "classifier is trained on all labels and is the feature extractor of the generator's "
        "metrics.",
    ),
    names.GENERATOR: (
        "Generated images",
        "Samples of every class beside real images, with the kernel distance between the two: 0 is "
        "expected if both have one distribution.",
    ),
    names.GLYPHS: (
        "Pretraining",
        "The backbone that fine-tuning starts from, trained on printed characters.",
    ),
}


@dataclass
class ModelSection:
    """Models of one data set, and their figures; ``folded`` are shown on demand.

    ``differences``: each model, an earlier one, and their paired difference.
    """

    id: str
    title: str
    lead: str
    about: Mapping[str, Any]
    models: list[ModelView]
    drawings: list[Drawing]
    folded: list[Drawing]
    differences: list[tuple[str, str, PairedDifference]]


@dataclass
class AuditView:
    """One model's audit."""

    model: ModelView
    drawings: list[Drawing]
    gaps: list[Gap]
    crossed: list[Gap]
    left_out: int
    insufficient: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    margins: list[str] = field(default_factory=list)
    counted: str = ""


def model_sections(book: Book, models: list[ModelView]) -> list[ModelSection]:
    """Return a section per data set, generators apart, in the order of the catalogue."""
    by_section: dict[str, list[ModelView]] = {}
    for model in models:
        generator = model.metrics["kind"] == names.GENERATOR
        key = names.GENERATOR if generator else model.metrics["dataset"]
        by_section.setdefault(key, []).append(model)
    found = []
    for key, chosen in by_section.items():
        dataset = chosen[0].metrics["dataset"]
        about = book.read(names.PREPARED / dataset / "schema.json")["about"]
        histories = {m.name: read_history(book.root, m.name) for m in chosen}
        shown, folded = section_drawings(key, chosen, {k: h for k, h in histories.items() if h})
        differences = [
            (label(m.name), label(found.other), found)
            for i, m in enumerate(chosen)
            for found in m.differences
            if found.other not in [later.name for later in chosen[i + 1 :]]
        ]
        title, lead = _LEADS.get(key, (catalog.dataset(dataset).label.capitalize(), ""))
        found.append(ModelSection(key, title, lead, about, chosen, shown, folded, differences))
    return found


def audit_views(book: Book, models: list[ModelView]) -> list[AuditView]:
    """Return the audit of each model: forest plots, gaps, and groups too small to compare."""
    found = []
    for model in models:
        file = names.AUDITS / f"{model.name}.json"
        gaps = [
            gap for i in range(len(model.audit["gaps"])) if (gap := gap_view(book, file, "gaps", i))
        ]
        plain = [gap for gap in gaps if names.INTERSECTION not in gap.attribute]
        crossed = [gap for gap in gaps if names.INTERSECTION in gap.attribute]
        ranked = sorted(crossed, key=lambda gap: names.VERDICTS.index(gap.verdict))
        drawings = audit_drawings(model.name, model.title, model.audit, audit_metrics(model.audit))
        view = AuditView(
            model,
            drawings,
            plain[:MAX_GAP_ROWS],
            ranked[:MAX_GAP_ROWS],
            max(len(plain) - MAX_GAP_ROWS, 0) + max(len(crossed) - MAX_GAP_ROWS, 0),
            list(_too_small(model.audit)),
            verdicts.excluded(model.audit),
            verdicts.margins(model.audit),
            verdicts.counted(model.audit),
        )
        found.append(view)
    return found


def read_history(root: Path, model: str) -> dict[str, list[float]]:
    """Return the columns of a training history, NaN where undefined; empty if there is none."""
    path = root / names.HISTORY_DIR / f"{model}.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = rows[0] if rows else {}
    return {name: [float(row[name] or "nan") for row in rows] for name in columns}


def _too_small(audit: Mapping[str, Any]) -> Iterator[str]:
    seen = set()
    for row in audit["rows"]:
        key = row["attribute"], row["group"]
        if row["verdict"] == names.INSUFFICIENT and key not in seen:
            seen.add(key)
            yield f"{words(row['attribute'])} = {row['group']}"
