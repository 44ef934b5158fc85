"""Splits of documents that keep shared text together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.base.splits import Labels, hash_order
from plumbline.data.text.word_runs import (
    Floats,
    Groups,
    containment,
    linked_groups,
    outside_containment,
    word_runs,
)

if TYPE_CHECKING:
    from plumbline.params.data import TextData


@dataclass(frozen=True)
class SharedText:
    """Documents with the text that they share.

    Attributes
    ----------
    runs : sparse matrix, (N, R)
        See `word_runs`.
    groups : array of int, (N,)
        Documents of a group share text; see `linked_groups`.
    held_out : array of bool, (N,)
        Whether the group may leave the training split: none of its documents has more than
        ``max_containment`` of its runs in documents outside the group.
    """

    runs: Any
    groups: Groups
    held_out: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, texts: Sequence[str], parameters: TextData) -> SharedText:
        """Find the groups of documents that share text; see `TextData`."""
        runs = word_runs(texts)
        groups = linked_groups(runs, share=parameters.shared_runs)
        most = np.zeros(int(groups.max(initial=0)) + 1)
        np.maximum.at(most, groups, outside_containment(runs, groups))
        return cls(runs, groups, (most <= parameters.max_containment)[groups])

    def facts(self) -> dict[str, int]:
        """Return the sizes that a datasheet reports."""
        sizes = np.bincount(self.groups)
        return {
            "groups_that_share_text": int((sizes > 1).sum()),
            "largest_group_that_shares_text": int(sizes.max()),
            "documents_kept_in_training": int((~self.held_out).sum()),
        }

    def containment(self, splits: Labels) -> Floats:
        """Return the share of each document's runs in (other) training documents, ``(N,)``."""
        return containment(self.runs, splits == names.TRAIN)


def split_documents(
    ids: Sequence[str],
    *,
    shared: SharedText,
    strata: Sequence[str],
    val_fraction: float,
    test_fraction: float,
    salt: str,
) -> Labels:
    """Return the split of each document, ``(N,)``; documents of a group are in one split.

    Within a stratum, groups come in the order of the SHA-256 of their first document's name. The
    first ones are the test split and the last ones the validation split, as long as they fit into
    the split's share of the documents; a group that does not fit, or may not leave the training
    split, is passed over. Without shared text this is `assign_splits`.

    Parameters
    ----------
    ids : sequence of str
        Names of the documents.
    shared : SharedText
    strata : sequence of str
        Stratum of each document; a group's stratum is that of most of its documents, the first by
        name of equals.
    val_fraction, test_fraction : float
        Shares of the documents of every stratum, to the nearest whole document (half goes up).
        Where too few groups fit, a split is smaller.
    salt : str
        See `assign_splits`.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(shared.groups):
        members[int(group)].append(index)
    units = {min(ids[i] for i in member): member for member in members.values()}
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for name in hash_order(units, salt=salt):
        counts = Counter(strata[i] for i in units[name])
        by_stratum[min(counts, key=lambda s: (-counts[s], s))].append(units[name])
    splits = np.full(len(ids), names.TRAIN, dtype=object)
    for queue in by_stratum.values():
        documents = sum(map(len, queue))
        free = [unit for unit in queue if shared.held_out[unit[0]]]
        for split, fraction in ((names.TEST, test_fraction), (names.VAL, val_fraction)):
            room, left = int(np.floor(documents * fraction + 0.5)), []
            for unit in free:
                if len(unit) <= room:
                    room -= len(unit)
                    splits[unit] = split
                else:
                    left.append(unit)
            free = left[::-1]  # validation takes the last groups
    return splits
