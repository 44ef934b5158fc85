"""What the report page shows, section by section, read from files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import names
from plumbline.artifacts import Predictions
from plumbline.reporting.cards.facts import card_words, reference_name
from plumbline.reporting.figures.plots import audit_metrics, words
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.site.figures import audit_drawings, task_drawings

if TYPE_CHECKING:
    from plumbline.reporting.site.figures import Drawing

MAX_GAP_ROWS = 30

# Sections of models that answer one question: id, word in the list of sections, title, data set,
# models, what the reader sees.
TASKS = (
    ("tabular", "Table", "Tabular data", names.TABULAR, ("baseline", "fnn"),
     "A feed-forward network against classical models on the same rows."),
    ("images", "Images", "Images with few labels", names.IMAGES,
     ("finetune_scratch", "finetune_linear_probe", "finetune_full", "cnn"),
     "Three ways of using a pretrained backbone when few images carry a label; the convolutional "
     "classifier sees every label and serves as the generator's judge."),
    ("text", "Text", "Text", names.TEXT, ("ngram", "rnn"),
     "A recurrent network against a counting model, in bits per character of unseen documents."),
    ("generator", "Generator", "Generated images", names.IMAGES, ("gan",),
     "Samples of every class beside real images, with the distance between the two and the "
     "distance of real images from each other."),
    ("pretraining", "Pretraining", "Pretraining", names.GLYPHS, ("backbone",),
     "The backbone that fine-tuning starts from, trained on printed characters."),
)  # fmt: skip

# The model that another one has to be read against first, on the same test rows.
_RIVALS = {
    "fnn": "baseline", "rnn": "ngram",
    "finetune_linear_probe": "finetune_scratch", "finetune_full": "finetune_scratch",
}  # fmt: skip


@dataclass
class ModelView:
    """One model as the page shows it."""

    name: str
    title: str
    metrics: Mapping[str, Any]
    audit: Mapping[str, Any]
    headline: Estimate
    beside: list[Estimate]
    beside_keys: list[str]
    rival: Estimate | None
    worst: Gap | None
    tally: dict[str, int]
    rows: list[Estimate]
    references: list[Estimate]


@dataclass
class Estimate:
    """A value with its interval, each with the place it was read from."""

    label: str
    value: Reference
    low: Reference | None
    high: Reference | None


@dataclass
class Gap:
    """A gap of an audit."""

    estimate: Estimate
    attribute: str
    comparison: str
    lowest: str
    highest: str
    verdict: str
    reason: str


@dataclass
class TaskView:
    """Models that answer one question, and their figures."""

    id: str
    short: str
    title: str
    lead: str
    about: Mapping[str, Any]
    models: list[ModelView]
    drawings: list[Drawing]
    folded: list[Drawing]


@dataclass
class Single:
    """What was seen of a model's single decisions: consistency, and flips by group."""

    neighbours: Reference
    consistency: list[Estimate]
    flips: list[tuple[str, Estimate]]
    not_flipped: list[str]


@dataclass
class AuditView:
    """One model's audit."""

    model: ModelView
    drawings: list[Drawing]
    gaps: list[Gap]
    crossed: list[Gap]
    left_out: int
    insufficient: list[str] = field(default_factory=list)
    single: Single | None = None


def model_views(book: Book) -> list[ModelView]:
    """Return every model that was measured and audited, in the order of the story."""
    found = []
    for name in names.MODELS:
        if book.has(names.METRICS_DIR / f"{name}.json") and book.has(names.AUDITS / f"{name}.json"):
            found.append(_model_view(book, name))
    by_name = {model.name: model for model in found}
    for model in found:
        rival = by_name.get(_RIVALS.get(model.name, ""))
        if rival and rival.metrics["headline"] == model.metrics["headline"]:
            label = f"{rival.headline.label} of {rival.name.replace('_', ' ')}"
            model.rival = replace(rival.headline, label=label)
    return found


def task_views(book: Book, models: list[ModelView]) -> list[TaskView]:
    """Return the sections that have a model."""
    found = []
    for key, short, title, dataset, members, lead in TASKS:
        chosen = [model for name in members for model in models if model.name == name]
        if not chosen:
            continue
        about = book.read(names.PREPARED / dataset / "schema.json")["about"]
        tables = {m.name: _predictions(book, m.name) for m in chosen}
        histories = {m.name: read_history(book.root, m.name) for m in chosen}
        shown, folded = task_drawings(
            key, chosen, tables=tables, histories={k: h for k, h in histories.items() if h}
        )
        found.append(TaskView(key, short, title, lead, about, chosen, shown, folded))
    return found


def audit_views(book: Book, models: list[ModelView]) -> list[AuditView]:
    """Return the audits: forest plots, gaps, and groups too small to compare."""
    found = []
    for model in models:
        file = names.AUDITS / f"{model.name}.json"
        gaps = [
            gap for i in range(len(model.audit["gaps"])) if (gap := _gap(book, file, "gaps", i))
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
            _single(book, model.name),
        )
        found.append(view)
    return found


def _single(book: Book, model: str) -> Single | None:
    file = names.INDIVIDUAL / f"{model}.json"
    if not book.has(file) or book.read(file)["skipped"] is not None:
        return None
    labels = {
        "decisions": "consistency of decisions",
        "labels": "of the labels of the same rows",
        "noise": "of labels drawn by their scores",
    }
    flips = [
        (
            f"{words(flip['attribute'])}: {row['group']} as if {row['to']}",
            estimate(book, "decisions that change", file, "flips", i, "rows", k, "changed"),
        )
        for i, flip in enumerate(book.read(file)["flips"])
        for k, row in enumerate(flip["rows"])
    ]
    return Single(
        book.at(file, "neighbours"),
        [estimate(book, text, file, "consistency", key) for key, text in labels.items()],
        flips[:MAX_GAP_ROWS],
        [words(f["attribute"]) for f in book.read(file)["flips"] if not f["rows"]],
    )


def read_history(root: Path, model: str) -> dict[str, list[float]]:
    """Return the columns of a training history, NaN where undefined; empty if there is none."""
    path = root / names.HISTORY_DIR / f"{model}.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = rows[0] if rows else {}
    return {name: [float(row[name] or "nan") for row in rows] for name in columns}


def _predictions(book: Book, model: str) -> Predictions:
    return Predictions.read(book.root / names.PREDICTIONS / f"{model}.parquet")


def _model_view(book: Book, name: str) -> ModelView:
    file, audit_file = names.METRICS_DIR / f"{name}.json", names.AUDITS / f"{name}.json"
    metrics, audit = book.read(file), book.read(audit_file)
    headline = metrics["headline"]
    # A model of the page that is also a reference stands in its own row and as the rival.
    same = [
        key
        for key in metrics["reference"]
        if key == headline
        or (key.endswith(f"/{headline}") and key.partition("/")[0] not in names.MODELS)
    ]
    verdicts = [gap["verdict"] for gap in audit["gaps"]]
    own = metrics["metrics"]

    def estimates(part: str, keys: Any) -> list[Estimate]:
        labels = {k: words(k) if part == "metrics" else reference_name(k, own) for k in keys}
        return [estimate(book, labels[k], file, part, k) for k in keys]

    return ModelView(
        name=name,
        title=card_words(name, metrics["source"])[0]["title"],
        metrics=metrics,
        audit=audit,
        headline=estimates("metrics", [headline])[0],
        beside=estimates("reference", same),
        beside_keys=same,
        rival=None,
        worst=_gap(book, audit_file, "worst") if audit.get("worst") else None,
        tally={verdict: verdicts.count(verdict) for verdict in names.VERDICTS},
        rows=estimates("metrics", own),
        references=estimates("reference", metrics["reference"]),
    )


def estimate(book: Book, label: str, file: Path, *keys: str | int) -> Estimate:
    """Return the value of a file with its interval; without one where either end is undefined."""
    low, high = book.at(file, *keys, "low"), book.at(file, *keys, "high")
    known = low.value is not None and high.value is not None
    value = book.at(file, *keys, "value")
    return Estimate(label, value, low if known else None, high if known else None)


def _gap(book: Book, file: Path, *keys: str | int) -> Gap:
    raw = book.at(file, *keys).value
    return Gap(
        estimate=estimate(book, words(raw["metric"]), file, *keys),
        attribute=raw["attribute"],
        comparison=raw["comparison"],
        lowest=raw["lowest"] or "",
        highest=raw["highest"] or "",
        verdict=raw["verdict"],
        reason=raw.get("reason") or "",
    )


def _too_small(audit: Mapping[str, Any]) -> Iterator[str]:
    seen = set()
    for row in audit["rows"]:
        key = row["attribute"], row["group"]
        if row["verdict"] == names.INSUFFICIENT and key not in seen:
            seen.add(key)
            yield f"{words(row['attribute'])} = {row['group']}"
