"""The Markdown page of compliance worksheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumbline import names
from plumbline.reporting.rendering import (
    Safe,
    bullets,
    code,
    escape,
    estimate,
    interval,
    page,
    show,
    table,
    words,
)
from plumbline.standards.gender_shades import ERROR

_NO_SELECTION = (
    "Not applicable: this worksheet counts selections, and no class of this model is a selection."
)
_LAW = (
    "New York City Local Law 144 of 2021 requires these tables. **It sets no minimum ratio.** "
    "Whether the law applies to a use is not decided here. A publisher has to add the date of the "
    "audit, the source of the data and why it was chosen, the date of the tool's first use, and "
    "the independent auditor. Categories are those of the data."
)
_SMALL = (
    "under 2 % of the rows: counts and rates are listed, ratios are excluded. The law allows an "
    "independent auditor to do so with a reason"
)


def worksheets_to_markdown(sheets: Mapping[str, Any], *, title: str) -> str:
    """Return the page of a model's worksheets, without those that were not computed.

    Parameters
    ----------
    sheets : mapping
        ``selection``, ``errors`` and, for models of the pipeline, ``measure_2_11``, ``annex_iv``.
    title : str
    """
    parts = [
        f"# {escape(title)}",
        "Worksheets in the form of laws and guidelines, from the counts of the audit. They are not "
        "legal advice, and none of them certifies that a model is lawful or fair.",
        *_law(sheets["selection"]),
        *four_fifths_to_markdown(sheets["selection"]),
        *_errors(sheets["errors"]),
    ]
    if "measure_2_11" in sheets:
        parts += _measure(sheets["measure_2_11"])
    if "annex_iv" in sheets:
        parts += _annex(sheets["annex_iv"])
    return page(parts)


def _law(selection: Mapping[str, Any] | None) -> Iterable[str]:
    yield "## New York City Local Law 144"
    if selection is None:
        yield _NO_SELECTION
        return
    yield f"{_LAW} {_intervals(selection)}"
    yield from _heads(selection)
    yield f"Selected: {escape(selection['selection'])}."
    for each in selection["local_law_144"]["selected"]:
        yield from _impact(each, "selected", "selection rate")
    if scored := selection["local_law_144"]["scored"]:
        yield "A scoring rate is the share of scores above the median of all rows."
        for each in scored:
            yield from _impact(each, "above the median", "scoring rate")


def _intervals(selection: Mapping[str, Any]) -> str:
    return (
        f"The interval of a ratio has {show(selection['confidence'], 'percent')} confidence for "
        "this ratio alone; which group has the highest rate is taken as given."
    )


def _heads(selection: Mapping[str, Any]) -> Iterable[str]:
    """Explain the counts where rows are not single persons."""
    if selection.get("weighted"):
        yield (
            "**Unweighted**: the law counts persons, so each row counts once, whatever its weight."
        )
    if "entities" in selection:
        yield (
            f"Rows are counted; they belong to {show(selection['entities'])} entities, and an "
            "entity with several decisions counts several times."
        )


def _counted(errors: Mapping[str, Any]) -> str:
    weighted = " Rows are weighted; numbers count rows." if "weighted" in errors else ""
    entities = (
        f" Intervals allow for dependent rows of the {show(errors['entities'])} entities."
        if "entities" in errors
        else ""
    )
    return weighted + entities


def _impact(found: Mapping[str, Any], counted: str, rate: str) -> Iterable[str]:
    yield f"### {rate.capitalize()} by {escape(found['title'])}"
    if found["attribute"] is None:
        yield f"Not available: the data do not record {escape(found['title'])}."
        return
    header = ("category", "number", counted, rate, "impact ratio", "interval")
    yield table(header, ([row["group"], *_shown(row, "n", "selected", "rate"), _ratio(row),
                          _interval(row)] for row in found["rows"]))  # fmt: skip
    yield f"Excluded because a category is unknown: {show(found['unknown'])}."
    if small := [escape(row["group"]) for row in found["rows"] if row["under_min_share"]]:
        yield f"{', '.join(small)}: {_SMALL}."


def _interval(row: Mapping[str, Any]) -> Safe:
    return interval({"value": row["low"], **{end: row[end] for end in ("low", "high")}})


def _ratio(row: Mapping[str, Any]) -> str:
    return "excluded (under 2 %)" if row["under_min_share"] else show(row["impact_ratio"])


def four_fifths_to_markdown(selection: Mapping[str, Any] | None) -> Iterable[str]:
    """Return the section on the four-fifths rule, made from ``selection["four_fifths"]``."""
    yield "## Four-fifths rule (29 CFR 1607.4 D)"
    if selection is None:
        yield _NO_SELECTION
        return
    entities = "entities" in selection
    test = (
        "the difference of the two rates, clustered by entity,"
        if entities
        else "Fisher's exact test,"
    )
    yield (
        "A selection rate below four fifths of the highest group's is generally regarded as "
        "evidence of adverse impact. A lower rate does not prove adverse impact, and a higher one "
        f"does not prove its absence. p is that of {test} two-sided, against the group with the "
        "highest rate, not corrected for the number of groups. *ratio, one different* is the ratio "
        f"if one more {'row' if entities else 'person'} of the group and one fewer of the highest "
        "group were selected. The rule assumes that selection is desirable. "
        f"{_intervals(selection)} A ratio whose interval contains 0.8 is not settled by these rows."
    )
    yield from _heads(selection)
    header = (
        "group",
        "number",
        "selected",
        "rate",
        "ratio",
        "interval",
        "p",
        "ratio, one different",
        "finding",
    )
    for found in selection["four_fifths"]:
        yield f"### By {escape(found['attribute'])}"
        keys = ("n", "selected", "rate", "ratio")
        yield table(header, (
            [row["group"], *_shown(row, *keys), _interval(row),
             *_optional(row, "p_value", "ratio_flipped"),
             row["finding"]] for row in found["rows"]
        ))  # fmt: skip
        if found["unknown"]:
            yield f"Excluded because a category is unknown: {show(found['unknown'])}."


def _errors(errors: Mapping[str, Any] | None) -> Iterable[str]:
    yield "## Errors by group and intersection (Gender Shades)"
    if errors is None:
        yield "Not applicable: this model does not predict classes."
        return
    binary = errors["binary"]
    yield (
        "Error is 1 − positive predictive value, as in the paper."
        if binary
        else "Error is the share of rows with a wrong predicted class."
    ) + f" Each interval is for one cell.{_counted(errors)}"
    measured = [ERROR, names.PPV, names.TPR, names.FPR] if binary else [ERROR]
    header = ("attribute", "group", "number", *map(words, measured))
    yield table(header, (
        [row["attribute"], row["group"], show(row["n"]), *(estimate(row[m]) for m in measured)]
        for row in errors["rows"]
    ))  # fmt: skip
    if widest := errors["widest"]:
        yield (
            f"Largest gap in error: {show(widest['value'])} by {escape(widest['attribute'])}, "
            f"between {escape(widest['lowest'])} and {escape(widest['highest'])}. The largest of "
            "many gaps is partly chance; the audit has simultaneous intervals."
        )


def _measure(sheet: Mapping[str, Any]) -> Iterable[str]:
    yield "## NIST AI RMF, MEASURE 2.11"
    header = ("harm", "by", "quantity", "gap", "interval", "lowest / highest", "verdict",
              "decision", "owner")  # fmt: skip
    yield table(header, (
        [row["harm"], row["attribute"], words(row["metric"]), show(row["value"]),
         interval(row) or "none", f"{row['lowest']} / {row['highest']}", row["verdict"],
         row["decision"] or "no rule of the policy", row["owner"]]
        for row in sheet["results"]
    ))  # fmt: skip
    yield "Not measured (MEASURE 1.1):"
    missing = [
        f"{words(row['metric'])} by {row['attribute']}: {row['reason'] or 'too few data'}"
        for row in sheet["not_measured"]
    ]
    yield bullets(missing or ["nothing that this worksheet lists"])
    yield "Not covered by this worksheet:"
    yield bullets(sheet["not_here"])


def _annex(points: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield "## EU AI Act, Annex IV"
    open_ = sum(point["answered"] == "no" for point in points)
    part = sum(point["answered"] == "in part" for point in points)
    yield (
        "An index, not a declaration: whether the Act applies is not decided here. Of "
        f"{len(points)} points, files answer {len(points) - open_ - part}, {part} in part, and "
        f"{open_} are open."
    )
    header = ("point", "requirement", "answered", "by", "open")
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
