"""A prepared table as a LightningDataModule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.training.data_modules.examples import ExampleDataModule, Examples


class TableDataModule(ExampleDataModule):
    """The training and validation rows of a prepared table.

    Parameters
    ----------
    folder : Path
        Prepared folder; its schema decides between classification and regression.
    **options
        See `ExampleDataModule`.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        self.schema = DatasetSchema.read(folder)
        table = artifacts.read_split_table(folder)
        train, val = (table_examples(table, self.schema, split=s) for s in (names.TRAIN, names.VAL))
        super().__init__(train, val, **options)

    @property
    def regression(self) -> bool:
        """Whether the target is a number, not a class."""
        return self.schema.task == names.REGRESSION


def table_examples(table: pd.DataFrame, schema: DatasetSchema, *, split: str) -> Examples:
    """Return features, targets and weights of one split of a prepared table."""
    rows = table[table["split"] == split]
    dtype = "float32" if schema.task == names.REGRESSION else "int64"
    features = rows[list(schema.features)].to_numpy(dtype="float32")
    weights = None
    if names.WEIGHT in rows:
        weights = torch.tensor((rows[names.WEIGHT] / rows[names.WEIGHT].mean()).to_numpy("float32"))
    return Examples(torch.tensor(features), torch.tensor(rows["y"].to_numpy(dtype=dtype)), weights)
