"""The part of a card about groups: gaps and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from plumbline import names
from plumbline.reporting import verdicts
from plumbline.reporting.cards.facts import Facts, reference_table
from plumbline.reporting.rendering import Safe, code, escape, words

MAX_GAPS, MAX_GROUPS = 40, 30
_OF_ALL = (names.SHARE, names.REFERENCE_SHARE, names.REPRESENTATION_GAP)


def audit_context(facts: Facts) -> dict[str, Any]:
    """Return the groups, gaps and verdicts of the audit."""
    how = facts.schema["about"].get("attributes", {})
    return {
        "confidence": facts.book.at(facts.audit_file, "confidence", form="percent"),
        "verdicts_sentence": verdicts.counted(facts.audit),
        "worst_sentence": _worst_sentence(facts),
        "remarks": facts.audit["remarks"],
        "excluded": verdicts.excluded(facts.audit),
        "verdicts": verdicts.MEANING,
        "margins": verdicts.margins(facts.audit),
        "attributes": [
            {"name": name, "how": how.get(name, ""), "groups": _groups(facts, name)}
            for name in facts.audit["attributes"]
        ],
        "gaps": _gaps(facts),
        "insufficient": _insufficient(facts),
        "notes": facts.audit.get("notes", []),
    }


def _worst_sentence(facts: Facts) -> Safe:
    worst = facts.audit.get("worst")
    if not worst:
        return Safe("The audit found no gap that could be estimated.")
    interval, at = facts.interval(facts.audit_file, "worst"), facts.book.at
    n = at(facts.audit_file, "worst", "n").markdown()
    value = at(facts.audit_file, "worst", "value").markdown()
    value += f" (interval {interval}, n = {n})" if interval else f" (n = {n})"
    lowest, highest = escape(worst["lowest"]), escape(worst["highest"])
    deviating = escape(verdicts.deviating(facts.audit, worst))
    comparison = (
        f"the share of {deviating} among the samples minus that among the real images is {value}"
        if deviating
        else f"{highest} and {lowest} differ by {value}"
        if worst["comparison"] == "difference"
        else f"{lowest} has {value} times the value of {highest}"
    )
    smallest = ""
    if verdicts.detectable(worst):
        gap = at(facts.audit_file, "worst", "detectable").markdown()
        smallest = f"; a gap of {gap} would have been shown in 80 % of samples"
    return Safe(
        "The largest gap of a main metric between the groups of one attribute (differences first) "
        f"is in {escape(words(worst['metric']))} by {escape(worst['attribute'])}: {comparison}, "
        f"verdict: {escape(verdicts.verdict_text(worst))}{smallest}."
    )


def _groups(facts: Facts, attribute: str) -> Safe:
    own = (i for i, row in enumerate(facts.audit["rows"]) if row["attribute"] == attribute)
    return _listed(
        [
            f"{escape(group)} (n = {_n(facts, index)})"
            for (_, group), index in _largest(facts, own).items()
        ]
    )


def _insufficient(facts: Facts) -> Safe:
    found = dict.fromkeys(
        (row["attribute"], row["group"])
        for row in facts.audit["rows"]
        if row["verdict"] == names.INSUFFICIENT and row["attribute"] != names.OVERALL
    )
    if not found:
        return Safe(f"No group of {escape(facts.model)}'s test rows was too small to compare.")
    parts = [f"{escape(attribute)} = {escape(group)}" for attribute, group in found]
    return Safe(f"Too few cases in at least one metric: {_listed(parts)}.")


def _largest(facts: Facts, indices: Iterable[int]) -> dict[tuple[str, str], int]:
    """Return of each group the row with the largest n: no metric counts more of its cases.

    Shares of all samples are left out; their n is not of one group.
    """
    rows = facts.audit["rows"]
    found: dict[tuple[str, str], int] = {}
    for index in indices:
        if rows[index]["metric"] in _OF_ALL:
            continue
        key = rows[index]["attribute"], rows[index]["group"]
        if rows[index]["n"] > rows[found.setdefault(key, index)]["n"]:
            found[key] = index
    return found


def _n(facts: Facts, index: int) -> str:
    return facts.book.at(facts.audit_file, "rows", index, "n").markdown()


def _gaps(facts: Facts) -> Safe:
    gaps = list(enumerate(facts.audit["gaps"]))
    if not gaps:
        return Safe("No gap could be computed: no attribute has two groups.")
    ranked = sorted(gaps, key=lambda item: _rank(item[1]))[:MAX_GAPS]
    rows = [
        (
            gap["attribute"],
            words(gap["metric"]),
            gap["comparison"],
            facts.book.at(facts.audit_file, "gaps", index, "value"),
            facts.interval(facts.audit_file, "gaps", index) or "none",
            _groups_of(facts, gap),
            code(verdicts.verdict_text(gap)),
            facts.book.at(facts.audit_file, "gaps", index, "detectable")
            if verdicts.detectable(gap)
            else "",
        )
        for index, gap in sorted(ranked)
    ]
    header = (
        "attribute", "metric", "comparison", "gap", "interval", "lowest / highest", "verdict",
        "detectable",
    )  # fmt: skip
    left = len(gaps) - len(ranked)
    rest = f"\n\n{left} further gaps are in the audit." if left else ""
    return Safe(reference_table(header, rows) + rest)


def _groups_of(facts: Facts, gap: Mapping[str, Any]) -> str:
    if group := verdicts.deviating(facts.audit, gap):
        return f"{group}: samples minus real images"
    return f"{gap['lowest']} / {gap['highest']}" if gap["lowest"] else "none"


def _rank(gap: Mapping[str, Any]) -> tuple[bool, int]:
    return names.INTERSECTION in gap["attribute"], names.VERDICTS.index(gap["verdict"])


def _listed(parts: list[str]) -> Safe:
    left = len(parts) - MAX_GROUPS
    more = f" and {left} more in the audit" if left > 0 else ""
    return Safe(", ".join(parts[:MAX_GROUPS]) + more)
