"""The four-fifths sheet: selection rates against the most selected group.

29 CFR 1607.4 D: a rate below four fifths of the highest "will generally be regarded … as evidence
of adverse impact"; smaller differences may count where they are significant, larger ones may not
where numbers are small. The sheet therefore gives Fisher's exact test and says whether one
selection more would lift the ratio to four fifths ("flip one"; Questions and Answers 20-21 to the
Guidelines). It finds no one in breach of anything.
"""

from __future__ import annotations

import pandas as pd

from plumbline import names
from plumbline.metrics import shares

FOUR_FIFTHS = 0.8


def counts_to_sheet(
    counts: pd.DataFrame, compared: pd.DataFrame, *, favourable_selected: bool = True
) -> list[dict[str, object]]:
    """Return a row for each group.

    Parameters
    ----------
    counts : DataFrame
        `confusions.COUNT_COLUMNS` of a binary decision.
    compared : DataFrame
        ``attribute, group`` of the groups that are large enough to be compared; of the others, rate
        and count are shown, nothing else.
    favourable_selected : bool
        Is it being selected that is good to get (a loan, not a warrant)?

    Returns
    -------
    list of dict
        ``attribute, group, n, favoured, rate, ratio, below_four_fifths, p, flip_one``: ``ratio`` to
        the highest rate among the compared, ``p`` of Fisher's test against that group, ``flip_one``
        whether one favoured person more brings the ratio to four fifths (None where it is not
        below). Undefined entries are None: so are all ratios where nobody is favoured.
    """
    large = set(compared.itertuples(index=False, name=None))
    sheet: list[dict[str, object]] = []
    for attribute, own in counts.groupby("attribute", sort=False):
        if attribute == names.OVERALL:
            continue
        parts = ("tp", "fp") if favourable_selected else ("tn", "fn")
        groups = [
            (str(group), int(n), int(favoured))
            for group, n, favoured in zip(
                own["group"], own["n"], own[list(parts)].sum(axis=1), strict=True
            )
        ]
        judged = [g for g in groups if (attribute, g[0]) in large and g[1]]
        best = max(judged, key=lambda g: g[2] / g[1], default=None)
        sheet += [
            _row(str(attribute), *group, best if group in judged and len(judged) > 1 else None)
            for group in groups
        ]
    return sheet


def _row(
    attribute: str, group: str, n: int, favoured: int, best: tuple[str, int, int] | None
) -> dict[str, object]:
    rate = favoured / n if n else None
    ratio = p = flip = below = None
    if best is not None and rate is not None and best[2] > 0:
        highest = best[2] / best[1]
        ratio, p = rate / highest, shares.fisher_exact((favoured, n), best[2:0:-1])
        # In whole numbers: 0.8 of a rate is no rounded number.
        below = 5 * favoured * best[1] < 4 * best[2] * n
        flip = 5 * (favoured + 1) * best[1] >= 4 * best[2] * n if below else None
    return {
        "attribute": attribute,
        "group": group,
        "n": n,
        "favoured": favoured,
        "rate": rate,
        "ratio": ratio,
        "below_four_fifths": below,
        "p": p,
        "flip_one": flip,
    }
