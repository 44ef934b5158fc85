"""Counts of new rows, block by block, in the cells of the training summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.data.tables.csv_files import CATEGORY
from plumbline.data.tables.encoders import MISSING, OTHER, Encoder
from plumbline.data.tables.encoding import RawColumns
from plumbline.serving.groups import rows_to_groups

Integers = npt.NDArray[np.int64]


@dataclass
class ColumnCounts:
    """Counts of one raw column.

    Attributes
    ----------
    missing : int
    below, at_most : ndarray, (E,)
        Of a number or date: values below, and at or below, each edge.
    outside : int
        Values below the first or above the last edge.
    present : int
        Values that are not missing.
    categories : Counter
        Of a category: rows of each category of the summary.
    other : int
        Rows of another category: rare in training rows, or not among them.
    """

    missing: int = 0
    below: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    at_most: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    outside: int = 0
    present: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    other: int = 0


class NewRows:
    """Counts of raw columns and groups of new rows.

    Parameters
    ----------
    columns : RawColumns
        Encoders of the model's data.
    summary : mapping
        See `plumbline.monitoring.training`.
    attributes : sequence of str
        Those audited attributes that the new rows have as columns.

    Attributes
    ----------
    rows : int
    columns : dict of str to ColumnCounts
    groups : dict of str to Counter
        Rows of each group; under None those of no group of the training rows.
    """

    def __init__(
        self, columns: RawColumns, summary: Mapping[str, Any], attributes: tuple[str, ...]
    ) -> None:
        # Missing values are counted, whatever the model does with them.
        encoders = tuple(map(_with_missing, columns.encoders))
        self._raw = replace(columns, encoders=encoders, refuse_missing=frozenset())
        self._refuse = columns.refuse_missing
        self._summary, self._attributes = summary, attributes
        self._edges = {
            name: np.asarray(facts["edges"], dtype=np.float64)
            for name, facts in summary["columns"].items()
            if "edges" in facts
        }
        self.rows = 0
        self.columns = {encoder.column: self._empty(encoder) for encoder in encoders}
        self.groups: dict[str, Counter[str | None]] = {name: Counter() for name in attributes}

    def add(
        self, samples: Mapping[str, Any], *, where: str
    ) -> tuple[dict[str, npt.NDArray[np.object_]], npt.NDArray[np.bool_]]:
        """Count a block; return the groups of its rows by attribute, and which rows are refused.

        Refused is a row that lacks a value which the model's data set refuses to lack.

        Parameters
        ----------
        samples : mapping of str to Arrow array
            Raw columns and attributes.
        where : str
            Prefix of error messages.

        Raises
        ------
        DataError
            If a column has a value of another type or an infinite one.
        """
        found, _ = self._raw.features(samples, where=where)
        refused = np.zeros(len(samples[self._raw.encoders[0].column]), dtype=bool)
        for encoder in self._raw.encoders:
            counts = self.columns[encoder.column]
            parts = [found[name] for name in encoder.features]
            if encoder.kind == CATEGORY:
                _add_categories(counts, encoder, parts)
            else:
                _add_numbers(counts, parts[0], parts[-1] > 0, self._edges[encoder.column])
            if encoder.column in self._refuse:
                refused |= found[_missing_feature(encoder)] > 0
        self.rows += len(refused)
        groups = {name: self._groups(name, samples[name], where) for name in self._attributes}
        for name, own in groups.items():
            self.groups[name].update(own.tolist())
        return groups, refused

    def _groups(self, name: str, column: Any, where: str) -> npt.NDArray[np.object_]:
        known = list(self._summary["groups"][name])
        dialect = self._raw.dialect
        found = rows_to_groups(
            column, [*known, names.UNKNOWN], dialect=dialect, where=f"{where}: attribute {name!r}"
        )
        if OTHER in known:
            found[[group is None for group in found]] = OTHER
        return found

    def _empty(self, encoder: Encoder) -> ColumnCounts:
        if encoder.kind == CATEGORY:
            return ColumnCounts()
        size = len(self._edges[encoder.column])
        return ColumnCounts(
            below=np.zeros(size, dtype=np.int64), at_most=np.zeros(size, dtype=np.int64)
        )


def _with_missing(encoder: Encoder) -> Encoder:
    """Return an encoder one of whose features marks missing values, and only these."""
    if encoder.kind != CATEGORY:
        mark = f"{encoder.column}\0missing"
        kept = encoder.features[:-1] if encoder.flag else encoder.features
        return replace(encoder, flag=True, features=(*kept, mark))
    values = tuple(value for value in encoder.values if value != MISSING)
    features = tuple(f"{encoder.column}\0{value}" for value in (*values, MISSING, OTHER))
    return replace(encoder, values=(*values, MISSING), features=features, fill=None)


def _missing_feature(encoder: Encoder) -> str:
    return encoder.features[-2 if encoder.kind == CATEGORY else -1]


def _add_numbers(
    counts: ColumnCounts,
    values: npt.NDArray[np.float64],
    absent: npt.NDArray[np.bool_],
    edges: npt.NDArray[np.float64],
) -> None:
    ordered = np.sort(values[~absent])
    counts.missing += int(absent.sum())
    counts.present += len(ordered)
    below = np.searchsorted(ordered, edges, side="left")
    at_most = np.searchsorted(ordered, edges, side="right")
    counts.below += below
    counts.at_most += at_most
    counts.outside += int(below[0] + len(ordered) - at_most[-1])


def _add_categories(
    counts: ColumnCounts, encoder: Encoder, parts: list[npt.NDArray[np.uint8]]
) -> None:
    *known, missing, other = (int(part.sum()) for part in parts)
    counts.categories.update(dict(zip(encoder.values[:-1], known, strict=True)))
    counts.missing += missing
    counts.other += other
    counts.present += sum(known) + other
