"""From the cells that DuckDB counts to contingency tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.audit.external.classes import classes_of, common_classes
from plumbline.errors import DataError
from plumbline.metrics.groups.contingency import ContingencyTable, collapse
from plumbline.metrics.groups.counting import attribute_codes, codes_of
from plumbline.metrics.groups.grouping import combined


@dataclass(frozen=True)
class Reading:
    """How the cells of a file become tables: what all of these share.

    Attributes
    ----------
    attributes, classes, positive, edges, ranges, probabilities, most
        As those of `ContingencyTable`.
    code : dict of str to int
        Class of each text of a label or a decision.
    """

    attributes: tuple[str, ...]
    classes: tuple[str, ...]
    positive: str | None
    code: dict[str, int]
    edges: npt.NDArray[np.float64]
    ranges: bool
    probabilities: bool
    most: int

    @staticmethod
    def of(
        cells: pd.DataFrame,
        attributes: tuple[str, ...],
        positive: str | None,
        edges: npt.NDArray[np.float64] | None,
        most: int,
        *,
        multiclass: bool,
        probabilities: bool = True,
    ) -> Reading:
        """Return the classes and the bins of cells.

        Parameters
        ----------
        cells : DataFrame
            ``decision``, and ``label`` and ``bin`` where there are such.
        attributes : tuple of str
        positive : str, optional
        edges : ndarray, optional
            Of bins of ranges; without, a bin is a score.
        most : int
        multiclass, probabilities : bool

        Raises
        ------
        DataError
            If the classes are too many for what is asked; see `classes.classes_of`.
        """
        decisions = cells["decision"].unique().tolist()
        labels = cells["label"].unique().tolist() if "label" in cells else []
        known = common_classes(labels or decisions, decisions)
        label, decision = ([known[text] for text in own] for own in (labels, decisions))
        classes, chosen = classes_of(label, decision, positive, multiclass=multiclass)
        if "bin" in cells and chosen is None:
            raise DataError(
                "audit: score must be the probability of one of two classes, got --multiclass; "
                "leave the score out"
            )
        ranges = edges is not None
        if edges is None:
            edges = np.unique(cells["bin"].to_numpy(np.float64)) if "bin" in cells else np.empty(0)
        code = {text: classes.index(name) for text, name in known.items()}
        return Reading(attributes, classes, chosen, code, edges, ranges, probabilities, most)

    def whole(self, cells: pd.DataFrame) -> ContingencyTable:
        """Return the table of cells with a column for each attribute."""
        codes, values = _attribute_codes(cells, len(self.attributes))
        return collapse(self._table(cells, self.attributes, values, codes))

    def margin(
        self, cells: pd.DataFrame, chosen: Sequence[str], kept: Sequence[str]
    ) -> ContingencyTable:
        """Return the table of a combination: of its attributes, or of the places of its groups."""
        labels, codes = list(kept), None
        if labels:
            codes = cells["place"].to_numpy(np.int64)
        else:
            found, values = _attribute_codes(cells, len(chosen))
            labels, codes = combined(list(found.T), values, cells["n"], most=self.most)
        return collapse(
            self._table(cells, (names.INTERSECTION.join(chosen),), [labels], codes[:, None])
        )

    def summed(self, cells: pd.DataFrame, margins: list[ContingencyTable]) -> ContingencyTable:
        """Return the table of cells without attributes that has margins."""
        none = np.zeros((len(cells), 0), dtype=np.int64)
        single = [margin.values[0] for margin in margins[: len(self.attributes)]]
        whole = self._table(cells, self.attributes, single, none)
        return collapse(replace(whole, margins=tuple(margins)))

    def _table(
        self,
        cells: pd.DataFrame,
        attributes: tuple[str, ...],
        values: Sequence[Sequence[str]],
        codes: npt.NDArray[np.int64],
    ) -> ContingencyTable:
        bins, cluster = np.zeros((2, len(cells)), dtype=np.int64)
        if self.ranges:
            bins = cells["bin"].to_numpy(np.int64)
        elif len(self.edges):
            bins = np.searchsorted(self.edges, cells["bin"].to_numpy(np.float64))
        if "entity" in cells:
            cluster = codes_of(cells["entity"])[0].astype(np.int64)
        weighted = "weight" in cells
        return ContingencyTable(
            attributes=attributes,
            values=tuple(map(tuple, values)),
            classes=self.classes,
            positive=self.positive,
            edges=self.edges,
            codes=codes,
            true=self._codes(cells["label" if "label" in cells else "decision"]),
            decided=self._codes(cells["decision"]),
            bin=bins,
            cluster=cluster,
            n=cells["n"].to_numpy(np.int64),
            weight=cells["weight" if weighted else "n"].to_numpy(np.float64),
            weight2=cells["weight2" if weighted else "n"].to_numpy(np.float64),
            score=cells["score"].to_numpy(np.float64) if len(self.edges) else np.zeros(len(cells)),
            weighted=weighted,
            clustered="entity" in cells,
            ranges=self.ranges,
            labelled="label" in cells,
            probabilities=self.probabilities,
            most=self.most,
        )

    def _codes(self, column: pd.Series) -> npt.NDArray[np.int64]:
        codes, texts = codes_of(column)
        return np.array([self.code.get(text, 0) for text in texts], dtype=np.int64)[codes]


def _attribute_codes(
    cells: pd.DataFrame, attributes: int
) -> tuple[npt.NDArray[np.int64], list[tuple[str, ...]]]:
    """Return the codes of the attributes of each cell, ``(C, A)``, and their values."""
    found = [attribute_codes(cells, f"a{i}") for i in range(attributes)]
    return np.stack([codes for codes, _ in found], axis=1).astype(np.int64), [v for _, v in found]
