"""Inputs, outputs and options of a model for raw samples, known without its weights.

What belongs to the data set travels in a folder ``prepared`` beside the model: its ``schema.json``,
``encoding.json`` and ``vocabulary.json``, whichever it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from plumbline import names
from plumbline.artifacts import ModelConfig
from plumbline.artifacts.models import SIDECAR
from plumbline.data.tables.csv_files import CATEGORY, DATE
from plumbline.data.tables.encoding import RawColumns
from plumbline.errors import ArtifactError, DataError

IMAGE, TEXT, CLASS = "image", "text", "class"

_EPOCH = np.datetime64("1970-01-01")


@dataclass(frozen=True)
class InputColumn:
    """A column of raw samples.

    Attributes
    ----------
    name : str
    kind : str
        ``numeric``, ``categorical`` or ``date``; `IMAGE`, `TEXT` or `CLASS`.
    example : Any
        A value that JSON can hold.
    """

    name: str
    kind: str
    example: Any


@dataclass(frozen=True)
class Interface:
    """What a model takes and gives.

    Attributes
    ----------
    where : str
        Name of the model, which begins its error messages.
    inputs : tuple of InputColumn
        Columns of raw samples; others are ignored.
    outputs : mapping of str to str
        ``double``, ``long``, ``string`` or ``any`` by column of the results.
    options : mapping of str to value
        Default of each option of ``predict``.
    """

    where: str
    inputs: tuple[InputColumn, ...]
    outputs: Mapping[str, str]
    options: Mapping[str, int | bool] = field(default_factory=dict)

    def check(self, samples: Mapping[str, Any]) -> None:
        """Check that samples have every column and a row.

        Raises
        ------
        DataError
            If they have not.
        """
        if absent := [column.name for column in self.inputs if column.name not in samples]:
            raise DataError(
                f"{self.where}: columns must include {absent}, got {sorted(samples)[:30]}; names "
                "are case-sensitive"
            )
        if not len(samples[self.inputs[0].name]):
            raise DataError(f"{self.where}: input must have a row, got none")


def interface(config: ModelConfig, prepared: Path) -> Interface:
    """Return the interface of a model.

    Parameters
    ----------
    config : ModelConfig
    prepared : Path
        Folder with the encoding of its data.

    Raises
    ------
    ArtifactError
        If the encoding is missing or damaged.
    """
    if config.kind == names.LANGUAGE:
        return Interface(
            config.model,
            (InputColumn(TEXT, TEXT, "A sentence."),),
            {"nll": "double", "characters": "long", names.BITS_PER_CHARACTER: "double"},
        )
    if config.kind == names.GENERATOR:
        classes = InputColumn(CLASS, CLASS, config.classes[0])
        return Interface(config.model, (classes,), {CLASS: "string", IMAGE: "any"}, {"seed": 0})
    outputs = {**{f"score_{name}": "double" for name in config.classes}, "decision": "string"}
    if config.kind == names.REGRESSION:
        outputs = {"value": "double"}
    if "image_size" in config.arguments:
        _, channels, height, width = config.inputs[0]["shape"]
        blank = np.zeros((height, width) if channels == 1 else (height, width, channels), dtype=int)
        return Interface(config.model, (InputColumn(IMAGE, IMAGE, blank.tolist()),), outputs)
    return Interface(
        config.model,
        tuple(
            InputColumn(e.column, e.kind, _example(e.kind, e.fill, e.values))
            for e in RawColumns.read(prepared).encoders
        ),
        outputs,
        {"refuse_unseen": False},
    )


def find_prepared(model_folder: Path) -> Path:
    """Return the folder with the encoding of a model's data.

    It lies beside the weights in a logged model; in a work tree it is the prepared data set.

    Raises
    ------
    ArtifactError
        If there is none.
    """
    if (model_folder / SIDECAR).is_dir():
        return model_folder / SIDECAR
    dataset = ModelConfig.read(model_folder).dataset
    near = model_folder.resolve().parent.parent / names.PREPARED.name / dataset
    if near.is_dir():
        return near
    raise ArtifactError(
        f"{model_folder.name}: data set {dataset!r} must be prepared beside the model, got none in "
        f"{SIDECAR}/ nor in {names.PREPARED}/{dataset}; run plumbline repro prepare@{dataset}"
    )


def _example(kind: str, fill: float | str | None, values: tuple[str, ...]) -> Any:
    if kind == CATEGORY:
        return values[0]
    if kind == DATE:
        return str(_EPOCH + np.timedelta64(int(fill or 0), "D"))
    return fill
