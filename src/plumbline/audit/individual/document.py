"""The Markdown page about individual fairness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline import names
from plumbline.reporting.rendering import Safe, escape, estimate, interval, page, show, table

_UNWEIGHTED = "**Unweighted**: each row counts once, as neighbours have no weights."


def individual_to_markdown(report: Mapping[str, Any]) -> str:
    """Return the page of ``reports/individual/<model>.json``."""
    title = f"# Individual fairness of {escape(report['model'])}"
    if report["skipped"] is not None:
        return page([title, f"Skipped: {escape(report['skipped'])}."])
    weighted = "weight" in report
    return page(
        [
            title,
            f"Data: {escape(report['dataset'])} ({escape(report['source'])}), split {names.TEST}, "
            f"n = {show(report['n'])}. Each interval has {show(report['confidence'], 'percent')} "
            "confidence by itself.",
            "## Consistency of nearest neighbours",
            f"Consistency is the share of a sample's {report['neighbours']} nearest neighbours in "
            "the test split (features in standard deviations of the training split) that get the "
            "same decision, averaged over samples. It measures whether similar samples are treated "
            "alike, not whether decisions are right: a constant decision has consistency 1. "
            "Neighbours depend on the features and their scaling. "
            f"{_UNWEIGHTED if weighted else ''}".strip(),
            _consistency(report),
            "## Counterfactual attribute change",
            "The features that define an attribute are set to the training medians of another "
            "group; all others stay, also those that correlate with the attribute. If decisions do "
            "not change, the attribute can still act through other features."
            f"{' Rows are weighted, except in the medians.' if weighted else ''}",
            *(_change(change) for change in report["counterfactual_changes"]),
        ]
    )


def _consistency(report: Mapping[str, Any]) -> Safe:
    found = report["consistency"]
    rows = [
        (Safe("**decisions**"), found["decisions"]),
        ("labels of the same samples", found["labels"]),
        *((f"decisions, {g['attribute']} {g['group']}", g) for g in found["groups"]),
    ]
    noise = found["noise"]
    drawn = (
        "chance level: labels drawn from the predicted probabilities",
        show(noise["value"]),
        Safe(f"{interval(noise)} (of draws)"),
        show(report["n"]),
    )
    cells = [(text, show(row["value"]), interval(row), show(row["n"])) for text, row in rows]
    return table(("of", "consistency", "interval", "n"), [*cells[:2], drawn, *cells[2:]])


def _change(change: Mapping[str, Any]) -> str:
    name = escape(change["attribute"])
    if change["not_applicable"] is not None:
        return f"{name}: not applicable, {escape(change['not_applicable'])}."
    rows = [
        (
            row["group"],
            row["to"],
            show(row["n"]),
            estimate(row["changed"]),
            "" if row["score"] is None else estimate(row["score"]),
        )
        for row in change["rows"]
    ]
    header = ("group", "set to", "n", "share of decisions that change", "mean change of the score")
    return f"By {name} ({', '.join(map(escape, change['features']))}):\n\n{table(header, rows)}"
