"""The sheets as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumbline import names
from plumbline.reporting.rendering import Safe, code, escape, show, table
from plumbline.standards.gender_shades import ERROR

_NO_SELECTION = (
    "Not made: no class of this model is a selection, which is what the rates of this sheet count."
)
_LAW = (
    "New York City Local Law 144 of 2021 asks for these tables. **It sets no ratio that has to be "
    "reached**; whether the law applies to a use is not decided here. Still to be stated by "
    "whoever publishes them: the date of the audit, where the data come from and why they were "
    "chosen, when the tool was first used, and who the independent auditor is. Categories are "
    "those of the data."
)
_SMALL = (
    "under 2 % of the rows: counts and rates stand here, ratios are left out. The law lets an "
    "independent auditor do so, who has to say why"
)


def sheets_to_markdown(sheets: Mapping[str, Any], *, title: str) -> str:
    """Return the page of a model's sheets; sections whose sheet was not computed are left out.

    Parameters
    ----------
    sheets : mapping
        ``selection``, ``errors`` and, for models of the pipeline, ``measure_2_11``, ``annex_iv``.
    title : str
    """
    parts = [
        f"# {escape(title)}",
        "Sheets in the form that laws and guidelines ask for, from the counts of the audit. They "
        "are no legal advice, and none of them says that a model is allowed or fair.",
        *_law(sheets["selection"]),
        *four_fifths_to_markdown(sheets["selection"]),
        *_errors(sheets["errors"]),
    ]
    if "measure_2_11" in sheets:
        parts += _measure(sheets["measure_2_11"])
    if "annex_iv" in sheets:
        parts += _annex(sheets["annex_iv"])
    return "\n\n".join(parts) + "\n"


def _law(selection: Mapping[str, Any] | None) -> Iterable[str]:
    yield "## New York City Local Law 144"
    if selection is None:
        yield _NO_SELECTION
        return
    yield _LAW
    yield from _heads(selection)
    yield f"Selected: {escape(selection['selection'])}."
    for each in selection["local_law_144"]["selected"]:
        yield from _impact(each, "selected", "selection rate")
    if scored := selection["local_law_144"]["scored"]:
        yield "A scoring rate is the share of scores above the median of all rows."
        for each in scored:
            yield from _impact(each, "above the median", "scoring rate")


def _heads(selection: Mapping[str, Any]) -> Iterable[str]:
    """Say what is counted where rows are not simply persons."""
    if selection.get("weighted"):
        yield (
            "**Unweighted**: the text speaks of persons, so each row counts once, whatever its "
            "weight."
        )
    if "entities" in selection:
        yield (
            f"Rows are counted, and belong to {show(selection['entities'])} entities: who was "
            "decided about several times counts as often."
        )


def _counted(errors: Mapping[str, Any]) -> str:
    weighted = " Rows count by their weights; numbers are of rows." if "weighted" in errors else ""
    entities = (
        f" Rows of one entity ({show(errors['entities'])} in all) are taken together in intervals."
        if "entities" in errors
        else ""
    )
    return weighted + entities


def _impact(found: Mapping[str, Any], counted: str, rate: str) -> Iterable[str]:
    yield f"### {rate.capitalize()} by {escape(found['title'])}"
    if found["attribute"] is None:
        yield f"Cannot be made: the data do not record {escape(found['title'])}."
        return
    header = ("category", "number", counted, rate, "impact ratio")
    yield table(header, ([row["group"], *_shown(row, "n", "selected", "rate"), _ratio(row)]
                         for row in found["rows"]))  # fmt: skip
    yield f"Left out because a category is unknown: {show(found['unknown'])}."
    if small := [escape(row["group"]) for row in found["rows"] if row["under_min_share"]]:
        yield f"{', '.join(small)}: {_SMALL}."


def _ratio(row: Mapping[str, Any]) -> str:
    return "left out (under 2 %)" if row["under_min_share"] else show(row["impact_ratio"])


def four_fifths_to_markdown(selection: Mapping[str, Any] | None) -> Iterable[str]:
    """Return the section on the four-fifths rule, made from ``selection["four_fifths"]``."""
    yield "## Four-fifths rule (29 CFR 1607.4 D)"
    if selection is None:
        yield _NO_SELECTION
        return
    entities = "entities" in selection
    test = (
        "the difference of the two rates, rows of one entity taken together,"
        if entities
        else "Fisher's exact test,"
    )
    yield (
        "A selection rate under four fifths of the highest group's is generally regarded as "
        "evidence of adverse impact; it is neither proof of it, nor is a higher one proof of its "
        f"absence. p is of {test} two-sided, against the group with the highest rate, "
        "and not corrected for the number of groups. *ratio, one different* is the ratio after one "
        f"{'row' if entities else 'person'} more selected here and one less there. The rule "
        "supposes that being selected is what people want."
    )
    yield from _heads(selection)
    header = (
        "group",
        "number",
        "selected",
        "rate",
        "ratio",
        "p",
        "ratio, one different",
        "finding",
    )
    for found in selection["four_fifths"]:
        yield f"### By {escape(found['attribute'])}"
        keys = ("n", "selected", "rate", "ratio")
        yield table(header, (
            [row["group"], *_shown(row, *keys), *_optional(row, "p_value", "ratio_flipped"),
             row["finding"]] for row in found["rows"]
        ))  # fmt: skip
        if found["unknown"]:
            yield f"Left out because a category is unknown: {show(found['unknown'])}."


def _errors(errors: Mapping[str, Any] | None) -> Iterable[str]:
    yield "## Errors by group and intersection (Gender Shades)"
    if errors is None:
        yield "Not made: this model does not decide between classes."
        return
    binary = errors["binary"]
    yield (
        "Error is 1 − positive predictive value, as in the paper."
        if binary
        else "Error is the share of rows that were given a wrong class."
    ) + f" Intervals are for each cell alone.{_counted(errors)}"
    measured = [ERROR, names.PPV, names.TPR, names.FPR] if binary else [ERROR]
    header = ("attribute", "group", "number", *(name.replace("_", " ") for name in measured))
    yield table(header, (
        [row["attribute"], row["group"], show(row["n"]), *(_cell(row[name]) for name in measured)]
        for row in errors["rows"]
    ))  # fmt: skip
    if widest := errors["widest"]:
        yield (
            f"Widest gap in error: {show(widest['value'])} by {escape(widest['attribute'])}, "
            f"between {escape(widest['lowest'])} and {escape(widest['highest'])}. The widest of "
            "many gaps is wide by chance too; the audit says which gaps are more than that."
        )


def _measure(sheet: Mapping[str, Any]) -> Iterable[str]:
    yield "## NIST AI RMF, MEASURE 2.11"
    header = ("harm", "by", "quantity", "gap", "interval", "lowest / highest", "verdict",
              "decision", "owner")  # fmt: skip
    yield table(header, (
        [row["harm"], row["attribute"], row["metric"].replace("_", " "), show(row["value"]),
         _interval(row), f"{row['lowest']} / {row['highest']}", row["verdict"],
         row["decision"] or "no rule of the policy", row["owner"]]
        for row in sheet["results"]
    ))  # fmt: skip
    yield "What could not be measured (MEASURE 1.1):"
    lines = [
        f"- {escape(row['metric'].replace('_', ' '))} by {escape(row['attribute'])}: "
        f"{escape(row['reason'] or 'too few data')}"
        for row in sheet["not_measured"]
    ]
    yield "\n".join(lines) or "- nothing of what this sheet lists"
    yield "What this sheet does not hold:"
    yield "\n".join(f"- {escape(line)}" for line in sheet["not_here"])


def _annex(points: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield "## EU AI Act, Annex IV"
    open_ = sum(point["answered"] == "no" for point in points)
    part = sum(point["answered"] == "in part" for point in points)
    yield (
        "An index, not a declaration: whether the Act applies is not decided here. Of "
        f"{len(points)} points {len(points) - open_ - part} are answered by files, {part} in part, "
        f"{open_} not at all."
    )
    header = ("point", "what it asks for", "answered", "by", "open")
    yield table(header, (
        [point["point"], point["asks"], point["answered"],
         Safe(", ".join(code(file) for file in point["files"]) or "–"), _open(point)]
        for point in points
    ))  # fmt: skip


def _open(point: Mapping[str, Any]) -> str:
    missing = [f"no file {path}" for path in point["missing"]]
    return "; ".join([*([point["open"]] if point["open"] else []), *missing]) or "–"


def _shown(row: Mapping[str, Any], *keys: str) -> list[str]:
    return [show(row[key]) for key in keys]


def _optional(row: Mapping[str, Any], *keys: str) -> list[str]:
    return ["–" if row[key] is None else show(row[key]) for key in keys]


def _cell(cell: Mapping[str, Any]) -> str:
    return (
        show(cell["value"]) if cell["value"] is None else f"{show(cell['value'])} {_interval(cell)}"
    )


def _interval(cell: Mapping[str, Any]) -> str:
    if cell["low"] is None or cell["high"] is None:
        return "none"
    return f"[{show(cell['low'])}, {show(cell['high'])}]"
