"""Three-valued verdicts: difference, inconclusive, insufficient.

A gap that cannot be estimated is insufficient, never equal.
"""

from __future__ import annotations

import pandas as pd

from plumbline import names
from plumbline.audit.counts import Statistics
from plumbline.audit.disparities import DESCRIBED, SIGNED, Gap
from plumbline.audit.options import AuditOptions

UNDEFINED = "undefined: no cases"
UNKNOWN = "unknown attribute"


def mark_insufficient(
    rows: pd.DataFrame, statistics: Statistics, options: AuditOptions
) -> pd.DataFrame:
    """Return the rows with ``size``, ``verdict`` and ``why``.

    The verdict is insufficient, or None where there is enough; ``why`` is the reason.

    A value has not enough data if its group has fewer than ``min_group_size`` units or less than
    ``min_group_share`` of all, or if the value or an end of its interval is undefined (a group
    without positives has no true positive rate). Values that come without an interval need the
    value only. Rows with an unknown attribute are not a group.
    """
    sizes = statistics.sizes.set_index(["attribute", "group"])["n"]
    n = sizes.reindex(pd.MultiIndex.from_frame(rows[["attribute", "group"]])).to_numpy()
    undefined = rows["value"].isna() | (
        ~rows["metric"].isin(DESCRIBED) & (rows["low"].isna() | rows["high"].isna())
    )
    why = pd.Series([None] * len(rows), index=rows.index, dtype=object)
    why[undefined.to_numpy()] = UNDEFINED
    share, least = options.min_group_share, options.min_group_size
    why[n < share * statistics.total] = f"under {100 * share:g} % of all"
    why[n < least] = f"under {least}"
    why[[_unknown(group) for group in rows["group"]]] = UNKNOWN
    verdict = why.map(lambda reason: None if reason is None else names.INSUFFICIENT)
    return rows.assign(size=n, verdict=verdict.astype(object), why=why)


def groups_to_verdicts(rows: pd.DataFrame, gaps: list[Gap]) -> pd.DataFrame:
    """Return the rows with a verdict for each group that was compared.

    *difference*: the group is one of a pair that differs; *inconclusive*: it is of none.
    Values that are described only, and those of all rows, have none.
    """
    found = {(g.attribute, g.metric): g for g in gaps if g.comparison == "difference"}
    verdict = []
    for attribute, metric, group, own in rows[
        ["attribute", "metric", "group", "verdict"]
    ].itertuples(index=False, name=None):
        gap = found.get((attribute, metric))
        if isinstance(own, str) or gap is None:
            verdict.append(own if isinstance(own, str) else None)
        else:
            differs = group in gap.differing
            verdict.append(names.DIFFERENCE if differs else names.INCONCLUSIVE)
    return rows.assign(verdict=pd.Series(verdict, index=rows.index, dtype=object))


def left_out(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Return every value that is excluded from comparisons, with n and the reason.

    A group that is excluded from all is one entry, with metric None.
    """
    entries: list[dict[str, object]] = []
    compared = rows[~rows["metric"].isin(DESCRIBED) & (rows["attribute"] != names.OVERALL)]
    for (attribute, group), own in compared.groupby(["attribute", "group"], sort=False):
        out = own[own["why"].notna()]
        whole = out[out["why"] != UNDEFINED]
        if len(whole):
            entries.append(_entry(attribute, group, None, int(own["size"].iloc[0]), whole))
        else:
            entries += [
                _entry(attribute, group, metric, int(part["n"].iloc[0]), part)
                for metric, part in out.groupby("metric", sort=False)
            ]
    return entries


def _entry(
    attribute: object, group: object, metric: object, n: int, rows: pd.DataFrame
) -> dict[str, object]:
    reason = rows["why"].iloc[0]
    return {"attribute": attribute, "group": group, "metric": metric, "n": n, "reason": reason}


def _unknown(group: str) -> bool:
    return names.UNKNOWN in group.split(names.INTERSECTION)


def gaps_to_verdicts(
    gaps: list[Gap], rows: pd.DataFrame, *, confidence: float, family: int
) -> list[dict[str, object]]:
    """Return the gap of every attribute and metric with its verdict and the reason.

    Parameters
    ----------
    gaps : list of Gap
        From `multiplicity.adjust`.
    rows : DataFrame
        From `mark_insufficient`; combinations of which no gap came are insufficient.
    confidence : float
        1 - confidence is the level of the family.
    family : int
        Number of hypotheses of the family.
    """
    found = {(gap.attribute, gap.metric, gap.comparison): gap for gap in gaps}
    compared = rows[~rows["metric"].isin(DESCRIBED) & (rows["attribute"] != names.OVERALL)]
    results: list[dict[str, object]] = []
    for (attribute, metric), chosen in compared.groupby(["attribute", "metric"], sort=False):
        left_out = chosen[chosen["verdict"].notna()]
        comparisons = ("difference",) if metric in SIGNED else ("difference", "ratio")
        for comparison in comparisons:
            gap = found.get((str(attribute), str(metric), comparison))
            results.append(
                _with_reason(gap, left_out, 1 - confidence, family)
                if gap is not None
                else _nothing(str(attribute), str(metric), comparison, left_out, len(chosen))
            )
    return results


def _with_reason(gap: Gap, left_out: pd.DataFrame, level: float, family: int) -> dict[str, object]:
    undefined = gap.value != gap.value
    pairs = _compared(gap)
    if undefined:
        verdict = names.INSUFFICIENT
        reason = f"the {_words(gap.metric)} is 0 in every group, so that their ratio is undefined"
    elif gap.telling:
        verdict = names.DIFFERENCE
        reason = f"{_difference(gap)}, {pairs}; {_p(gap)}"
        reason += f", {_adjusted(gap, family)}" if family > 1 else ""
    elif gap.p <= level:
        verdict = names.INCONCLUSIVE
        reason = f"{_difference(gap)} before multiple-testing correction only, {pairs}; {_p(gap)}"
        reason += f", {_adjusted(gap, family)}"
    else:
        verdict = names.INCONCLUSIVE
        reason = f"{_inconclusive(gap)}, {pairs}{_chance(gap)}"
    fields = ("attribute", "metric", "comparison", "value", "low", "high", "lowest", "highest", "n")
    return {
        **{name: getattr(gap, name) for name in fields},
        "margin": None,
        "within_margin": None,
        "detectable": None,
        "by_chance": gap.by_chance,
        "p": gap.p,
        "p_adjusted": gap.p_adjusted,
        "p_holm": gap.p_holm,
        "verdict": verdict,
        "reason": f"{reason}{_left_out(left_out)}.",
    }


def _difference(gap: Gap) -> str:
    if gap.metric == names.REPRESENTATION_GAP:
        return f"the share of {gap.telling} differs from its share of the real images"
    return f"{gap.telling} differ"


def _inconclusive(gap: Gap) -> str:
    equal = 0 if gap.comparison == "difference" else 1
    return f"every interval holds {equal}"


def _chance(gap: Gap) -> str:
    if gap.by_chance != gap.by_chance:
        return ""
    return f"; groups of these sizes with one rate would differ by up to {gap.by_chance:.3g}"


def _p(gap: Gap) -> str:
    return f"p {_small(gap.p)}"


def _adjusted(gap: Gap, family: int) -> str:
    return f"adjusted {_small(gap.p_adjusted)} (family of {family} hypotheses)"


def _small(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"


def _compared(gap: Gap) -> str:
    unit = "group" if gap.metric == names.REPRESENTATION_GAP else "pair"
    return (
        f"one {unit} compared"
        if gap.compared == 1
        else f"{gap.compared} {unit}s, simultaneous intervals"
    )


def _nothing(
    attribute: str, metric: str, comparison: str, left_out: pd.DataFrame, groups: int
) -> dict[str, object]:
    enough = groups - len(left_out)
    needed = "no group has" if enough == 0 else "only one group has"
    reason = f"{needed} enough data for {_words(metric)}{_left_out(left_out)}."
    nothing = dict.fromkeys(
        (
            "value", "low", "high", "lowest", "highest", "n", "margin", "within_margin",
            "detectable", "by_chance", "p", "p_adjusted", "p_holm",
        )
    )  # fmt: skip
    return {
        "attribute": attribute,
        "metric": metric,
        "comparison": comparison,
        **nothing,
        "verdict": names.INSUFFICIENT,
        "reason": reason,
    }


def _left_out(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    # What is wanting: rows in the group, or rows that the value is counted from.
    n = rows[["n", "size"]].min(axis=1).astype(int).head(6)
    shown = [f"{group} (n = {count})" for group, count in zip(rows["group"], n, strict=False)]
    more = f" and {len(rows) - 6} more" if len(rows) > 6 else ""
    unit = "group" if len(rows) == 1 else "groups"
    return f"; {len(rows)} {unit} excluded, too few cases: {', '.join(shown)}{more}"


def _words(metric: str) -> str:
    return metric.replace("_", " ")
