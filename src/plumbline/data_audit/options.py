"""Options of a data audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.metrics.groups.grouping import label_values, pooled_groups


@dataclass(frozen=True)
class DuplicateThresholds:
    """Thresholds for near duplicates.

    Attributes
    ----------
    table_distance : float
        Largest difference over the features, in standard deviations.
    image_distance : float
        Root mean square over grey levels in [0, 1].
    text_containment : float
        Share of a held-out document's runs of five words that stand in training documents, in
        [0, 1]; more is a near duplicate.
    """

    table_distance: float
    image_distance: float
    text_containment: float


@dataclass(frozen=True)
class DataAuditOptions:
    """How a data set is audited.

    Attributes
    ----------
    confidence : float
        Of all intervals, in (0, 1).
    min_group_size : int
        Smaller groups are not compared; counted in rows, or in entities where there are any.
    compare_unknown : bool
        Whether rows without a value of an attribute are compared as a group.
    max_order : int
        1: groups; 2: also intersections of two attributes; and so on.
    near_duplicate : DuplicateThresholds
    neighbours : int
        Nearest neighbours that a label is compared with.
    folds : int
        Folds of the random forests that look for proxies.
    max_rows : int
        Near duplicates, proxies and disputed labels are looked for in a sample of so many rows.
    seed : int
    """

    confidence: float
    min_group_size: int
    compare_unknown: bool
    max_order: int
    near_duplicate: DuplicateThresholds
    neighbours: int
    folds: int
    max_rows: int
    seed: int

    def comparable(
        self, attribute: str, groups: Sequence[str], sizes: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Return which groups are compared, ``(G,)``: those with enough rows (or entities).

        The group of rows without a value of an attribute is described and not compared, unless
        ``compare_unknown``; so is one that stands for several small groups.
        """
        known = np.array(
            [names.UNKNOWN not in label_values(attribute, group) for group in groups], dtype=bool
        )
        pooled = np.array([pooled_groups(group) > 0 for group in groups], dtype=bool)
        compared: npt.NDArray[np.bool_] = (sizes >= self.min_group_size) & ~pooled
        compared &= known | self.compare_unknown
        return compared
