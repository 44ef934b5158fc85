"""The sentence that says why a gap has its verdict."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from plumbline import names
from plumbline.audit.gaps import Gap

_SHOWN = 6  # excluded groups that a sentence names


@dataclass(frozen=True)
class Found:
    """What was found about a gap beside its interval.

    Attributes
    ----------
    verdict : str
    margin : float or None
    within : bool or None
        Whether the whole interval is within the margin.
    detectable : float
        See `sensitivity`; NaN where no gap would have been shown.
    level : float
        Of the whole family: 1 - confidence.
    family : int
        Number of hypotheses of the family.
    """

    verdict: str
    margin: float | None
    within: bool | None
    detectable: float
    level: float
    family: int


def reason(gap: Gap, found: Found) -> str:
    """Return why a gap has its verdict, without a full stop."""
    pairs = _compared(gap)
    if found.verdict == names.INSUFFICIENT:
        return f"the {words(gap.metric)} is 0 in every group, so that their ratio is undefined"
    if found.verdict == names.DIFFERENCE:
        text = f"{_difference(gap)}, {pairs}; {_p(gap)}"
        text += f", {_adjusted(gap, found.family)}" if found.family > 1 else ""
        return f"{text}; but the whole interval is {_within(gap, found)}" if found.within else text
    if found.verdict == names.EQUIVALENT:
        return f"the whole interval is {_within(gap, found)}, {pairs}"
    if gap.p <= found.level:
        text = f"{_difference(gap)} before multiple-testing correction only, {pairs}; {_p(gap)}"
        text += f", {_adjusted(gap, found.family)}"
    else:
        text = f"{_inconclusive(gap)}, {pairs}"
    return f"{text}; {_detectable(gap, found)}"


def excluded(rows: pd.DataFrame) -> str:
    """Return the groups that are excluded from a comparison, with the reason of each."""
    if rows.empty:
        return ""
    shown = [
        f"{group} ({why})"
        for group, why in zip(rows["group"].head(_SHOWN), rows["why"].head(_SHOWN), strict=True)
    ]
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    unit = "group" if len(rows) == 1 else "groups"
    return f"; {len(rows)} {unit} excluded: {', '.join(shown)}{more}"


def words(metric: str) -> str:
    """Return the name of a metric in words."""
    return metric.replace("_", " ")


def _within(gap: Gap, found: Found) -> str:
    if gap.comparison == "ratio" and found.margin is not None:
        return f"within the margin of {found.margin:g} to {1 / found.margin:g}"
    return f"within the margin of {found.margin:g}"


def _detectable(gap: Gap, found: Found) -> str:
    if gap.metric == names.REPRESENTATION_GAP:
        between = f"of {gap.telling}"
    else:
        between = f"between {gap.lowest} and {gap.highest}"
    if found.detectable != found.detectable and gap.comparison == "ratio":
        return f"no ratio {between} would have been shown in 80 % of samples at their overall level"
    if found.detectable != found.detectable:
        return f"these data are too few to show any {gap.comparison} {between} reliably"
    what = f"a {gap.comparison} {between} of {found.detectable:.3g}"
    return f"{what} would have been shown in 80 % of samples"


def _difference(gap: Gap) -> str:
    if gap.metric == names.REPRESENTATION_GAP:
        return f"the share of {gap.telling} differs from its share of the real images"
    return f"{gap.telling} differ"


def _inconclusive(gap: Gap) -> str:
    equal = 0 if gap.comparison == "difference" else 1
    return f"every interval holds {equal}"


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
