"""Predictions of the supervised networks on held-out samples, from their folders alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.inference.outputs import ModelOutput, named, split_models
from plumbline.inference.restore import restore
from plumbline.inference.tables import check_classes, supervised_predictions, table_features

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
    check_classes(config, schema, model_folder.name)
    table = artifacts.read_split_table(data_folder)
    rows = np.flatnonzero(table["split"] == split)
    inputs = _inputs(config, data_folder, table)[torch.from_numpy(rows)]
    outputs = _in_batches(network, inputs).double()
    values = outputs if config.kind == names.REGRESSION else outputs.softmax(dim=1)
    chosen = table.iloc[rows].reset_index(drop=True)
    return supervised_predictions(chosen, values.numpy(), config=config, schema=schema)


def class_probabilities(
    network: nn.Module, config: ModelConfig, table: pd.DataFrame
) -> npt.NDArray[np.float64]:
    """Return the class probabilities ``(N, K)`` that a network gives to the rows of a table.

    Raises
    ------
    ArtifactError
        If the table lacks a feature of the network.
    """
    outputs = _in_batches(network, torch.from_numpy(table_features(config, table)))
    scores: npt.NDArray[np.float64] = outputs.double().softmax(dim=1).numpy()
    return scores


@torch.inference_mode()
def _in_batches(network: nn.Module, inputs: Tensor) -> Tensor:
    return torch.cat([network(batch) for batch in torch.split(inputs, BATCH)])


def _inputs(config: ModelConfig, data: Path, table: pd.DataFrame) -> Tensor:
    if "image_size" not in config.arguments:
        return torch.from_numpy(table_features(config, table))
    size = config.arguments["image_size"]
    return torch.from_numpy(artifacts.read_images(data, size, rows=len(table)))
