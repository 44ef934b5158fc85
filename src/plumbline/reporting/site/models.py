"""Models as the report page shows them, read from metrics and audits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plumbline import catalog, names
from plumbline.reporting import verdicts
from plumbline.reporting.cards.facts import card_words, reference_name
from plumbline.reporting.comparisons import PairedDifference, differences, from_baseline, label
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.rendering import words


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
    n: Reference
    verdict: str
    verdict_text: str
    deviating: str
    detectable: Reference | None
    reason: str


@dataclass
class ModelView:
    """One model as the page shows it.

    ``baselines``: references of the main metric, with their keys in the metrics file; ``baseline``:
    the main metric of the model that the catalogue names as this one's baseline; ``differences``:
    from the other models of the data set in the main metric, on the same test rows; ``paired``:
    from the baseline.
    """

    name: str
    title: str
    metrics: Mapping[str, Any]
    audit: Mapping[str, Any]
    main_metric: Estimate
    baselines: list[Estimate]
    baseline_keys: list[str]
    baseline: Estimate | None
    differences: list[PairedDifference]
    paired: PairedDifference | None
    worst: Gap | None
    tally: dict[str, int]
    rows: list[Estimate]
    references: list[Estimate]


def model_views(book: Book) -> list[ModelView]:
    """Return every model that was evaluated and audited, in the order of the catalogue."""
    found = [
        _model_view(book, name)
        for name in catalog.models()
        if book.has(names.METRICS_DIR / f"{name}.json") and book.has(names.AUDITS / f"{name}.json")
    ]
    by_name = {model.name: model for model in found}
    for model in found:
        other = by_name.get(catalog.model(model.name).baseline)
        if other and other.metrics["main_metric"] == model.metrics["main_metric"]:
            text = f"{other.main_metric.label} of {label(other.name)}"
            model.baseline = replace(other.main_metric, label=text)
    return found


def _model_view(book: Book, name: str) -> ModelView:
    file, audit_file = names.METRICS_DIR / f"{name}.json", names.AUDITS / f"{name}.json"
    metrics, audit = book.read(file), book.read(audit_file)
    main = metrics["main_metric"]
    # A reference that is a model of the page has its own row there.
    same = [
        key
        for key in metrics["reference"]
        if key == main
        or (key.endswith(f"/{main}") and key.partition("/")[0] not in catalog.models())
    ]
    own = metrics["metrics"]

    def estimates(part: str, keys: Any) -> list[Estimate]:
        labels = {k: words(k) if part == "metrics" else reference_name(k, own) for k in keys}
        return [estimate(book, labels[k], file, part, k) for k in keys]

    return ModelView(
        name=name,
        title=card_words(name, metrics["source"])[0]["title"],
        metrics=metrics,
        audit=audit,
        main_metric=estimates("metrics", [main])[0],
        baselines=estimates("reference", same),
        baseline_keys=same,
        baseline=None,
        differences=[each for each in differences(book, name) if each.verdict],
        paired=from_baseline(book, name),
        worst=gap_view(book, audit_file, "worst") if audit.get("worst") else None,
        tally=verdicts.tally(verdicts.compared(audit, "difference")),
        rows=estimates("metrics", own),
        references=estimates("reference", metrics["reference"]),
    )


def estimate(book: Book, text: str, file: Path, *keys: str | int) -> Estimate:
    """Return the value of a file with its interval; without one where either end is undefined."""
    low, high = book.at(file, *keys, "low"), book.at(file, *keys, "high")
    known = low.value is not None and high.value is not None
    value = book.at(file, *keys, "value")
    return Estimate(text, value, low if known else None, high if known else None)


def gap_view(book: Book, file: Path, *keys: str | int) -> Gap:
    """Return a gap of an audit file."""
    raw = book.at(file, *keys).value
    shown = verdicts.detectable(raw)
    return Gap(
        estimate=estimate(book, words(raw["metric"]), file, *keys),
        attribute=raw["attribute"],
        comparison=raw["comparison"],
        lowest=raw["lowest"] or "",
        highest=raw["highest"] or "",
        n=book.at(file, *keys, "n"),
        verdict=raw["verdict"],
        verdict_text=verdicts.verdict_text(raw),
        deviating=verdicts.deviating(book.read(file), raw),
        detectable=book.at(file, *keys, "detectable") if shown else None,
        reason=raw.get("reason") or "",
    )
