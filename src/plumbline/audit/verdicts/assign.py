"""Verdicts on gaps: difference, equivalent, inconclusive, insufficient.

A gap is a *difference* if its simultaneous interval excludes equality; else *equivalent* if the
whole interval is within the declared margin; else *inconclusive*. What cannot be estimated, or is
counted from too few cases, is *insufficient*, never equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from plumbline import names
from plumbline.audit.disparities import DESCRIBED, SIGNED
from plumbline.audit.gaps import Gap
from plumbline.audit.options import AuditOptions
from plumbline.audit.verdicts import reasons
from plumbline.errors import MetricError

Results = list[dict[str, Any]]

MOST_PAIRS = 100_000  # pairs of groups, times metrics and comparisons, that an audit lists


def groups_to_verdicts(rows: pd.DataFrame, gaps: list[Gap], results: Results) -> pd.DataFrame:
    """Return the rows with a verdict for each group that was compared.

    *difference*: the group is one of a pair that differs; *equivalent*: all groups are;
    *inconclusive*: neither. Values that are described only, and those of all rows, have none.
    """
    found = {(g.attribute, g.metric): g for g in gaps if g.comparison == "difference"}
    equal = {
        (one["attribute"], one["metric"])
        for one in results
        if one["comparison"] == "difference" and one["verdict"] == names.EQUIVALENT
    }
    verdict = []
    for attribute, metric, group, own in rows[
        ["attribute", "metric", "group", "verdict"]
    ].itertuples(index=False, name=None):
        gap = found.get((attribute, metric))
        if isinstance(own, str) or gap is None:
            verdict.append(own if isinstance(own, str) else None)
        elif group in gap.differing:
            verdict.append(names.DIFFERENCE)
        else:
            alike = (attribute, metric) in equal
            verdict.append(names.EQUIVALENT if alike else names.INCONCLUSIVE)
    return rows.assign(verdict=pd.Series(verdict, index=rows.index, dtype=object))


def gaps_to_verdicts(
    gaps: Sequence[Gap],
    detectable: Sequence[float],
    rows: pd.DataFrame,
    options: AuditOptions,
    *,
    family: int,
) -> Results:
    """Return the gap of every attribute and metric with its verdict and the reason.

    Parameters
    ----------
    gaps : sequence of Gap
        From `multiplicity.adjust`.
    detectable : sequence of float
        From `sensitivity.detectable`, for each gap.
    rows : DataFrame
        From `enough.mark_insufficient`; combinations of which no gap came are insufficient.
    options : AuditOptions
        The confidence, the margins and the reference groups.
    family : int
        Number of hypotheses of the family.
    """
    found = {
        (gap.attribute, gap.metric, gap.comparison): (gap, smallest)
        for gap, smallest in zip(gaps, detectable, strict=True)
    }
    compared = rows[~rows["metric"].isin(DESCRIBED) & (rows["attribute"] != names.OVERALL)]
    results: Results = []
    for (attribute, metric), chosen in compared.groupby(["attribute", "metric"], sort=False):
        left_out = chosen[chosen["verdict"].notna()]
        for comparison in ("difference",) if metric in SIGNED else ("difference", "ratio"):
            key = (str(attribute), str(metric), comparison)
            results.append(
                _result(*found[key], left_out, options, family)
                if key in found
                else _nothing(key, left_out, len(chosen), options)
            )
    return results


def check_pairs(compared: pd.DataFrame, options: AuditOptions) -> None:
    """Check that all pairs of all gaps can be listed.

    Parameters
    ----------
    compared : DataFrame
        ``attribute, metric, group`` of the values that are compared.
    options : AuditOptions
        The reference groups.

    Raises
    ------
    MetricError
        If there are more than `MOST_PAIRS`.
    """
    listed = 0
    for (attribute, metric), own in compared.groupby(["attribute", "metric"])["group"]:
        if metric == names.REPRESENTATION_GAP:
            continue
        free = options.reference_of(str(attribute)) is None
        pairs = len(own) * (len(own) - 1) // 2 if free else len(own) - 1
        listed += pairs * (1 if metric in SIGNED else 2)
    if listed > MOST_PAIRS:
        raise MetricError(
            f"audit: pairs must be at most {MOST_PAIRS:,} to be listed, got {listed:,}; name a "
            "group that the others are compared with (--reference), raise --min-size, or "
            "leave out --pairs"
        )


def pairs_to_verdicts(gaps: Sequence[Gap], options: AuditOptions, *, family: int) -> Results:
    """Return every pair of every gap, with its verdict.

    ``p_adjusted`` is Bonferroni's over the pairs and the family. Groups that are insufficient are
    in no pair.
    """
    results: Results = []
    for gap in gaps:
        margin = options.margin(gap.metric, gap.comparison)
        for pair in gap.each:
            ends, equality = (pair["low"], pair["high"]), int(gap.comparison == "ratio")
            within = _inside(ends, gap.comparison, margin)
            verdict = names.INCONCLUSIVE
            if any(end != end for end in ends):
                verdict, within = names.INSUFFICIENT, None
            elif not ends[0] <= equality <= ends[1]:
                verdict = names.DIFFERENCE
            elif within:
                verdict = names.EQUIVALENT
            head = {"attribute": gap.attribute, "metric": gap.metric, "comparison": gap.comparison}
            results.append(
                head
                | pair
                | {
                    "p_adjusted": min(pair["p"] * gap.compared * family, 1.0),
                    "margin": margin,
                    "within_margin": within,
                    "verdict": verdict,
                }
            )
    return results


def _inside(ends: tuple[float, float], comparison: str, margin: float | None) -> bool | None:
    if margin is None:
        return None
    low, high = (-margin, margin) if comparison == "difference" else (margin, 1 / margin)
    return bool(low <= ends[0] and ends[1] <= high)


def _result(
    gap: Gap, smallest: float, left_out: pd.DataFrame, options: AuditOptions, family: int
) -> dict[str, Any]:
    margin = options.margin(gap.metric, gap.comparison)
    undefined = gap.value != gap.value
    ends = (-gap.far, gap.far) if gap.comparison == "difference" else (gap.far, 1.0)
    within = None if undefined else _inside(ends, gap.comparison, margin)
    if undefined:
        verdict = names.INSUFFICIENT
    elif gap.differing:
        verdict = names.DIFFERENCE
    else:
        verdict = names.EQUIVALENT if within else names.INCONCLUSIVE
    found = reasons.Found(verdict, margin, within, smallest, 1 - options.confidence, family)
    fields = ("attribute", "metric", "comparison", "value", "low", "high", "lowest", "highest", "n")
    return {
        **{name: getattr(gap, name) for name in fields},
        "margin": margin,
        "within_margin": within,
        "detectable": None if smallest != smallest else smallest,
        "p": gap.p,
        "p_adjusted": gap.p_adjusted,
        "p_holm": gap.p_holm,
        "verdict": verdict,
        "reason": f"{reasons.reason(gap, found)}{reasons.excluded(left_out)}.",
    }


def _nothing(
    key: tuple[str, str, str], left_out: pd.DataFrame, groups: int, options: AuditOptions
) -> dict[str, Any]:
    attribute, metric, comparison = key
    nothing = dict.fromkeys(
        ("value", "low", "high", "lowest", "highest", "n", "margin", "within_margin", "detectable",
         "p", "p_adjusted", "p_holm")
    )  # fmt: skip
    reference = options.reference_of(attribute)
    if reference is not None and reference in set(left_out["group"]):
        needed = f"the reference group {reference} has not"
    else:
        needed = "no group has" if groups == len(left_out) else "only one group has"
    reason = f"{needed} enough data for {reasons.words(metric)}{reasons.excluded(left_out)}."
    return {
        "attribute": attribute,
        "metric": metric,
        "comparison": comparison,
        **nothing,
        "margin": options.margin(metric, comparison),
        "verdict": names.INSUFFICIENT,
        "reason": reason,
    }
