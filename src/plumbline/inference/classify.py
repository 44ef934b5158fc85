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
    values = network_scores(network, config, _inputs(config, data_folder, table)[rows])
    chosen = table.iloc[rows].reset_index(drop=True)
    return supervised_predictions(chosen, values, config=config, schema=schema)


def network_scores(
    network: nn.Module, config: ModelConfig, inputs: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Return class probabilities ``(N, K)``, or the predicted number ``(N, 1)`` of a regression.

    Parameters
    ----------
    network : Module
        In evaluation mode.
    config : ModelConfig
    inputs : array, (N, F) or (N, C, S, S)
        Features or pixels, in the type of the network's input.
    """
    outputs = _in_batches(network, torch.from_numpy(inputs)).double()
    values = outputs if config.kind == names.REGRESSION else outputs.softmax(dim=1)
    scores: npt.NDArray[np.float64] = values.numpy()
    return scores


def class_probabilities(
    network: nn.Module, config: ModelConfig, table: pd.DataFrame
) -> npt.NDArray[np.float64]:
    """Return the class probabilities ``(N, K)`` that a network gives to the rows of a table.

    Raises
    ------
    ArtifactError
        If the table lacks a feature of the network.
    """
    return network_scores(network, config, table_features(config, table))


@torch.inference_mode()
def _in_batches(network: nn.Module, inputs: Tensor) -> Tensor:
    return torch.cat([network(batch) for batch in torch.split(inputs, BATCH)])


def _inputs(config: ModelConfig, data: Path, table: pd.DataFrame) -> npt.NDArray[Any]:
    if "image_size" not in config.arguments:
        return table_features(config, table)
    return artifacts.read_images(data, config.arguments["image_size"], rows=len(table))
