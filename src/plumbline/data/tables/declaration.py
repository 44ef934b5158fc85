"""The declaration of a table: the type and the role of each column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Declaration:
    """The types and roles of the columns of a table.

    Attributes
    ----------
    source : str
    target : str
        Column of the classes or of the number to predict.
    kinds : mapping of str to str
        `csv_files.NUMBER`, ``CATEGORY`` or ``DATE`` by column.
    features : tuple of str
    attributes : mapping of str to tuple of float
        Columns the audit groups by; numbers are cut into bands at the bounds, if any.
    positive : str or None
        The favourable one of two classes; None for the second by name.
    rest : str or None
        Class of all values but the positive one; None where every value is a class.
    labels : mapping of str to str
        Class name of each raw value of the target; empty for the values themselves.
    entity, weight : str or None
        Columns of the entity that a row belongs to, and of its weight.
    official : str or None
        Category column that says ``test`` for rows of the official test set, which stay there.
    split, time : str or None
        Column that says the split of each row, or column by which rows are split in time.
    about : mapping
    """

    source: str
    target: str
    kinds: Mapping[str, str]
    features: tuple[str, ...]
    attributes: Mapping[str, tuple[float, ...]]
    about: Mapping[str, Any]
    positive: str | None = None
    rest: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    entity: str | None = None
    weight: str | None = None
    official: str | None = None
    split: str | None = None
    time: str | None = None
