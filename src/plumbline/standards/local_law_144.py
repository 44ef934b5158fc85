"""New York City Local Law 144 of 2021: the tables that a bias audit must hold.

Source: Rules of the City of New York, title 6, sections 5-300 to 5-304. A selection rate is the
share selected; a scoring rate the share whose score is above the median of the sample; an impact
ratio a category's rate over that of the category with the highest one. Three tables: sex,
race/ethnicity, and their intersections. The number left out because a category is unknown stands
under each. A category under 2 % may be left out of the ratios, with its count and rate shown. The
law sets no value of the ratio that would have to be reached.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from plumbline.standards.categories import (
    Count,
    attribute_categories,
    highest,
    intersection,
    ratio_interval,
)

MIN_SHARE = 0.02  # section 5-301, in the data of the audit


def impact_tables(
    counts: Sequence[Count], *, sex: str, race: str, unknown: Collection[str], confidence: float
) -> list[dict[str, Any]]:
    """Return the three tables.

    Parameters
    ----------
    counts : sequence of mapping
        See `categories.attribute_categories`; a scoring rate has the number of scores above the
        median in place of the number selected.
    sex, race : str
        The attributes that hold them; a table whose attribute was not counted says so.
    unknown : collection of str
        Values that say that a category is not known.
    confidence : float
        Of the interval of each ratio, in (0, 1).

    Returns
    -------
    list of dict
        ``title``; ``attribute``, None where there is none; ``unknown``, rows left out; ``rows`` of
        ``group, n, selected, share, rate, impact_ratio, low, high, under_min_share``. A ratio is
        None where the category is under `MIN_SHARE` or the highest rate is 0; the highest
        category's own has no interval.
    """
    present = {str(row["attribute"]) for row in counts}
    wanted = (
        ("sex", sex if sex in present else None),
        ("race/ethnicity", race if race in present else None),
        ("intersections of sex and race/ethnicity", intersection(counts, sex, race)),
    )
    return [_table(counts, title, attribute, unknown, confidence) for title, attribute in wanted]


def _table(
    counts: Sequence[Count],
    title: str,
    attribute: str | None,
    unknown: Collection[str],
    confidence: float,
) -> dict[str, Any]:
    if attribute is None:
        return {"title": title, "attribute": None, "unknown": 0, "rows": []}
    found, left_out = attribute_categories(counts, attribute, unknown=unknown)
    best = highest(found, min_share=MIN_SHARE)
    top = best.rate if best else None
    rows = []
    for category in found:
        small = category.share < MIN_SHARE
        defined = top and not small and category.rate is not None
        low, high = (
            ratio_interval(category, best, confidence=confidence)
            if defined and best is not None and category is not best
            else (None, None)
        )
        rows.append(
            {
                "group": category.group,
                "n": category.n,
                "selected": category.selected,
                "share": category.share,
                "rate": category.rate,
                "impact_ratio": category.rate / top if defined else None,  # type: ignore[operator]
                "low": low,
                "high": high,
                "under_min_share": small,
            }
        )
    return {"title": title, "attribute": attribute, "unknown": left_out, "rows": rows}
