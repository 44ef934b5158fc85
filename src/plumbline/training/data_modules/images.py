"""Prepared images as a LightningDataModule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import ArtifactError
from plumbline.training.data_modules.examples import ExampleDataModule, Examples


class ImageDataModule(ExampleDataModule):
    """The training and validation images of a prepared folder, with their classes.

    Parameters
    ----------
    folder : Path
        Prepared images.
    size : int, optional
        Height and width, in pixels; None for a folder with images of one size.
    labelled : bool
        Train on the rows of the column ``labelled`` alone.
    **options
        See `ExampleDataModule`.

    Raises
    ------
    ArtifactError
        If no size is given and the folder holds several.
    """

    def __init__(
        self, folder: Path, *, size: int | None = None, labelled: bool = False, **options: Any
    ) -> None:
        self.schema = DatasetSchema.read(folder)
        table = artifacts.read_split_table(folder)
        size = _only_size(folder) if size is None else size
        images = torch.from_numpy(artifacts.read_images(folder, size, rows=len(table)))
        rows = table["split"] == names.TRAIN
        super().__init__(
            image_examples(table, images, rows=rows & table["labelled"] if labelled else rows),
            image_examples(table, images, rows=table["split"] == names.VAL),
            **options,
        )

    @property
    def signature(self) -> list[dict[str, Any]]:
        """The input signature of a network that takes these images."""
        shape = [-1, *self.train.inputs.shape[1:]]
        return [{"name": "images", "dtype": "uint8", "shape": shape}]


def image_examples(table: pd.DataFrame, images: Tensor, *, rows: pd.Series[bool]) -> Examples:
    """Return the chosen rows of prepared images ``(N, C, H, W)`` with their class codes."""
    chosen = np.flatnonzero(rows.to_numpy())
    codes = table["y"].to_numpy(dtype="int64")[chosen]
    return Examples(images[torch.tensor(chosen)], torch.tensor(codes))


def _only_size(folder: Path) -> int:
    found = sorted(folder.glob("images_*.npy"))
    if len(found) != 1:
        raise ArtifactError(
            f"{folder.name}: folder must hold images of one size, got {[p.name for p in found]}"
        )
    return int(found[0].stem.removeprefix("images_"))
