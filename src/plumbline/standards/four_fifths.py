"""The four-fifths rule of the US Uniform Guidelines on Employee Selection Procedures (1978).

Source: 29 CFR 1607.4 D: a rate under four fifths of the highest group's is generally regarded as
evidence of adverse impact; smaller differences may be, larger ones may not where numbers are
small. 1607.15 A(2): determinations are asked for groups of at least 2 % of the labour force or
workforce, for which the data stand in here. Question 21 of the official
answers (44 FR 11996): where one person more selected in the group, and one less in the other,
would leave the group with the higher rate, adverse impact would ordinarily not be determined.
Chance: Fisher's exact test, two-sided (R. A. Fisher, Statistical Methods for Research Workers,
section 21.02); it takes rows for independent, so where rows belong to entities p is that of the
difference of the two rates with rows of one entity taken together (`shares.difference_p`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from plumbline.metrics.intervals import shares
from plumbline.standards.categories import (
    Category,
    Count,
    attribute_categories,
    attributes,
    highest,
    ratio_interval,
)

MIN_SHARE = 0.02  # 29 CFR 1607.15 A(2); of this worksheet alone, audits have no such rule
FOUR_FIFTHS = 0.8

REFERENCE = "highest rate"
AT_LEAST = "four fifths or more"
UNSETTLED = "four fifths or more in these rows, not settled: the interval contains 0.8"
UNDER = "under four fifths"
UNDER_UNSETTLED = "under four fifths in these rows, not settled: the interval contains 0.8"
UNDER_BUT_FLIPS = "under four fifths, reversed by one selection"
SMALL = "under 2 %, no determination of its own"
UNDEFINED = "undefined, nobody was selected"


def four_fifths_tables(
    counts: Sequence[Count], *, unknown: Collection[str], confidence: float
) -> list[dict[str, Any]]:
    """Return a table per attribute and intersection.

    Parameters
    ----------
    counts : sequence of mapping
        See `categories.attribute_categories`.
    unknown : collection of str
        Values that say that a category is not known.
    confidence : float
        Of the interval of each ratio, in (0, 1).

    Returns
    -------
    list of dict
        ``attribute``; ``reference``, the group with the highest rate; ``unknown``; ``rows`` of
        ``group, n, selected, rate, ratio, low, high, p_value, ratio_flipped, finding``.
        ``ratio_flipped`` is the ratio after one person more selected in the group and one less in
        the reference. A finding says that it is not settled where the interval contains 0.8.
    """
    found = []
    for attribute in attributes(counts):
        known, left_out = attribute_categories(counts, attribute, unknown=unknown)
        best = highest(known, min_share=MIN_SHARE)
        rows = [_row(category, best, confidence) for category in known] if best else []
        found.append(
            {
                "attribute": attribute,
                "reference": best.group if best else None,
                "unknown": left_out,
                "rows": rows,
            }
        )
    return found


def _row(category: Category, best: Category, confidence: float) -> dict[str, Any]:
    head = {
        "group": category.group,
        "n": category.n,
        "selected": category.selected,
        "rate": category.rate,
    }
    if category is best or not best.selected:
        finding = REFERENCE if best.selected else UNDEFINED
        blank = dict.fromkeys(("low", "high", "p_value", "ratio_flipped"))
        return {**head, "ratio": 1.0 if best.selected else None, **blank, "finding": finding}
    rate, top = category.selected / category.n, best.selected / best.n
    # In whole numbers: a quotient of rates is rounded, four fifths of one are not.
    under = 5 * category.selected * best.n < 4 * best.selected * category.n
    flipped = _flipped(category, best)
    low, high = ratio_interval(category, best, confidence=confidence)
    if category.share < MIN_SHARE:
        finding = SMALL
    elif not under:
        finding = AT_LEAST if low is not None and low >= FOUR_FIFTHS else UNSETTLED
    elif flipped is None or flipped > 1:
        finding = UNDER_BUT_FLIPS
    else:
        finding = UNDER if high is not None and high < FOUR_FIFTHS else UNDER_UNSETTLED
    return {
        **head,
        "ratio": rate / top,
        "low": low,
        "high": high,
        "p_value": p_value(category, best),
        "ratio_flipped": flipped,
        "finding": finding,
    }


def p_value(one: Category, other: Category) -> float | None:
    """Return the two-sided p that both have one selection rate; None of one entity alone."""
    if one.effective is None or other.effective is None:
        return shares.fisher_exact((one.selected, one.n), (other.selected, other.n))
    if not one.effective > 0 or not other.effective > 0:
        return None
    first, second = (
        (c.selected / c.n * c.effective, c.effective) for c in (one, other) if c.effective
    )
    return float(shares.difference_p(first, second))


def _flipped(category: Category, best: Category) -> float | None:
    if best.selected == 1:  # with nobody left in the reference the ratio has no bound
        return None
    return ((category.selected + 1) / category.n) / ((best.selected - 1) / best.n)
