"""Verdicts of an audit in words: what each means, how often it was reached, what was excluded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from plumbline import names
from plumbline.reporting.rendering import show, words

MEANING = {
    names.DIFFERENCE: "the interval of the gap excludes equality; within the margin, if the whole "
    "interval is also inside the margin: a gap that exists and counts as practically none",
    names.EQUIVALENT: "the whole interval, equality in it, is within the margin of the metric",
    names.INCONCLUSIVE: "neither; the data show no difference and do not confine it to the margin",
    names.INSUFFICIENT: "too few cases for a comparison",
}
# What the markers of `plumbline.reporting.figures.forest` mean.
LEGEND = (
    "A red diamond is a group of a pair that differs. A green square is a group that is equivalent "
    "to the others within the margin. A grey circle is a group whose comparison is inconclusive. A "
    "hollow circle is a group with too few cases. A circle in the colour of the text is described "
    "and not compared. The dashed line is the value over all rows, or zero."
)
_UNKNOWN = "unknown"


def tally(gaps: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count gaps by verdict, all four of them."""
    found = Counter(gap["verdict"] for gap in gaps)
    return {verdict: found[verdict] for verdict in names.VERDICTS}


def compared(audit: Mapping[str, Any], comparison: str) -> list[Mapping[str, Any]]:
    """Return the gaps of an audit that are differences, or those that are ratios."""
    return [gap for gap in audit["gaps"] if gap["comparison"] == comparison]


def counted(audit: Mapping[str, Any]) -> str:
    """Return how often each verdict was reached, over differences and over ratios."""
    parts = []
    for comparison, kind in (("difference", "highest − lowest"), ("ratio", "lowest / highest")):
        if gaps := compared(audit, comparison):
            numbers = ", ".join(f"{count} {verdict}" for verdict, count in tally(gaps).items())
            parts.append(f"{len(gaps)} as {kind}: {numbers}")
    return "; ".join(parts) or "none was computed"


def excluded(audit: Mapping[str, Any]) -> list[str]:
    """Return a sentence per attribute with groups, or rows, that no comparison holds.

    Groups that only some metrics exclude are counted apart. Empty if nothing is excluded.
    """
    unit = "documents" if audit["kind"] == names.LANGUAGE else "rows"
    unit = "entities" if "entities" in audit else unit
    sentences = []
    for attribute in dict.fromkeys(entry["attribute"] for entry in audit["left_out"]):
        own = [entry for entry in audit["left_out"] if entry["attribute"] == attribute]
        groups = {row["group"] for row in audit["rows"] if row["attribute"] == attribute}
        whole = [e for e in own if e["metric"] is None]
        small = [e for e in whole if not e["reason"].startswith(_UNKNOWN)]
        unknown = [e for e in whole if e["reason"].startswith(_UNKNOWN)]
        partly = {e["group"] for e in own if e["metric"] is not None}
        known = len(groups) - len(unknown)
        parts = []
        if small:
            rows = show(sum(entry["n"] for entry in small))
            parts.append(f"{len(small)} of {known} groups, {rows} {unit}, in every metric")
        if partly:
            parts.append(f"{len(partly)} of {known} groups in some metrics")
        if unknown:
            rows = show(sum(entry["n"] for entry in unknown))
            parts.append(f"{rows} {unit} without a value of the attribute")
        sentences.append(f"by {words(attribute)}: {'; '.join(parts)}")
    return sentences


def verdict_text(gap: Mapping[str, Any]) -> str:
    """Return the verdict of a gap; of a difference also whether it is within the margin."""
    if gap["verdict"] == names.DIFFERENCE and gap.get("within_margin"):
        return f"{gap['verdict']}, within the margin"
    return str(gap["verdict"])


def deviating(audit: Mapping[str, Any], gap: Mapping[str, Any]) -> str:
    """Return the group whose share of samples a gap compares with real images; else ""."""
    if gap["metric"] != names.REPRESENTATION_GAP or gap["value"] is None:
        return ""
    wanted = [gap[key] for key in ("attribute", "metric", "value")]
    return next(
        str(row["group"])
        for row in audit["rows"]
        if [row["attribute"], row["metric"], row["value"]] == wanted
    )


def detectable(gap: Mapping[str, Any]) -> str:
    """Return the smallest gap that an inconclusive comparison would have shown, in words."""
    if gap["verdict"] != names.INCONCLUSIVE or gap.get("detectable") is None:
        return ""
    return show(gap["detectable"])


def margins(audit: Mapping[str, Any]) -> list[str]:
    """Return a sentence per margin that some gap of the audit is held against."""
    used = {(gap["metric"].partition("/")[0], gap["comparison"]) for gap in audit["gaps"]}
    taken: set[tuple[str, str]] = set()
    sentences = []
    for margin in audit["margins"]:
        keys = [(metric, margin["comparison"]) for metric in margin["metrics"]]
        own = [key for key in keys if key in used and key not in taken]
        taken.update(own)  # of several margins of a metric the first holds
        if own:
            named = ", ".join(words(metric) for metric, _ in own)
            bound = show(margin["margin"], "exact")
            within = (
                f"at most {bound}"
                if margin["comparison"] == "difference"
                else f"from {bound} to {show(1 / margin['margin'])}"
            )
            why = f": {margin['rationale']}" if margin["rationale"] else ""
            sentences.append(
                f"{margin['comparison']} in {named}: {within} ({margin['source']}{why})"
            )
    return sentences
