"""The names of groups: which stand for many small ones, and which differ in blanks only."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from plumbline import names
from plumbline.audit.counts import Statistics

_SHOWN = 5  # sets of names in a remark


def composition_notes(causes: Iterable[Mapping[str, Any]], attributes: Sequence[str]) -> list[str]:
    """Return a note on the attributes whose gap is not split by composition, though others exist.

    ``causes`` are those of `causes.contingency_to_causes`.
    """
    without = dict.fromkeys(str(one["attribute"]) for one in causes if not one["strata"])
    if len(attributes) < 2 or not without:
        return []
    return [
        f"The gap by {', '.join(without)} is not split by composition: the other attributes make "
        "too many strata."
    ]


def alike_remarks(statistics: Statistics) -> Iterator[str]:
    """Yield a remark on the groups of each attribute that differ by nothing one can see.

    They differ in blanks, capitals, the Unicode form of a letter (``é`` may be one character or
    two), or characters that have no width, as a byte-order mark within a file.
    """
    sizes = statistics.sizes
    single = ~sizes["attribute"].str.contains(names.INTERSECTION, regex=False)
    for attribute, own in sizes[single].groupby("attribute", sort=False):
        alike: dict[str, list[tuple[str, int]]] = {}
        for group, n in own[["group", "n"]].itertuples(index=False, name=None):
            alike.setdefault(_seen(str(group)), []).append((str(group), n))
        several = [members for members in alike.values() if len(members) > 1]
        if not several:
            continue
        shown = "; ".join(
            " and ".join(f"{_spelled(group)} ({int(n):,})" for group, n in members)
            for members in several[:_SHOWN]
        )
        count = sum(map(len, several))
        yield (
            f"{count} groups of {attribute} differ from another one in blanks, capitals or signs "
            f"that cannot be seen only: {shown}{'; …' if len(several) > _SHOWN else ''}. They are "
            "counted apart; write them alike if they are one."
        )


def _seen(group: str) -> str:
    shown = unicodedata.normalize("NFC", _without_signs(group))
    return " ".join(shown.split()).casefold()


def _spelled(group: str) -> str:
    """Return a name in quotes, with codes for what cannot be seen."""
    return (
        repr(group)
        if unicodedata.normalize("NFC", _without_signs(group)) == group
        else ascii(group)
    )


def _without_signs(text: str) -> str:
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
