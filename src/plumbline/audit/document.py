"""The Markdown page of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline import names
from plumbline.audit.causes import CANNOT, COMPOSITION_PARTS, MODEL_PARTS
from plumbline.reporting import verdicts
from plumbline.reporting.rendering import Safe, bullets, escape, interval, page, show, table, words

_MEANING = {
    names.SELECTION_RATE: "share of the group that gets the positive prediction",
    names.TPR: "share of the positives that get the positive prediction",
    names.FPR: "share of the negatives that get the positive prediction",
    names.TNR: "share of the negatives that get the negative prediction",
    names.FNR: "share of the positives that get the negative prediction",
    names.PPV: "share of the positive predictions that are right",
    names.NPV: "share of the negative predictions that are right",
    names.ACCURACY: "share of right predictions",
    names.BALANCED_ACCURACY: "mean over classes of the share of right predictions",
    names.MEAN_PREDICTION: "mean of the predicted values, in units of the target",
    names.MEAN_RESIDUAL: "mean of predicted minus true",
    names.MAE: "mean size of predicted minus true, in units of the target",
    names.RMSE: "root of the mean squared error, in units of the target",
    names.BITS_PER_CHARACTER: "bits the model needs per character; fewer is better",
    names.AUROC: "probability that a positive has a higher score than a negative of the group",
    names.CALIBRATION_IN_THE_LARGE: "mean score minus share of positives",
    names.ECE: "mean distance of scores from the share of positives, over fifteen bins of one "
    "width. By chance it is too high: its interval is for the error that infinitely many rows "
    "would show",
    names.SHARE: "share of the generated images",
    names.REFERENCE_SHARE: "share of the real images",
    names.REPRESENTATION_GAP: "share of the generated minus share of the real images",
    names.CLASS_AGREEMENT: "share of the group's images recognised as the requested class",
    names.generative(names.KID): "kernel distance of generated from real images of the group; 0 is "
    "expected if both have one distribution",
}
_PART = {
    "base_rates": "different base rates",
    "positives": "different rates among positives",
    "negatives": "different rates among negatives",
    "composition": "different composition by {strata}",
    "within": "different rates within equal {strata}",
    "unmatched": "members without a counterpart by {strata}",
}
_DETECTABLE = (
    "The reason of an inconclusive gap names the smallest gap that this audit, with all its "
    "comparisons, would have called a difference in 80 % of samples."
)
_REPRESENTATION = (
    "A representation gap is one group's share of the samples minus its share of the real images, "
    "for the group where this differs most."
)


def audit_to_markdown(audit: Mapping[str, Any], *, figure: str | None = None) -> str:
    """Return the page of an audit.

    Parameters
    ----------
    audit : mapping
        Content of ``reports/audits/<model>.json``.
    figure : str, optional
        Address of its figure, relative to the page.

    Raises
    ------
    KeyError
        If the audit lacks a part.
    """
    return page(
        [
            f"# Audit of {escape(audit['model'])}",
            _opening(audit),
            *(f"**{escape(line)}**" for line in audit["remarks"]),
            "## Summary",
            *_summary(audit),
            f"![Values by group; ROC curves where there are scores]({figure})\n\n{verdicts.LEGEND}"
            if figure
            else "",
            "## Gaps between groups",
            "A difference is the highest group's value minus the lowest's (0: equal), a ratio the "
            "lowest over the highest (1: equal). The intervals of all gaps are simultaneous, with "
            f"{show(audit['confidence'], 'percent')} confidence for all together.",
            _REPRESENTATION if audit["kind"] == names.GENERATOR else "",
            "Verdicts:",
            bullets(Safe(f"**{verdict}**: {text}.") for verdict, text in verdicts.MEANING.items()),
            _DETECTABLE,
            *_margins(audit),
            *_gap_tables(audit),
            *causes_to_markdown(audit),
            "## Groups",
            *_group_tables(audit),
            "## Definitions of the metrics",
            _glossary(audit),
            "## Notes",
            bullets(audit["notes"]),
        ]
    )


def _opening(audit: Mapping[str, Any]) -> str:
    attributes = ", ".join(escape(name) for name in audit["attributes"])
    return (
        f"Data: {escape(audit['dataset'])} ({escape(audit['source'])}), split "
        f"{escape(audit['split'])}, n = {show(audit['n'])}{_unit(audit)}{_design(audit)}. "
        f"Groups by: {attributes}. Intervals have {show(audit['confidence'], 'percent')} "
        "confidence."
    )


def _unit(audit: Mapping[str, Any]) -> str:
    """Return what n counts, where it is not rows of the test split."""
    if audit["kind"] == names.GENERATOR:
        real = max(r["n"] for r in audit["rows"] if r["metric"] == names.REFERENCE_SHARE)
        return f" generated images, compared with {show(real)} test images"
    if audit["kind"] == names.LANGUAGE:
        documents = next(r["n"] for r in audit["rows"] if r["attribute"] == names.OVERALL)
        return f" blocks of {show(documents)} documents"
    return ""


def _design(audit: Mapping[str, Any]) -> str:
    entities = f" rows of {show(audit['entities'])} entities" if "entities" in audit else ""
    return entities + (f", weight {show(audit['weight'])}" if "weight" in audit else "")


def _summary(audit: Mapping[str, Any]) -> list[str]:
    left_out = verdicts.excluded(audit)
    found = [
        f"Gaps between groups: {verdicts.counted(audit)}.",
        f"Excluded from comparisons:\n\n{bullets(left_out)}"
        if left_out
        else "No group is excluded from the comparisons.",
    ]
    if (gap := audit["worst"]) is None:
        return [*found, "No gap of a main metric could be estimated."]
    smallest = verdicts.detectable(gap)
    return [
        *found,
        "Largest gap of a main metric between the groups of one attribute (differences first): "
        f"{escape(words(gap['metric']))} by {escape(gap['attribute'])}: {_sides(audit, gap)}, "
        f"n = {show(gap['n'])}: **{escape(verdicts.verdict_text(gap))}**"
        f"{f' (detectable: {smallest})' if smallest else ''}.",
    ]


def _sides(audit: Mapping[str, Any], gap: Mapping[str, Any]) -> str:
    value, lowest, highest = (
        f"**{show(gap['value'])}** {interval(gap)}", escape(gap["lowest"]), escape(gap["highest"])
    )  # fmt: skip
    if group := verdicts.deviating(audit, gap):
        return (
            f"the share of {escape(group)} among the samples minus that among the real images is "
            f"{value}"
        )
    if gap["comparison"] == "ratio":
        return f"{lowest} (lowest) has {value} times the value of {highest} (highest)"
    return f"{lowest} (lowest) and {highest} (highest) differ by {value}"


def _margins(audit: Mapping[str, Any]) -> list[str]:
    if not (lines := verdicts.margins(audit)):
        return ["No margin is declared for these metrics, so that no gap can be equivalent."]
    return [f"Margins within which a gap counts as practically none:\n\n{bullets(lines)}"]


def _gap_tables(audit: Mapping[str, Any]) -> list[str]:
    parts = []
    header = ("metric", "comparison", "gap", "interval", "margin", "lowest", "highest", "verdict",
              "reason")  # fmt: skip
    for attribute in dict.fromkeys(gap["attribute"] for gap in audit["gaps"]):
        rows = [
            (
                words(gap["metric"]),
                gap["comparison"],
                show(gap["value"]),
                interval(gap),
                "none" if gap["margin"] is None else show(gap["margin"], "exact"),
                *_columns(audit, gap),
                verdicts.verdict_text(gap),
                gap["reason"],
            )
            for gap in audit["gaps"]
            if gap["attribute"] == attribute
        ]
        parts += [f"### By {escape(attribute)}", table(header, rows)]
    return parts


def _columns(audit: Mapping[str, Any], gap: Mapping[str, Any]) -> tuple[str, str]:
    if group := verdicts.deviating(audit, gap):
        return (group, "real images") if gap["value"] < 0 else ("real images", group)
    return gap["lowest"] or "", gap["highest"] or ""


def causes_to_markdown(audit: Mapping[str, Any]) -> list[str]:
    """Return the section on the decomposition of gaps; empty where there is nothing to split."""
    rows: list[tuple[str, ...]] = []
    for entry in audit["causes"]:
        pair = f"{entry['highest']} − {entry['lowest']}"
        head = (entry["attribute"], words(entry["metric"]), pair)
        rows.append((*head, Safe("**the gap**"), show(entry["gap"]), ""))
        strata = " and ".join(entry["strata"])
        for part in MODEL_PARTS + (COMPOSITION_PARTS if entry["strata"] else ()):
            if part != "unmatched" or entry["matched"] != 1:
                found, text = entry[part], _PART[part].format(strata=strata)
                rows.append(("", "", "", text, show(found["value"]), interval(found)))
    if not rows:
        return []
    return [
        "## Decomposition of the gaps",
        "The gap between the groups with the highest and lowest selection rate, decomposed twice: "
        "into base rates and the model's rates, and into the composition of the groups and the "
        "rates of comparable members. The parts of each decomposition add up to the gap. The "
        "bootstrap interval of a part is for that part alone and for this pair of groups; it does "
        "not account for the selection of the pair.",
        table(("attribute", "gap in", "groups", "part", "value", "interval"), rows),
        f"What these counts cannot tell:\n\n{bullets(map(Safe, CANNOT))}",
    ]


def _group_tables(audit: Mapping[str, Any]) -> list[str]:
    parts, effective = [], any(row.get("effective_n") for row in audit["rows"])
    extra = ("effective n",) if effective else ()
    header = ("group", "metric", "value", "interval", "n", *extra, "verdict")
    for attribute in dict.fromkeys(row["attribute"] for row in audit["rows"]):
        rows = [
            (
                row["group"],
                words(row["metric"]),
                show(row["value"]),
                interval(row),
                show(row["n"]),
                *([_effective(row["effective_n"])] if effective else []),
                row["verdict"] or "",
            )
            for row in audit["rows"]
            if row["attribute"] == attribute
        ]
        title = "All rows" if attribute == names.OVERALL else f"By {escape(attribute)}"
        parts += [f"### {title}", table(header, rows)]
    return parts


def _effective(size: float | None) -> str:
    return "" if size is None or size != size else show(size)


def _glossary(audit: Mapping[str, Any]) -> str:
    used = dict.fromkeys(row["metric"] for row in audit["rows"])
    return bullets(f"{words(m)}: {_MEANING[m]}." for m in used if m in _MEANING)
