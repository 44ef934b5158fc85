"""Three-valued verdicts: difference, no difference shown, insufficient.

What cannot be estimated is never called equal.
"""

from __future__ import annotations

import pandas as pd

from plumbline import names
from plumbline.audit.counts import Statistics
from plumbline.audit.disparities import DESCRIBED, SIGNED, Gap


def mark_insufficient(
    rows: pd.DataFrame, statistics: Statistics, *, min_group_size: int, min_group_share: float
) -> pd.DataFrame:
    """Return the rows with ``size`` and ``verdict``: insufficient, or None where there is enough.

    A value has not enough data if its group has fewer than ``min_group_size`` units or less than
    ``min_group_share`` of all, or if the value or an end of its interval is undefined (a group
    without positives has no true positive rate). Values that come without an interval need the
    value only.
    """
    sizes = statistics.sizes.set_index(["attribute", "group"])["n"]
    n = sizes.reindex(pd.MultiIndex.from_frame(rows[["attribute", "group"]])).to_numpy()
    small = (n < min_group_size) | (n < min_group_share * statistics.total)
    undefined = rows["value"].isna() | (
        ~rows["metric"].isin(DESCRIBED) & (rows["low"].isna() | rows["high"].isna())
    )
    verdict = pd.Series([None] * len(rows), index=rows.index, dtype=object)
    verdict[small | undefined.to_numpy()] = names.INSUFFICIENT
    return rows.assign(size=n, verdict=verdict)


def gaps_to_verdicts(gaps: list[Gap], rows: pd.DataFrame) -> list[dict[str, object]]:
    """Return every attribute and metric with its verdict and the reason in a sentence.

    Parameters
    ----------
    gaps : list of Gap
    rows : DataFrame
        From `mark_insufficient`; combinations of which no gap came are insufficient.
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
                _judge(gap, left_out)
                if gap is not None
                else _nothing(str(attribute), str(metric), comparison, left_out, len(chosen))
            )
    return results


def _judge(gap: Gap, left_out: pd.DataFrame) -> dict[str, object]:
    undefined = gap.value != gap.value
    if undefined:
        verdict = names.INSUFFICIENT
        reason = f"every group has a {_words(gap.metric)} of 0, so that their ratio is undefined"
    elif gap.telling:
        verdict = names.DIFFERENCE
        reason = _difference_reason(gap)
    else:
        verdict = names.NO_DIFFERENCE
        reason = _no_difference_reason(gap)
    fields = ("attribute", "metric", "comparison", "value", "low", "high", "lowest", "highest")
    return {
        **{name: getattr(gap, name) for name in fields},
        "by_chance": gap.by_chance,
        "verdict": verdict,
        "reason": f"{reason}{_left_out(left_out)}.",
    }


def _difference_reason(gap: Gap) -> str:
    if gap.metric == names.REPRESENTATION_GAP:
        return (
            f"the share of {gap.telling} differs from its share of the real images, "
            f"{_together(gap.compared, 'group')}"
        )
    return f"{gap.telling} differ, {_together(gap.compared, 'pair')}"


def _no_difference_reason(gap: Gap) -> str:
    if gap.metric == names.REPRESENTATION_GAP:
        return f"every interval holds 0, {_together(gap.compared, 'group')}"
    equal = 0 if gap.comparison == "difference" else 1
    chance = ""
    if gap.by_chance == gap.by_chance:
        chance = f"; groups of these sizes with one rate would differ by up to {gap.by_chance:.3g}"
    return f"every interval holds {equal}, {_together(gap.compared, 'pair')}{chance}"


def _together(compared: int, unit: str) -> str:
    if compared == 1:
        return f"one {unit} compared"
    return f"{compared} {unit}s compared together"


def _nothing(
    attribute: str, metric: str, comparison: str, left_out: pd.DataFrame, groups: int
) -> dict[str, object]:
    enough = groups - len(left_out)
    needed = "no group has" if enough == 0 else "only one group has"
    reason = f"{needed} enough data for {_words(metric)}{_left_out(left_out)}."
    nothing = dict.fromkeys(("value", "low", "high", "lowest", "highest", "by_chance"))
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
    return f"; {len(rows)} {unit} left out for want of data: {', '.join(shown)}{more}"


def _words(metric: str) -> str:
    return metric.replace("_", " ")
