"""The dilemma as a document: the options of the hiring tool, and what the data at hand forbid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plumbline.metrics.groups.contingency import ContingencyTable
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.reporting.rendering import escape, show, table
from plumbline.studies.dilemma.hiring import EQUAL_ODDS, LOT, THRESHOLDS, USE
from plumbline.studies.dilemma.impossibility import impossibility_table

# What each option is, what can be said for it, and what against it.
WORDS = {
    USE: (
        "use the tool as it is",
        "most decisions are right for most people (utility), and everyone meets one threshold "
        "(equal treatment)",
        "qualified people of the minority are turned away more often, for want of data about them",
    ),
    LOT: (
        "do not use it; here: as many hired by lot",
        "nobody is judged by a tool that does not know people like them (do no harm)",
        "what is done in its place has errors too: any procedure that is right more often than "
        "the tool, for this group, is better for it, and any that is not is worse",
    ),
    THRESHOLDS: (
        "a lower threshold for the minority, until its qualified are hired as often",
        "equal opportunity for the qualified of both groups",
        "in the minority more people who are not qualified are hired and a hire says less. In the "
        "United States 42 U.S.C. 2000e-2(l) forbids cutoff scores of employment tests that differ "
        "by race, colour, religion, sex or national origin; elsewhere other law applies",
    ),
    EQUAL_ODDS: (
        "both error rates equal, by adding errors for the majority",
        "equal error rates in both groups (equalised odds)",
        "nobody of the minority is served better, everybody else worse",
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
        "# What cannot be had together",
        *_hiring(document["hiring"]),
        *_impossibility(document["impossibility"]),
    ]
    return "\n\n".join(parts) + "\n"


def _hiring(found: Mapping[str, Any]) -> Sequence[str]:
    options = found["options"]
    rows = [
        [
            f"{option['option']}: {WORDS[option['option']][0]}",
            _estimate(option["accuracy"]),
            _estimate(option["gap"]),
            *(_pair(option["groups"], key) for key in ("accuracy", "ppv")),
            *(_pair(option["groups"], key) for key in ("qualified_rejected", "unqualified_hired")),
        ]
        for option in options
    ]
    header = ("option", "accuracy", "gap in hired of the qualified", "accuracy by group",
              "qualified among the hired", "qualified, rejected", "unqualified, hired")  # fmt: skip
    whole, part = show(options[0]["accuracy"]["value"]), show(options[0]["groups"][1]["accuracy"])
    return [
        "## A hiring tool that is right less often for a minority",
        f"The tool is right for {whole} of all candidates and {part} of the minority, so for "
        f"{show(found['majority_accuracy'])} of the majority. Scores of qualified and unqualified "
        f"people are taken as normal with one variance. Numbers are expected values among "
        f"{show(found['candidates'])} candidates, majority / minority; intervals are those of a "
        "trial of that size.",
        table(header, rows),
        "\n".join(
            f"- **{escape(option['option'])}** For: {escape(WORDS[option['option']][1])}. "
            f"Against: {escape(WORDS[option['option']][2])}."
            for option in options
        ),
        "No threshold makes the tool know more about the minority: options move errors from one "
        "kind, or one group, to another. The cause that the exercise names, too few data about the "
        "minority, is mended by data only.",
    ]


def _impossibility(found: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    parts = [
        "## Equal predictive values or equal error rates",
        "Where base rates differ, groups cannot have equal positive predictive values, equal "
        "false negative rates and equal false positive rates at once (Chouldechova 2017): "
        "FPR = p / (1 − p) · (1 − PPV) / PPV · (1 − FNR). The last two columns give each group "
        "the rates of all together and show what is then forced on it.",
    ]
    if not found:
        parts.append("No table of this run has two groups with rows of both classes.")
    header = ("group", "n", "base rate", "PPV", "FNR", "FPR", "FPR if PPV and FNR were equal",
              "PPV if FPR and FNR were equal")  # fmt: skip
    keys = ("n", "base_rate", "ppv", "fnr", "fpr", "fpr_if_equal", "ppv_if_equal")
    for each in found:
        gaps = each["gaps"]
        parts += [
            f"### {escape(each['model'])} by {escape(each['attribute'])}",
            table(header, ([row["group"], *(show(row[k]) for k in keys)] for row in each["rows"])),
            f"Between {escape(each['highest'])} and {escape(each['lowest'])} base rates differ by "
            f"{_estimate(gaps['base_rate'])}; with equal PPV and FNR false positive rates would "
            f"differ by {_estimate(gaps['fpr'])}, with equal error rates predictive values by "
            f"{_estimate(gaps['ppv'])}. {_reading(gaps['fpr'])}{_design(each)}",
        ]
    return parts


def _design(found: Mapping[str, Any]) -> str:
    weighted = " Rows count by their weights; n counts rows." if "weight" in found else ""
    entities = " Intervals are those of entities, drawn whole." if "entities" in found else ""
    return weighted + entities


def _reading(gap: Mapping[str, Any]) -> str:
    if gap["low"] is None or gap["high"] is None:  # infinite, or undefined in most draws
        return (
            "Too few rows for an interval with two ends: in some draws one of these groups has "
            "rows of one class only, which sets no bound to what is forced on it."
        )
    if gap["low"] <= 0 <= gap["high"]:
        return "The interval holds 0: these data do not show that the base rates differ at all."
    return "The interval leaves 0 out: one of the equalities has to be given up."


def _estimate(cell: Mapping[str, Any]) -> str:
    if cell["low"] is None or cell["high"] is None:
        return show(cell["value"])
    return f"{show(cell['value'])} [{show(cell['low'])}, {show(cell['high'])}]"


def _pair(groups: Sequence[Mapping[str, Any]], key: str) -> str:
    counted = key in ("qualified_rejected", "unqualified_hired")
    return " / ".join(show(round(g[key]) if counted else g[key]) for g in groups)
