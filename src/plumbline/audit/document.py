"""The audit as a page for a reader who is no statistician.

Values come from data: they are escaped so that a group's name can neither break a table nor become
markup.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumbline import names
from plumbline.audit.causes import CANNOT, COMPOSITION_PARTS, MODEL_PARTS

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#$])")

_MEANING = {
    names.SELECTION_RATE: "share of the group that the model selects",
    names.TPR: "of those who are positive, the share that the model selects",
    names.FPR: "of those who are not positive, the share that the model selects",
    names.TNR: "of those who are not positive, the share that the model leaves out",
    names.FNR: "of those who are positive, the share that the model leaves out",
    names.PPV: "of those selected, the share that is positive",
    names.NPV: "of those left out, the share that is not positive",
    names.ACCURACY: "share of right decisions",
    names.BALANCED_ACCURACY: "share of right decisions, every class counting the same",
    names.MEAN_RESIDUAL: "mean of predicted minus true",
    names.RMSE: "typical size of an error, in units of the target",
    names.BITS_PER_CHARACTER: "bits the model needs per character; fewer is better",
    names.AUROC: "probability that a positive of the group has a higher score than one who is not",
    names.CALIBRATION_IN_THE_LARGE: "mean score minus share of positives",
    names.ECE: "mean distance of scores from the share of positives, over fifteen bins",
    names.SHARE: "share of the generated images",
    names.REFERENCE_SHARE: "share of the real images",
    names.REPRESENTATION_GAP: "share of the generated minus share of the real images",
    names.CLASS_AGREEMENT: "share of the group's images read as the class asked for",
    names.generative(names.FID): "Fréchet distance of generated from real images of the group",
    names.generative(names.FID_FLOOR): "the same between real images, at the same size",
}


def audit_to_markdown(audit: Mapping[str, Any], *, figure: str | None = None) -> str:
    """Return the page of an audit (`account.predictions_to_audit`, or its JSON).

    Parameters
    ----------
    audit : mapping
    figure : str, optional
        Address of its figure, relative to the page.

    Raises
    ------
    KeyError
        If the audit lacks a part.
    """
    parts = [
        f"# Audit of {escape(audit['model'])}",
        _opening(audit),
        "## Summary",
        _summary(audit),
        f"![Values by group, and ROC curves where there are scores]({figure})" if figure else "",
        "## Gaps between groups",
        _gap_words(audit),
        *_gap_tables(audit),
        *causes_to_markdown(audit),
        *_detectable(audit),
        "## Groups",
        *_group_tables(audit),
        "## What the metrics are",
        _glossary(audit),
        "## Notes",
        "\n".join(f"- {escape(note)}" for note in audit["notes"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: object) -> str:
    """Return text that Markdown, and HTML inside it, show as it was."""
    line = " ".join(str(text).split())
    line = _SPECIAL.sub(r"\\\1", html.escape(line, quote=False))
    return line.replace("://", ":&#47;&#47;").replace("www.", "www&#46;").replace("@", "&#64;")


def number(value: float | None) -> str:
    """Return a number at three significant digits, ``undefined`` for None and NaN."""
    if value is None or math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return ("0" if text == "-0" else text).replace("-", "−")


def interval(row: Mapping[str, Any]) -> str:
    """Return ``[low, high]``; an end that is undefined beside a value has no bound."""
    if row["value"] is None or (row["low"] is None and row["high"] is None):
        return ""
    if math.isnan(row["value"]) or row["low"] != row["low"]:
        return ""
    high = math.inf if row["high"] is None else row["high"]
    return f"[{number(row['low'])}, {number(high)}]"


def _opening(audit: Mapping[str, Any]) -> str:
    attributes = ", ".join(escape(name) for name in audit["attributes"])
    return (
        f"Data: {escape(audit['dataset'])} ({escape(audit['source'])}), split "
        f"{escape(audit['split'])}, n = {audit['n']}{_design(audit)}. Groups by: {attributes}. "
        f"Intervals hold with {100 * audit['confidence']:g} % confidence."
    )


def _design(audit: Mapping[str, Any]) -> str:
    entities = f" rows of {audit['entities']} entities" if "entities" in audit else ""
    return entities + (f", weight {number(audit['weight'])}" if "weight" in audit else "")


def _summary(audit: Mapping[str, Any]) -> str:
    tally = {
        verdict: sum(
            gap["verdict"] == verdict for gap in audit["gaps"] if gap["comparison"] == "difference"
        )
        for verdict in names.VERDICTS
    }
    counted = ", ".join(f"{count} {verdict}" for verdict, count in tally.items())
    total = sum(tally.values())
    unit = "comparison" if total == 1 else "comparisons"
    lines = [f"{total} {unit} of groups: {counted}."]
    if (gap := audit["worst"]) is None:
        lines.append("No gap of a main metric could be estimated.")
    else:
        lines.append(
            f"Widest gap of a main metric: {_name(gap['metric'])} by {escape(gap['attribute'])} "
            f"differs by **{number(gap['value'])}** {interval(gap)} between "
            f"{escape(gap['lowest'])} (lowest) and {escape(gap['highest'])} (highest): "
            f"**{gap['verdict']}**."
        )
    return "\n\n".join(lines)


def _gap_words(audit: Mapping[str, Any]) -> str:
    return (
        "A difference is the highest group's value minus the lowest's (0: equal), a ratio the "
        "lowest over the highest (1: equal). **difference**: the data show that two groups differ. "
        "**inconclusive**: the interval holds equality; a difference that is smaller than "
        "the data can show is not ruled out. **insufficient**: too few data to say either. "
        f"The intervals of all gaps hold together with {100 * audit['confidence']:g} % confidence."
    )


def _gap_tables(audit: Mapping[str, Any]) -> list[str]:
    parts = []
    for attribute in dict.fromkeys(gap["attribute"] for gap in audit["gaps"]):
        rows = [
            (
                _name(gap["metric"]),
                gap["comparison"],
                number(gap["value"]),
                interval(gap),
                escape(gap["lowest"] or ""),
                escape(gap["highest"] or ""),
                gap["verdict"],
                escape(gap["reason"]),
            )
            for gap in audit["gaps"]
            if gap["attribute"] == attribute
        ]
        header = ("metric", "comparison", "gap", "interval", "lowest", "highest", "verdict", "why")
        parts += [f"### By {escape(attribute)}", table(header, rows)]
    return parts


_PART = {
    "base_rates": "the groups have other base rates",
    "positives": "the model treats their positives otherwise",
    "negatives": "the model treats their negatives otherwise",
    "composition": "the groups have other members by {strata}",
    "within": "members alike in {strata} fare otherwise",
    "unmatched": "members without a counterpart by {strata}",
}


def causes_to_markdown(audit: Mapping[str, Any]) -> list[str]:
    """Return the section on where gaps come from; empty where there is nothing to split."""
    rows = []
    for entry in audit["causes"]:
        pair = f"{escape(entry['highest'])} − {escape(entry['lowest'])}"
        what = (escape(entry["attribute"]), _name(entry["metric"]), pair)
        rows.append((*what, "**the gap**", number(entry["gap"]), ""))
        strata = escape(" and ".join(entry["strata"]))
        parts = MODEL_PARTS + (COMPOSITION_PARTS if entry["strata"] else ())
        for part in parts:
            if part == "unmatched" and entry["matched"] == 1:
                continue
            words = _PART[part].format(strata=strata)
            rows.append(("", "", "", words, number(entry[part]["value"]), interval(entry[part])))
    if not rows:
        return []
    header = ("attribute", "gap in", "groups", "because", "part", "interval")
    words = (
        "The gap between the groups with the highest and lowest selection rate, in two splits that "
        "each add up to it: into base rates and the model's rates, and into who is in the groups "
        "and how those who are alike fare. The interval of a part holds by itself (bootstrap), for "
        "this pair; that the data chose the pair is not allowed for."
    )
    cannot = "What these counts cannot tell:\n\n" + "\n".join(f"- {line}" for line in CANNOT)
    return ["## Where the gaps come from", words, table(header, rows), cannot]


def _detectable(audit: Mapping[str, Any]) -> list[str]:
    entries = [
        row
        for row in audit["detectable"]
        if row["metric"] in (names.SELECTION_RATE, names.TPR, names.FPR, names.ACCURACY)
    ]
    if not entries:
        return []
    rows = [
        (
            escape(row["attribute"]),
            escape(row["group"]),
            _name(row["metric"]),
            str(row["n"]),
            number(row["others"]),
            "none" if row["below"] is None else number(row["below"]),
            "none" if row["above"] is None else number(row["above"]),
        )
        for row in entries
    ]
    header = ("attribute", "group", "metric", "n", "everyone else", "below", "above")
    words = (
        "How far below or above everyone else's value a group's would have to lie to be found with "
        "a probability of 80 %, if it were the only comparison. none: no gap is wide enough."
    )
    return ["## The smallest gaps that could have been found", words, table(header, rows)]


def _group_tables(audit: Mapping[str, Any]) -> list[str]:
    parts, effective = [], any(row.get("effective_n") for row in audit["rows"])
    for attribute in dict.fromkeys(row["attribute"] for row in audit["rows"]):
        rows = [
            (
                escape(row["group"]),
                _name(row["metric"]),
                number(row["value"]),
                interval(row),
                str(row["n"]),
                *([_effective(row["effective_n"])] if effective else []),
                row["verdict"] or "",
            )
            for row in audit["rows"]
            if row["attribute"] == attribute
        ]
        extra = ("effective n",) if effective else ()
        header = ("group", "metric", "value", "interval", "n", *extra, "verdict")
        title = "All together" if attribute == names.OVERALL else f"By {escape(attribute)}"
        parts += [f"### {title}", table(header, rows)]
    return parts


def _effective(size: float | None) -> str:
    return "" if size is None or math.isnan(size) else number(size)


def _glossary(audit: Mapping[str, Any]) -> str:
    used = dict.fromkeys(row["metric"] for row in audit["rows"])
    return "\n".join(f"- {_name(m)}: {_MEANING[m]}." for m in used if m in _MEANING)


def _name(metric: str) -> str:
    return metric.replace("_", " ")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a pipe table of cells that are escaped already."""
    rule = "|" + " --- |" * len(header)
    return "\n".join(
        [rule if row is None else f"| {' | '.join(row)} |" for row in (header, None, *rows)]
    )
