"""The sections of the fairness laboratory's page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline import catalog, names
from plumbline.reporting.comparisons import label
from plumbline.reporting.figures import fairness
from plumbline.reporting.references import Book, Reference
from plumbline.reporting.rendering import words
from plumbline.reporting.site.figures import Drawing, drawing
from plumbline.reporting.site.models import Estimate, estimate

MAX_CHANGES = 30  # counterfactual changes that the page shows per model


@dataclass
class MethodRow:
    """One mitigation method: accuracy and gaps between groups.

    ``changes``: of ``accuracy`` and of the error ``gap`` against no mitigation; empty for that
    itself. ``errors``: the larger gap of true and false positive rate, with its verdict, as
    ``selection`` is of selection rates; None with too few rows. ``constant``: the strengths, in
    words, at which all rows get one decision. ``changed``: how many decisions the method changes,
    in words.
    """

    number: int
    model: str
    name: str
    when: str
    about: str
    needs_group: bool
    accuracy: Estimate
    changes: dict[str, Estimate]
    errors: tuple[Estimate, str] | None
    selection: tuple[Estimate, str] | None
    constant: str
    changed: str


@dataclass
class MitigationView:
    """The methods tried on the tabular data; ``skipped`` says why there is none, if so.

    ``design``: the effect of weights and entities of the rows, in sentences; empty without any.
    """

    attribute: str
    rows: list[MethodRow]
    drawings: list[Drawing]
    skipped: str
    design: str = ""


@dataclass
class BalanceRow:
    """One way of rebalancing an undersampled group of images; ``gap`` with its verdict."""

    name: str
    added: Reference
    accuracy: Estimate
    group: Estimate | None
    gap: tuple[Estimate, str] | None


@dataclass
class BalanceView:
    """Undersampling and rebalancing a group of images; ``skipped`` says why not, if so."""

    attribute: str
    group: str
    counts: dict[str, Reference]
    rows: list[BalanceRow]
    drawings: list[Drawing]
    skipped: str


@dataclass
class DilemmaView:
    """Figures of the hiring tool, and of the rates that base rates imply."""

    drawings: list[Drawing]


def mitigation_view(book: Book) -> MitigationView | None:
    """Return the methods in the order of `names.MITIGATED_MODELS`; None without reports."""
    files = [
        names.MITIGATION / f"{model}_{method}.json"
        for model, methods in names.MITIGATED_MODELS.items()
        for method in methods
    ]
    reports = [(file, book.read(file)) for file in files if book.has(file)]
    if not reports:
        return None
    if skipped := reports[0][1]["skipped"]:
        return MitigationView("", [], [], skipped)
    rows = [_method(book, number, *found) for number, found in enumerate(reports)]
    points = [_point(number, report) for number, (_, report) in enumerate(reports)]
    known = [point for point in points if point["gap"] is not None]
    attribute = words(reports[0][1]["attribute"])
    drawings = [_front(known, attribute)] if known else []
    return MitigationView(attribute, rows, drawings, "", _design(reports[0][1]))


def balance_view(book: Book) -> BalanceView | None:
    """Return the rows of ``reports/mitigation/balance.json``; None without that file."""
    if not book.has(names.BALANCE):
        return None
    found = book.read(names.BALANCE)
    attribute, group = words(found["attribute"]), str(found["group"])
    if found["skipped"]:
        return BalanceView(attribute, group, {}, [], [], found["skipped"])
    keys = ("removed", "wanted", "drawn", "accepted", "accepted_share", "cells", "cells_unfilled")
    drawn = drawing(
        fairness.balance_figure(found["rows"], group=f"{attribute} {group}"),
        name="mitigation-balance",
        caption=f"Accuracy on all test images and on {attribute} {group}, with intervals, by the "
        "images that the classifier was trained on.",
    )
    return BalanceView(
        attribute=attribute,
        group=group,
        counts={key: book.at(names.BALANCE, key) for key in keys},
        rows=[_filled(book, at, row) for at, row in enumerate(found["rows"])],
        drawings=[drawn],
        skipped="",
    )


def _filled(book: Book, at: int, row: Any) -> BalanceRow:
    def own(part: str) -> Estimate | None:
        return estimate(book, words(part), names.BALANCE, "rows", at, part) if row[part] else None

    gap, group = own("gap"), own("group_accuracy")
    return BalanceRow(
        name=row["variant"],
        added=book.at(names.BALANCE, "rows", at, "added"),
        accuracy=estimate(book, "accuracy", names.BALANCE, "rows", at, "accuracy"),
        group=group,
        gap=(gap, row["gap"]["verdict"]) if gap else None,
    )


def dilemma_view(book: Book) -> DilemmaView | None:
    """Return the figures of ``reports/dilemma.json``; None without that file."""
    if not book.has(names.DILEMMA):
        return None
    found = book.read(names.DILEMMA)
    drawings = [
        drawing(
            fairness.hiring_front(found["hiring"]),
            name="dilemma-hiring",
            caption="A hiring tool that is less accurate for a minority: use it (a), hire at "
            "random (b), one threshold per group (c), equal error rates. The line connects a and "
            "c; bars are intervals of a trial with as many candidates.",
        )
    ]
    drawings += [_implied(number, each) for number, each in enumerate(found["impossibility"])]
    return DilemmaView(drawings)


def _method(book: Book, number: int, file: Path, report: Any) -> MethodRow:
    parts = ("accuracy", "gap") if report["method"] != "none" else ()
    selection = names.SELECTION_RATE in report["gaps"]
    return MethodRow(
        number=number,
        model=label(report["model"]),
        name=words(report["method"]),
        when=report["when"],
        about=report["about"],
        needs_group=report["needs_group"],
        accuracy=estimate(book, "accuracy", file, "accuracy"),
        changes={part: estimate(book, part, file, "change", part) for part in parts},
        errors=_gap(book, file, report, "equalised_odds") if report["equalised_odds"] else None,
        selection=_gap(book, file, report, "gaps", names.SELECTION_RATE) if selection else None,
        constant=_constant(report),
        changed=_changed(report) if parts else "",
    )


def _design(report: Any) -> str:
    found = []
    if "weight" in report:
        found.append(
            "Rows are weighted in training, selection and evaluation, unless a method states "
            "otherwise."
        )
    if "entities" in report:
        found.append("Intervals resample whole entities.")
    return " ".join(found)


def _changed(report: Any) -> str:
    """Return how many decisions a method changes, and what it changed in the training data."""
    rows, settings = report["changed"]["rows"], report["settings"]
    of = f"of {report['n']:,} decisions"
    found = f"changes {rows:,.4g} {of}" if rows else f"changed nothing: 0 {of} differ"
    if "least" in settings:
        found += f"; factors of weights {settings['least']:.4f} to {settings['most']:.4f}"
    if "rows_not_once" in settings:
        found += f"; {settings['rows_not_once']:,} training rows repeated or left out"
    return found


def _constant(report: Any) -> str:
    if not report["curve"]:
        return "" if not report["constant"] else "all rows get one decision"
    found = [f"{point['strength']:g}" for point in report["curve"] if point["constant"]]
    return f"all rows get one decision at {report['parameter']} {', '.join(found)}" if found else ""


def _point(number: int, report: Any) -> dict[str, Any]:
    """Return a method as the figure draws it: its setting, and the curve of its strengths."""
    curve = [{**point, "gap": point["equalised_odds"]} for point in report["curve"]]
    return {
        "number": number,
        "model": label(report["model"]),
        "when": report["when"],
        "accuracy": report["accuracy"],
        "gap": report["equalised_odds"],
        "curve": [point for point in curve if point["gap"] is not None],
    }


def _gap(book: Book, file: Path, report: Any, *keys: str) -> tuple[Estimate, str]:
    found = report
    for key in keys:
        found = found[key]
    return estimate(book, words(found["metric"]), file, *keys), found["verdict"]


def _front(points: list[dict[str, Any]], attribute: str) -> Drawing:
    return drawing(
        fairness.mitigation_front(points),
        name="mitigation-front",
        caption=f"Accuracy and the larger gap of error rates by {attribute}, with intervals; "
        "numbers are those of the table. A line connects the strengths of one method; its setting "
        "has the large marker, a cross gives all rows one decision. The dashed line is the Pareto "
        "front of the point estimates, the same in all panels.",
    )


def _implied(number: int, table: dict[str, Any]) -> Drawing:
    title = f"{label(table['model'])} by {words(table['attribute'])}"
    return drawing(
        fairness.implied_rates(table, title=title),
        name=f"dilemma-implied-{number}",
        caption=f"{title}: measured false positive rates (hollow), and those implied for each "
        "group by one positive predictive value and one false negative rate (filled).",
    )


@dataclass
class Individual:
    """Individual fairness of a model: consistency, and attribute changes by group."""

    name: str
    title: str
    neighbours: Reference
    consistency: list[Estimate]
    changes: list[tuple[str, Estimate]]
    unchanged: list[str]


def individual_views(book: Book) -> list[Individual]:
    """Return the individual fairness of each model that was examined."""
    return [view for model in catalog.models() if (view := _individual(book, model)) is not None]


def _individual(book: Book, model: str) -> Individual | None:
    file = names.INDIVIDUAL / f"{model}.json"
    if not book.has(file) or book.read(file)["skipped"] is not None:
        return None
    labels = {
        "decisions": "consistency of decisions",
        "labels": "of the labels of the same rows",
        "noise": "of labels drawn from the predicted probabilities",
    }
    key = "counterfactual_changes"
    attributes = book.read(file)[key]
    changes = [
        (
            f"{words(found['attribute'])} {row['group']} set to {row['to']}",
            estimate(book, "decisions that change", file, key, i, "rows", k, "changed"),
        )
        for i, found in enumerate(attributes)
        for k, row in enumerate(found["rows"])
    ]
    return Individual(
        model,
        catalog.model(model).label,
        book.at(file, "neighbours"),
        [estimate(book, text, file, "consistency", key) for key, text in labels.items()],
        changes[:MAX_CHANGES],
        [words(found["attribute"]) for found in attributes if not found["rows"]],
    )
