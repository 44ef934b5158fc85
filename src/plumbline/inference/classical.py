"""Predictions of the classical models, restored from their folders without unpickling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.classical.folders import restore_model
from plumbline.classical.ngram import documents_nll
from plumbline.errors import ArtifactError
from plumbline.inference.blocks import language_predictions
from plumbline.inference.outputs import ModelOutput, named, split_models
from plumbline.inference.tables import check_classes, supervised_predictions, table_features

if TYPE_CHECKING:
    import pandas as pd

    from plumbline.params.reports import EvaluateParams

Floats = npt.NDArray[np.float64]


def predict_baselines(
    models: Mapping[str, Path], data: Path, *, options: EvaluateParams, seed: int
) -> ModelOutput:
    """Predict the test rows of a table with the chosen classical model and with the others.

    Parameters
    ----------
    models : mapping of Path
        The folder of the classical models by their name in the catalogue.
    data : Path
        Prepared table.
    options, seed
        Not used: the models draw no random numbers here.

    Raises
    ------
    ArtifactError
        If model and data do not belong together.
    """
    name, folder, _ = split_models(models)
    fitted = ModelConfig.read(folder).arguments
    others = sorted(set(fitted["models"]) - {fitted["chosen"]})
    return ModelOutput(
        named(predict_baseline(folder, data), name),
        {other: predict_baseline(folder, data, model=other) for other in others},
    )


def predict_ngram_model(
    models: Mapping[str, Path], data: Path, *, options: EvaluateParams, seed: int
) -> ModelOutput:
    """Predict the test documents with an n-gram model; `predict_baselines` has the parameters."""
    name, folder, _ = split_models(models)
    found = predict_ngram(folder, data, block_characters=options.block_characters)
    return ModelOutput(named(found, name))


def predict_baseline(
    model_folder: Path, data_folder: Path, *, model: str | None = None, split: str = names.TEST
) -> Predictions:
    """Return a classical model's predictions of a table.

    Parameters
    ----------
    model_folder, data_folder : Path
    model : str, optional
        One of the keys of ``config.arguments["models"]``; by default the chosen one.
    split : {'test', 'val', 'train'}

    Raises
    ------
    ArtifactError
        If there is no such model, its file is damaged or refused, or the table lacks a feature.
    """
    fitted, config = restore_model(model_folder, model)
    schema, table = DatasetSchema.read(data_folder), artifacts.read_split_table(data_folder)
    check_classes(config, schema, model_folder.name)
    rows = table[table["split"] == split].reset_index(drop=True)
    values = fitted.scores(table_features(config, rows))
    return supervised_predictions(rows, values, config=config, schema=schema, model=model)


def predict_ngram(
    model_folder: Path, data_folder: Path, *, block_characters: int, split: str = names.TEST
) -> Predictions:
    """Return the n-gram model's likelihood of a text, block by block.

    Raises
    ------
    ArtifactError
        If the model has another vocabulary than the text.
    """
    documents, nll = ngram_likelihoods(model_folder, data_folder, split=split)
    return language_predictions(
        ModelConfig.read(model_folder).model,
        documents,
        nll,
        block_characters=block_characters,
        schema=DatasetSchema.read(data_folder),
    )


def ngram_likelihoods(
    model_folder: Path, data_folder: Path, *, split: str
) -> tuple[pd.DataFrame, list[Floats]]:
    """Return a split's documents and the nats of each of their characters, ``(characters,)``.

    Raises
    ------
    ArtifactError
        If the model has another vocabulary than the text.
    """
    config, weights = ModelConfig.read(model_folder), artifacts.load_weights(model_folder)
    vocabulary = artifacts.read_vocabulary(data_folder)
    if config.arguments["vocabulary_size"] != len(vocabulary):
        raise ArtifactError(
            f"{model_folder.name}: vocabulary must have the {len(vocabulary)} characters of "
            f"{data_folder.name}/vocabulary.json, got {config.arguments['vocabulary_size']}; "
            "fit the model to this text"
        )
    documents = artifacts.read_split_table(data_folder, name="documents.parquet")
    documents = documents[documents["split"] == split]
    codes = [artifacts.encode_text(text, vocabulary) for text in documents["text"]]
    return documents, documents_nll(weights, config.arguments, codes)
