"""The data of a mitigation: features, labels and one attribute, by split.

Rows count by their weight where the table has weights, in fits, choices and measurements; as in all
fits of the pipeline weights are scaled to a mean of 1 and do not enter the standardisation of
features. Rows of one entity are drawn together where an interval is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import DatasetSchema, read_split_table
from plumbline.metrics.intervals.survey_design import PLAIN, Design

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Rows of one split: ``x (N, F)``, standardised; ``y (N,)`` 0 or 1; ``group (N,)`` codes.

    ``design``: their weights and entities.
    """

    x: Floats
    y: Codes
    group: Codes
    design: Design = PLAIN

    def __len__(self) -> int:
        return len(self.y)

    def take(self, order: Codes) -> Rows:
        """Return the rows of these numbers."""
        return Rows(self.x[order], self.y[order], self.group[order], self.design.at(order))

    @property
    def weight(self) -> Floats:
        """How much each row counts, ``(N,)``; ones where there are no weights."""
        return self.design.weights(len(self))


@dataclass(frozen=True)
class Problem:
    """The data that a method is given.

    Attributes
    ----------
    train, val, test : Rows
        A method sees labels of the first two alone; ``test.y`` is there to be measured with.
    attribute : str
    groups : tuple of str
        Names of the group codes.
    schema : DatasetSchema
    table : DataFrame
        The prepared table's test rows.
    """

    train: Rows
    val: Rows
    test: Rows
    attribute: str
    groups: tuple[str, ...]
    schema: DatasetSchema
    table: pd.DataFrame

    @property
    def design(self) -> dict[str, float]:
        """How many ``entities`` the test rows are of, and their summed ``weight``, if any."""
        found = self.test.design.facts()
        if names.WEIGHT in self.table:
            found["weight"] = float(self.table[names.WEIGHT].sum())
        return found


def read_problem(folder: Path, *, attribute: str) -> Problem | str:
    """Return the problem of a prepared table, or the reason why it has none.

    Parameters
    ----------
    folder : Path
        A prepared tabular data set.
    attribute : str
        Attribute whose gaps are mitigated; data without it use their first attribute.
    """
    schema = DatasetSchema.read(folder)
    if schema.task != "binary":
        return f"methods are for two classes; the task of {schema.source} is {schema.task}"
    if not schema.attributes:
        return f"{schema.source} has no attribute"
    chosen = attribute if attribute in schema.attributes else schema.attributes[0]
    table = read_split_table(folder)
    codes, values = pd.factorize(table[chosen].astype(str), sort=True)
    x = table[list(schema.features)].to_numpy(np.float64)
    train = (table["split"] == names.TRAIN).to_numpy()
    scale = x[train].std(axis=0)
    x = (x - x[train].mean(axis=0)) / np.where(scale > 0, scale, 1.0)

    def rows(split: str) -> Rows:
        at = (table["split"] == split).to_numpy()
        y, design = table.loc[at, "y"].to_numpy(np.int64), _design(table.loc[at])
        return Rows(x[at], y, codes[at].astype(np.int64), design)

    parts = {split: rows(split) for split in names.SPLITS}
    for split in (names.TRAIN, names.VAL):
        own = parts[split]
        cells = np.bincount(own.group * 2 + own.y, own.weight, minlength=2 * len(values))
        if not cells.all():
            group = values[int(np.argmin(cells)) // 2]
            return f"{chosen} = {group} has rows of one class only in the {split} split"
    test = table[table["split"] == names.TEST].reset_index(drop=True)
    return Problem(
        parts[names.TRAIN],
        parts[names.VAL],
        parts[names.TEST],
        chosen,
        tuple(str(value) for value in values),
        schema,
        test,
    )


def _design(rows: pd.DataFrame) -> Design:
    weight = rows[names.WEIGHT].to_numpy(np.float64) if names.WEIGHT in rows else None
    return Design.of(
        None if weight is None else weight / weight.mean(),
        rows.get(names.ENTITY),
    )
