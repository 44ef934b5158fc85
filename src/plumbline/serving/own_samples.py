"""Samples that somebody brings, as a model of a table or of images reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.data.base import folders
from plumbline.data.images.decode import SUFFIXES
from plumbline.errors import DataError
from plumbline.serving.predictor import load
from plumbline.serving.supervised import ImagePredictor, TablePredictor
from plumbline.table_files import read_batches

WHERE = "explain"


def read_samples(model_folder: Path, path: Path) -> tuple[list[str], npt.NDArray[Any]]:
    """Return the name of each sample, and features ``(N, F)`` or pixels ``(N, C, S, S)``.

    Parameters
    ----------
    model_folder : Path
        Of a classifier or a regression; the encoding of its data lies beside it.
    path : Path
        CSV or Parquet table with the columns of the source, whose rows count from 0, or an image or
        a folder of them. All of it is in memory.

    Raises
    ------
    DataError
        If it is missing or unfit for the model.
    """
    predictor = load(model_folder)
    if not path.exists():
        raise DataError(f"{WHERE}: file must exist, got none at {path.as_posix()}")
    if isinstance(predictor, ImagePredictor):
        files = folders.list_files(path, SUFFIXES, where=WHERE) if path.is_dir() else [path]
        home = path if path.is_dir() else path.parent
        ids = [file.relative_to(home).as_posix() for file in files]
        return ids, predictor.pixels([file.read_bytes() for file in files], names=ids)
    if isinstance(predictor, TablePredictor) and path.is_file():
        columns = list(predictor.columns.names)
        parts = [
            predictor.features({name: batch.column(name) for name in columns})
            for batch in read_batches(path, predictor.columns.dialect, columns, where=WHERE)
            if batch.num_rows
        ]
        if not parts:
            raise DataError(f"{WHERE}: {path.name} must have a row, got none")
        features = np.concatenate(parts)
        return [str(row) for row in range(len(features))], features
    raise DataError(
        f"{WHERE}: file must be a table or pictures for a model of these, got {path.as_posix()} "
        f"for {predictor.config.model!r}; give a text with --prompt"
    )
