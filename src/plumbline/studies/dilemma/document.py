"""The Markdown page about conflicting fairness criteria: a hiring tool, and the tabular models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.reporting.rendering import Safe, bullets, escape, estimate, page, show, table
from plumbline.studies.dilemma.hiring import EQUAL_ODDS, LOT, THRESHOLDS, USE
from plumbline.studies.dilemma.impossibility import impossibility_table

# Each option: description, arguments for it, arguments against it.
WORDS = {
    USE: (
        "use the tool as it is",
        "highest accuracy overall (utility), and one threshold for everyone (equal treatment)",
        "qualified people of the minority are rejected more often, because there are few data "
        "about them",
    ),
    LOT: (
        "do not use it; here: hire as many at random",
        "nobody is assessed by a tool that lacks data about people like them (do no harm)",
        "the procedure used instead has errors too; it is better for a group only if it is more "
        "accurate for that group than the tool",
    ),
    THRESHOLDS: (
        "a lower threshold for the minority, until its qualified are hired as often",
        "equal opportunity for the qualified of both groups",
        "more unqualified people of the minority are hired, and its predictive value falls. In the "
        "United States, 42 U.S.C. 2000e-2(l) forbids cutoff scores of employment tests that differ "
        "by race, colour, religion, sex or national origin; elsewhere other law applies",
    ),
    EQUAL_ODDS: (
        "both error rates equal, by adding errors for the majority",
        "equal error rates in both groups (equalised odds)",
        "the majority gets worse decisions, and the minority gets no better ones",
    ),
}


def audits_impossibility(
    audits: Mapping[str, Mapping[str, Any]],
    options: Resampling,
    *,
    contingency_of: Callable[[str], ContingencyTable] | None = None,
) -> list[dict[str, Any]]:
    """Return a table per model and single attribute whose audit counts one selecting class.

    ``contingency_of`` counts the decisions of a model whose audit has weighted rows or
    ``entities``, which its counts do not tell; the tables of such a model say so.
    """
    found = []
    for model, audit in audits.items():
        counts = [row for row in audit["counts"] if row["class"] is None]
        design = {key: audit[key] for key in ("weight", "entities") if key in audit}
        contingency = contingency_of(model) if counts and design and contingency_of else None
        for attribute in audit["attributes"]:
            made = impossibility_table(counts, attribute, options, contingency=contingency)
            if made:
                found.append({"model": model, **design, **made})
    return found


def dilemma_to_markdown(document: Mapping[str, Any]) -> str:
    """Return the page of ``reports/dilemma.json``."""
    parts = [
        "# Conflicting fairness criteria",
        *_hiring(document["hiring"]),
        *_impossibility(document["impossibility"]),
    ]
    return page(parts)


def _hiring(found: Mapping[str, Any]) -> Sequence[str]:
    options = found["options"]
    rows = [
        [
            f"{option['option']}: {WORDS[option['option']][0]}",
            estimate(option["accuracy"]),
            estimate(option["gap"]),
            *(_pair(option["groups"], key) for key in ("accuracy", "ppv")),
            *(_pair(option["groups"], key) for key in ("qualified_rejected", "unqualified_hired")),
        ]
        for option in options
    ]
    header = ("option", "accuracy", "gap in hired of the qualified", "accuracy by group",
              "qualified among the hired", "qualified, rejected", "unqualified, hired")  # fmt: skip
    whole, part = show(options[0]["accuracy"]["value"]), show(options[0]["groups"][1]["accuracy"])
    return [
        "## A hiring tool that is less accurate for a minority",
        f"The tool has accuracy {whole} overall and {part} for the minority, hence "
        f"{show(found['majority_accuracy'])} for the majority. Scores of qualified and unqualified "
        "people are assumed to be normal with equal variances. Numbers are expected values among "
        f"{show(found['candidates'])} candidates, majority / minority; intervals are for a trial "
        "of that size.",
        table(header, rows),
        bullets(
            Safe(
                f"**{escape(option['option'])}** For: {escape(WORDS[option['option']][1])}. "
                f"Against: {escape(WORDS[option['option']][2])}."
            )
            for option in options
        ),
        "No threshold adds information about the minority: the options move errors from one kind, "
        "or one group, to another. The cause that the textbook exercise names, too few data about "
        "the minority, is removed only by more data.",
    ]


def _impossibility(found: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    parts = [
        "## Equal predictive values or equal error rates",
        "Where base rates differ, groups cannot have equal positive predictive values, equal "
        "false negative rates and equal false positive rates at once, unless predictions are "
        "perfect (Chouldechova 2017): FPR = p / (1 − p) · (1 − PPV) / PPV · (1 − FNR). The last "
        "two columns show the rate that the overall rates imply for each group.",
    ]
    if not found:
        parts.append("No attribute has two groups with rows of both classes.")
    header = ("group", "n", "base rate", "PPV", "FNR", "FPR", "FPR with equal PPV and FNR",
              "PPV with equal FPR and FNR")  # fmt: skip
    keys = ("n", "base_rate", "ppv", "fnr", "fpr", "fpr_if_equal", "ppv_if_equal")
    for each in found:
        gaps = each["gaps"]
        parts += [
            f"### {escape(each['model'])} by {escape(each['attribute'])}",
            table(header, ([row["group"], *(show(row[k]) for k in keys)] for row in each["rows"])),
            f"Between {escape(each['highest'])} and {escape(each['lowest'])} base rates differ by "
            f"{estimate(gaps['base_rate'])}; with equal PPV and FNR false positive rates would "
            f"differ by {estimate(gaps['fpr'])}, with equal error rates predictive values by "
            f"{estimate(gaps['ppv'])}. {_reading(gaps['fpr'])}{_design(each)}",
        ]
    return parts


def _design(found: Mapping[str, Any]) -> str:
    weighted = " Rows are weighted; n counts rows." if "weight" in found else ""
    entities = " Intervals resample whole entities." if "entities" in found else ""
    return weighted + entities


def _reading(gap: Mapping[str, Any]) -> str:
    if gap["low"] is None or gap["high"] is None:  # infinite, or undefined in most draws
        return (
            "Too few rows for a bounded interval: in some resamples one of these groups has rows "
            "of one class only."
        )
    if gap["low"] <= 0 <= gap["high"]:
        return "The interval contains 0: these data do not show different base rates."
    return "The interval excludes 0: not all equalities can hold."


def _pair(groups: Sequence[Mapping[str, Any]], key: str) -> str:
    counted = key in ("qualified_rejected", "unqualified_hired")
    return " / ".join(show(round(g[key]) if counted else g[key]) for g in groups)
