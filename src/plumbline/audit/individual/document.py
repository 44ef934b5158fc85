"""The page about single decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline import names
from plumbline.audit.document import escape, interval, number, table

_UNWEIGHTED = (
    "**Unweighted**: each row counts once, whatever its weight, as neighbours have no weights in "
    "the definition."
)
_WEIGHTED = " Rows count by their weights, but for the medians."


def individual_to_markdown(report: Mapping[str, Any]) -> str:
    """Return the page of ``reports/individual/<model>.json``."""
    title = f"# Single decisions of {escape(report['model'])}"
    if report["skipped"] is not None:
        return f"{title}\n\nNot looked at: {escape(report['skipped'])}.\n"
    found, percent = report["consistency"], f"{100 * report['confidence']:g} %"
    parts = [
        title,
        f"Data: {escape(report['dataset'])} ({escape(report['source'])}), split {names.TEST}, "
        f"n = {report['n']}. Intervals hold one by one, with {percent} confidence.",
        "## Are samples that are alike decided alike",
        f"Consistency is the share of a sample's {report['neighbours']} nearest other test samples "
        "(features in standard deviations of the training split) that get the same decision, on "
        "average over samples. It says how steady decisions are, not whether they are right or "
        "just: who decides alike for all has 1. What is near depends on the features as they are. "
        f"{_UNWEIGHTED if 'weight' in report else 'Each row counts once, whatever its weight.'}",
        table(
            ("of", "consistency", "interval", "n"),
            [
                _row("**decisions**", found["decisions"]),
                _row("labels of the same samples", found["labels"]),
                (
                    "chance alone: each label drawn by its own score",
                    number(found["noise"]["value"]),
                    f"{interval(found['noise'])} (of draws)",
                    str(report["n"]),
                ),
                *(
                    _row(f"decisions, {escape(g['attribute'])} {escape(g['group'])}", g)
                    for g in found["groups"]
                ),
            ],
        ),
        "## What if an attribute were another one",
        "The features that an attribute was made of are set to those of another group (their "
        "training medians), and nothing else: features that go with the attribute stay as they "
        "are. No change does not mean that the attribute makes no difference."
        f"{_WEIGHTED if 'weight' in report else ''}",
        *(_flip(flip) for flip in report["flips"]),
    ]
    return "\n\n".join(parts) + "\n"


def _row(label: str, estimate: Mapping[str, Any]) -> tuple[str, ...]:
    return (label, number(estimate["value"]), interval(estimate), str(estimate["n"]))


def _flip(flip: Mapping[str, Any]) -> str:
    name = escape(flip["attribute"])
    if flip["not_applicable"] is not None:
        return f"{name}: not applicable, {escape(flip['not_applicable'])}."
    rows = [
        (
            escape(row["group"]),
            escape(row["to"]),
            str(row["n"]),
            f"{number(row['changed']['value'])} {interval(row['changed'])}",
            ""
            if row["score"] is None
            else f"{number(row['score']['value'])} {interval(row['score'])}",
        )
        for row in flip["rows"]
    ]
    header = ("group", "as if", "n", "decisions that change", "mean change of the score")
    return f"By {name} ({', '.join(map(escape, flip['features']))}):\n\n{table(header, rows)}"
