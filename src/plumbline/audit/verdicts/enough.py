"""Which values have enough cases to be compared, and what is excluded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.counts import Statistics
from plumbline.audit.disparities import DESCRIBED
from plumbline.audit.options import AuditOptions
from plumbline.metrics.groups import confusions
from plumbline.metrics.groups.grouping import label_values, pooled_groups

UNDEFINED = "undefined"
UNKNOWN = "unknown attribute"
POOLED = "several groups in one"
# What a metric is counted from: one case, and several.
_ROWS = ("row", "rows")
_CASES = {
    names.TPR: ("positive", "positives"),
    names.FNR: ("positive", "positives"),
    names.FPR: ("negative", "negatives"),
    names.TNR: ("negative", "negatives"),
    names.PPV: ("row selected", "rows selected"),
    names.NPV: ("row not selected", "rows not selected"),
    names.AUROC: ("row of the rarer label", "rows of the rarer label"),
    names.BALANCED_ACCURACY: ("row of the rarest class", "rows of the rarest class"),
}


def mark_insufficient(
    rows: pd.DataFrame, statistics: Statistics, options: AuditOptions
) -> pd.DataFrame:
    """Return the rows with ``size``, ``verdict``, ``why`` and ``whole``.

    The verdict is insufficient, or None where there is enough; ``why`` is the reason, ``whole``
    whether it is one of the group and not of the metric alone.

    A value has not enough cases if its group has fewer than ``min_group_size`` units, or its own
    denominator has: positives of a true positive rate, rows of the rarer label of AUROC. Of
    weighted or clustered rows the effective size of the denominator counts. It is insufficient,
    too, if the value or an end of its interval is undefined; values that come without an interval
    need the value only. Rows with an unknown attribute are described and not compared, unless
    ``compare_unknown``, and so are groups that stand for several small ones.
    """
    sizes = statistics.sizes.set_index(["attribute", "group"])["n"]
    size = sizes.reindex(pd.MultiIndex.from_frame(rows[["attribute", "group"]])).to_numpy()
    undefined = rows["value"].isna() | (
        ~rows["metric"].isin(DESCRIBED) & (rows["low"].isna() | rows["high"].isna())
    )
    least, cases = options.min_group_size, _cases(rows, statistics)
    small, few = size < least, (cases < least) & ~rows["metric"].isin(DESCRIBED).to_numpy()
    why = np.full(len(rows), None, dtype=object)
    why[undefined.to_numpy()] = UNDEFINED
    for place in np.flatnonzero(few):
        why[place] = _counted(str(rows["metric"].iloc[place]), float(cases[place]), least)
    unit = _unit(statistics)
    for place in np.flatnonzero(small):
        why[place] = f"{int(size[place])} {unit[int(size[place]) != 1]}, under {least}"
    unknown = np.array(
        [names.UNKNOWN in label_values(*pair) for pair in rows[["attribute", "group"]].values],
        dtype=bool,
    )
    unknown &= not options.compare_unknown
    why[unknown] = UNKNOWN
    pooled = np.array([pooled_groups(group) > 0 for group in rows["group"]], dtype=bool)
    why[pooled] = POOLED
    verdict = [None if reason is None else names.INSUFFICIENT for reason in why]
    return rows.assign(
        size=size,
        verdict=pd.Series(verdict, index=rows.index, dtype=object),
        why=pd.Series(why, index=rows.index, dtype=object),
        whole=small | unknown | pooled,
    )


def left_out(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Return every value that is excluded from comparisons, with n and the reason.

    A group that is excluded from all is one entry, with metric None.
    """
    entries: list[dict[str, object]] = []
    compared = rows[~rows["metric"].isin(DESCRIBED) & (rows["attribute"] != names.OVERALL)]
    for (attribute, group), own in compared.groupby(["attribute", "group"], sort=False):
        out = own[own["why"].notna()]
        if len(out) and bool(out["whole"].iloc[0]):
            entries.append(_entry(attribute, group, None, int(own["size"].iloc[0]), out))
        else:
            entries += [
                _entry(attribute, group, metric, int(part["n"].iloc[0]), part)
                for metric, part in out.groupby("metric", sort=False)
            ]
    return entries


def excluded(rows: pd.DataFrame, statistics: Statistics) -> dict[str, int]:
    """Return how much is excluded from every comparison by an attribute.

    Returns
    -------
    dict of str to int
        ``groups`` of single attributes, and their ``rows`` (entities where there are any, documents
        of text); a row counts once for each attribute by which its group is excluded. ``of`` is the
        number of groups.
    """
    sizes = statistics.sizes
    single = sizes[
        (sizes["attribute"] != names.OVERALL)
        & ~sizes["attribute"].str.contains(names.INTERSECTION, regex=False)
    ]
    compared = rows[~rows["metric"].isin(DESCRIBED)]
    kept = compared[compared["why"].isna()]
    known = set(zip(kept["attribute"], kept["group"], strict=True))
    out = np.array(
        [key not in known for key in zip(single["attribute"], single["group"], strict=True)],
        dtype=bool,
    )
    n = single["n"].to_numpy()
    return {"groups": int(out.sum()), "of": len(single), "rows": int(n[out].sum())}


def _cases(rows: pd.DataFrame, statistics: Statistics) -> npt.NDArray[np.float64]:
    """Return the cases that each value is counted from."""
    n, effective = (rows[column].to_numpy(np.float64) for column in ("n", "effective"))
    cases = np.where(np.isnan(effective), n, effective)
    balanced = (rows["metric"] == names.BALANCED_ACCURACY).to_numpy()
    if balanced.any():
        table = statistics.table
        sizes = (table["tp"] + table["fn"]).to_numpy(np.float64)
        if statistics.weighted or statistics.clustered:
            design = table[confusions.DESIGN_COLUMNS].to_numpy(np.float64)
            sizes = confusions.design_to_share(design, ("tp",), ("tp", "fn"))[1]
        labelled = pd.Series(sizes).groupby([table["attribute"], table["group"]]).min()
        keys = pd.MultiIndex.from_frame(rows.loc[balanced, ["attribute", "group"]])
        cases[balanced] = labelled.reindex(keys).to_numpy()
    return cases


def _counted(metric: str, cases: float, least: int) -> str:
    rate, _, label = metric.partition("/")
    one, several = _CASES.get(rate, _ROWS)
    whole = cases == round(cases)
    count = f"{cases:.0f}" if whole else f"effectively {cases:.1f}"
    of = f" of {label}" if label else ""
    return f"{count} {one if cases == 1 else several}{of}, under {least}"


def _unit(statistics: Statistics) -> tuple[str, str]:
    if statistics.clustered:
        return "entity", "entities"
    if statistics.kind == names.LANGUAGE:
        return "document", "documents"
    return _ROWS


def _entry(
    attribute: object, group: object, metric: object, n: int, rows: pd.DataFrame
) -> dict[str, Any]:
    reason = rows["why"].iloc[0]
    return {"attribute": attribute, "group": group, "metric": metric, "n": n, "reason": reason}
