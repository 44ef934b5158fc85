"""Predictions of the supervised networks on held-out samples, from their folders alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.errors import ArtifactError
from plumbline.inference.outputs import ModelOutput, named, split_models
from plumbline.inference.restore import restore

if TYPE_CHECKING:
    from plumbline.params.reports import EvaluateParams

BATCH = 256  # fixed: another size may change the last bits of a sum


def predict_network(
    models: Mapping[str, Path], data: Path, *, options: EvaluateParams, seed: int
) -> ModelOutput:
    """Predict the test samples with a supervised network.

    Parameters
    ----------
    models : mapping of Path
        The folder of the network, first, by its name in the catalogue.
    data : Path
        Prepared table or images.
    options, seed
        Not used: a restored network draws no random numbers.

    Raises
    ------
    ArtifactError
        See `predict_classifier`.
    """
    name, folder, _ = split_models(models)
    return ModelOutput(named(predict_classifier(folder, data), name))


def predict_classifier(
    model_folder: Path, data_folder: Path, *, split: str = names.TEST
) -> Predictions:
    """Return the predictions of a classifier or regressor on one split.

    Parameters
    ----------
    model_folder : Path
        Folder of ``fnn``, ``cnn``, ``backbone`` or ``finetune_<strategy>``.
    data_folder : Path
        Prepared table or images with the classes, features and size that the model was fitted to.
    split : {'test', 'val', 'train'}
        The only rows of the table that is returned.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or model and data do not belong together.
    """
    network, config = restore(model_folder)
    schema = DatasetSchema.read(data_folder)
    if tuple(schema.classes) != tuple(config.classes):
        raise ArtifactError(
            f"{model_folder.name}: classes must be those of {data_folder.name} "
            f"{list(schema.classes)}, got {list(config.classes)}; fit the model to this data"
        )
    table = artifacts.read_split_table(data_folder)
    rows = np.flatnonzero(table["split"] == split)
    inputs = _inputs(config, data_folder, table)[torch.from_numpy(rows)]
    outputs = _in_batches(network, inputs).double()
    chosen = table.iloc[rows].reset_index(drop=True)
    return _table(chosen, outputs, config=config, schema=schema)


def table_scores(model_folder: Path, table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the class probabilities ``(N, K)`` that a network gives to the rows of a table.

    Raises
    ------
    ArtifactError
        If the table lacks a feature of the network.
    """
    network, config = restore(model_folder)
    outputs = _in_batches(network, _features(config, table, "the table")).double()
    scores: npt.NDArray[np.float64] = outputs.softmax(dim=1).numpy()
    return scores


def extract_features(model_folder: Path, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return what the head of an image classifier sees.

    Parameters
    ----------
    model_folder : Path
    images : array of uint8
        ``(N, C, H, W)`` of the size that the model was fitted to.

    Returns
    -------
    array of float
        ``(N, D)``.

    Raises
    ------
    ArtifactError
        If the images have another type or shape.
    """
    network, config = restore(model_folder)
    expected = tuple(config.inputs[0]["shape"][1:])
    if images.dtype != np.uint8 or images.shape[1:] != expected:
        raise ArtifactError(
            f"{model_folder.name}: images must be uint8 (N, {', '.join(map(str, expected))}), "
            f"got {images.dtype} {images.shape}"
        )
    features: npt.NDArray[np.float64] = (
        _in_batches(network, torch.tensor(images), method="features").double().numpy()
    )
    return features


@torch.inference_mode()
def _in_batches(network: nn.Module, inputs: Tensor, *, method: str = "forward") -> Tensor:
    network.eval()
    function = getattr(network, method)
    return torch.cat([function(batch) for batch in torch.split(inputs, BATCH)])


def _inputs(config: ModelConfig, data: Path, table: pd.DataFrame) -> Tensor:
    if "image_size" in config.arguments:
        return torch.from_numpy(
            artifacts.read_images(data, config.arguments["image_size"], rows=len(table))
        )
    return _features(config, table, f"the table of {data.name}")


def _features(config: ModelConfig, table: pd.DataFrame, where: str) -> Tensor:
    columns = [entry["name"] for entry in config.inputs]
    if missing := [column for column in columns if column not in table]:
        raise ArtifactError(
            f"{config.model}: features must be in {where}, got none of {missing}; "
            "fit the model to this data"
        )
    # In rows: products of columns round in another order.
    return torch.from_numpy(np.array(table[columns], dtype="float32", order="C"))


def _table(
    rows: pd.DataFrame, outputs: Tensor, *, config: ModelConfig, schema: DatasetSchema
) -> Predictions:
    found: dict[str, Any] = {"sample_id": rows["sample_id"], "split": rows["split"]}
    found["y_true"] = rows["y"]
    if config.kind == names.REGRESSION:
        found["y_pred"] = outputs[:, 0].numpy()
    else:
        scores = outputs.softmax(dim=1).numpy()
        found["y_pred"] = scores.argmax(axis=1)
        found |= {f"score_{name}": scores[:, k] for k, name in enumerate(config.classes)}
    found |= artifacts.passthrough_columns(rows, schema.attributes)
    return Predictions(
        table=pd.DataFrame(found),
        model=config.model,
        kind=config.kind,
        dataset=schema.dataset,
        source=schema.source,
        classes=tuple(config.classes),
        positive=schema.positive,
        attributes=tuple(schema.attributes),
    )
