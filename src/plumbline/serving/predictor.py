"""Restored models as predictors: raw samples in, a data frame of results out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from plumbline import names
from plumbline.artifacts import ModelConfig
from plumbline.errors import DataError
from plumbline.serving.interface import CLASS, IMAGE, TEXT, Interface, find_prepared

if TYPE_CHECKING:
    import pandas as pd


class Predictor(Protocol):
    """A restored model."""

    @property
    def config(self) -> ModelConfig:
        """The configuration of the model."""

    @property
    def interface(self) -> Interface:
        """What the model takes and gives."""

    @property
    def predict(self) -> Callable[..., pd.DataFrame]:
        """Take columns of raw samples by name and the options; return a row for each sample.

        A column of a table is an Arrow array, others are sequences. A `DataError` says what is
        unfit in them.
        """


def load(model_folder: Path, prepared: Path | None = None) -> Predictor:
    """Restore a model of any kind.

    Parameters
    ----------
    model_folder : Path
    prepared : Path, optional
        Folder with the encoding of its data; by default `find_prepared`.

    Raises
    ------
    ArtifactError
        If a file is missing, damaged or refused.
    """
    config = ModelConfig.read(model_folder)
    data = prepared or find_prepared(model_folder)
    if config.kind == names.LANGUAGE:
        from plumbline.serving.language import LanguagePredictor

        return LanguagePredictor.restore(model_folder, data)
    if config.kind == names.GENERATOR:
        from plumbline.serving.generator import GeneratorPredictor

        return GeneratorPredictor.restore(model_folder, data)
    from plumbline.serving import supervised

    if "image_size" in config.arguments:
        return supervised.ImagePredictor.restore(model_folder, data)
    return supervised.TablePredictor.restore(model_folder, data)


def columns_of(frame: pd.DataFrame, wanted: Interface) -> dict[str, Any]:
    """Return the columns of a data frame that a predictor reads, as far as they are there.

    Columns of a table become Arrow arrays, others lists.

    Raises
    ------
    DataError
        If a column of a table holds values of several types, or lists.
    """
    import pyarrow as pa

    found: dict[str, Any] = {}
    for column in wanted.inputs:
        if column.name not in frame:
            continue
        if column.kind in (IMAGE, TEXT, CLASS):
            found[column.name] = frame[column.name].tolist()
            continue
        try:
            found[column.name] = pa.Array.from_pandas(frame[column.name])
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            got = " ".join(str(error).split())[:200]
            raise DataError(
                f"{wanted.where}: column {column.name!r} must be {column.kind} in every row, got "
                f"values of several types: {got}; correct it"
            ) from error
    return found
