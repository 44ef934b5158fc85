"""Classifiers and regressors of tables and images."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.artifacts import DatasetSchema, ModelConfig, decide
from plumbline.classical import folders
from plumbline.data.images.encoding import ImageEncoding
from plumbline.data.tables.encoding import RawColumns
from plumbline.errors import ArtifactError, DataError
from plumbline.inference.tables import check_classes
from plumbline.serving.interface import IMAGE, Interface, interface

log = logging.getLogger(__name__)

Scores = Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class TablePredictor:
    """A model of a table, on raw rows.

    Attributes
    ----------
    config : ModelConfig
    interface : Interface
    columns : RawColumns
    scores : callable
        From features ``(N, F)`` to class probabilities ``(N, K)`` or values ``(N, 1)``.
    """

    config: ModelConfig
    interface: Interface
    columns: RawColumns
    scores: Scores

    @classmethod
    def restore(cls, model_folder: Path, prepared: Path) -> Self:
        """Restore the model with the encoders of its data.

        Raises
        ------
        ArtifactError
            If a file is missing or damaged, or the encoders make no feature that the model reads.
        """
        config, columns = ModelConfig.read(model_folder), RawColumns.read(prepared)
        check_classes(config, DatasetSchema.read(prepared), model_folder.name)
        made = {name for encoder in columns.encoders for name in encoder.features}
        if lacking := [spec["name"] for spec in config.inputs if spec["name"] not in made]:
            raise ArtifactError(
                f"{model_folder.name}: features must come from the columns of {prepared.name}, got "
                f"none for {lacking}; fit the model to this data"
            )
        return cls(config, interface(config, prepared), columns, _restored_scores(model_folder))

    def predict(self, samples: Mapping[str, Any], *, refuse_unseen: bool = False) -> pd.DataFrame:
        """Return scores and decisions; see `predictor.Predictor.predict`.

        Categories that no training row has are logged, or with ``refuse_unseen`` an error.
        """
        features = self.features(samples, refuse_unseen=refuse_unseen)
        return _results(self.scores(features), self.config)

    def features(
        self, samples: Mapping[str, Any], *, refuse_unseen: bool = False
    ) -> npt.NDArray[Any]:
        """Return the features ``(N, F)`` of raw rows."""
        where = self.interface.where
        self.interface.check(samples)
        found, unseen = self.columns.features(samples, where=where)
        for column, (rows, value) in unseen.items():
            if refuse_unseen:
                raise DataError(
                    f"{where}: column {column!r} must hold categories of training rows, got "
                    f"{value!r} and others in {rows} rows; correct them, or accept that all "
                    "features of the column are 0"
                )
            log.warning(
                "%s: column %r has a category of no training row in %d rows, such as %r; all its "
                "features are 0 there, as in such rows of the test split",
                where, column, rows, value,
            )  # fmt: skip
        wanted = [found[spec["name"]] for spec in self.config.inputs]
        features = np.empty((len(wanted[0]), len(wanted)), self.config.inputs[0]["dtype"])
        for place, values in enumerate(wanted):
            features[:, place] = values
        return features


@dataclass(frozen=True)
class ImagePredictor:
    """A classifier of images, on pictures.

    Attributes
    ----------
    config : ModelConfig
    interface : Interface
    encoding : ImageEncoding
    scores : callable
        From pixels ``(N, C, S, S)`` to class probabilities ``(N, K)``.
    """

    config: ModelConfig
    interface: Interface
    encoding: ImageEncoding
    scores: Scores

    @classmethod
    def restore(cls, model_folder: Path, prepared: Path) -> Self:
        """Restore the model with the encoding of its images.

        Raises
        ------
        ArtifactError
            If a file is missing or damaged, or model and data do not belong together.
        """
        config, encoding = ModelConfig.read(model_folder), ImageEncoding.read(prepared)
        check_classes(config, DatasetSchema.read(prepared), model_folder.name)
        channels = config.inputs[0]["shape"][1]
        if channels != (1 if encoding.mode == "grey" else 3):
            raise ArtifactError(
                f"{model_folder.name}: images must have {channels} channels, got {encoding.mode} "
                f"in {prepared.name}; fit the model to this data"
            )
        return cls(config, interface(config, prepared), encoding, _restored_scores(model_folder))

    def predict(self, samples: Mapping[str, Any]) -> pd.DataFrame:
        """Return scores and decisions; see `Predictor.predict` and `ImageEncoding.pixels`.

        A column ``file`` names the pictures in messages.
        """
        self.interface.check(samples)
        pixels = self.pixels(samples[IMAGE], names=samples.get("file"))
        return _results(self.scores(pixels), self.config)

    def pixels(self, pictures: Any, *, names: Sequence[str] | None) -> npt.NDArray[np.uint8]:
        """Return pixels ``(N, C, S, S)`` of pictures; see `ImageEncoding.pixels`."""
        size, where = self.config.arguments["image_size"], self.interface.where
        return self.encoding.pixels(pictures, size, where=where, names=names)


def _restored_scores(model_folder: Path) -> Scores:
    if ModelConfig.read(model_folder).architecture == folders.ARCHITECTURE:
        return folders.restore_model(model_folder)[0].scores
    from plumbline.inference.classify import network_scores
    from plumbline.inference.restore import restore

    network, config = restore(model_folder)
    return lambda inputs: network_scores(network, config, inputs)


def _results(scores: npt.NDArray[np.float64], config: ModelConfig) -> pd.DataFrame:
    if config.kind == names.REGRESSION:
        return pd.DataFrame({"value": scores[:, 0]})
    found = pd.DataFrame(scores, columns=[f"score_{name}" for name in config.classes])
    # Names are taken from an array of text: pandas would look at each of them again.
    decided = decide(scores, config.decision())
    found["decision"] = _as_text(config.classes).take(decided)
    return found


@functools.cache
def _as_text(classes: tuple[str, ...]) -> Any:
    return pd.Series(list(classes)).array
