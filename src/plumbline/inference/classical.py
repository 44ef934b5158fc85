"""Predictions of the classical models, restored from their folders without unpickling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.classical.folders import SCORES
from plumbline.classical.ngram import documents_nll
from plumbline.errors import ArtifactError
from plumbline.inference.blocks import language_predictions
from plumbline.inference.outputs import ModelOutput, named, split_models

if TYPE_CHECKING:
    from plumbline.params.reports import EvaluateParams


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
    split : {'test', 'val'}

    Raises
    ------
    ArtifactError
        If the folder holds no such scores, or scores of other samples.
    """
    import pandas as pd

    config, schema = ModelConfig.read(model_folder), DatasetSchema.read(data_folder)
    chosen = model or str(config.arguments["chosen"])
    table = artifacts.read_split_table(data_folder)
    table = table[table["split"] == split].reset_index(drop=True)
    scores, _ = artifacts.read_table(model_folder / SCORES)
    outputs = config.classes or ("value",)
    columns = [f"{chosen}/{output}" for output in outputs]
    where = f"{model_folder.name}/{SCORES}"
    if missing := [column for column in columns if column not in scores]:
        raise ArtifactError(f"{where}: columns must include {missing}, got none of them")
    scores = scores.set_index("sample_id").reindex(table["sample_id"])[columns]
    if scores.isna().any(axis=None):
        raise ArtifactError(
            f"{where}: rows must be the {split} samples of {data_folder.name}, got others; "
            "fit the baseline to this data"
        )
    found: dict[str, Any] = {"sample_id": table["sample_id"], "split": table["split"]}
    found["y_true"] = table["y"]
    values = scores.to_numpy(dtype=np.float64)
    if config.classes:
        found["y_pred"] = values.argmax(axis=1)
        found |= {f"score_{name}": values[:, k] for k, name in enumerate(config.classes)}
    else:
        found["y_pred"] = values[:, 0]
    found |= artifacts.passthrough_columns(table, schema.attributes)
    return Predictions(
        table=pd.DataFrame(found),
        model=config.model,
        kind=config.kind,
        dataset=schema.dataset,
        source=schema.source,
        classes=config.classes,
        positive=schema.positive,
        attributes=schema.attributes,
    )


def predict_ngram(
    model_folder: Path, data_folder: Path, *, block_characters: int, split: str = names.TEST
) -> Predictions:
    """Return the n-gram model's likelihood of a text, block by block.

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
    nll = documents_nll(weights, config.arguments, codes)
    return language_predictions(
        config.model,
        documents,
        nll,
        block_characters=block_characters,
        schema=DatasetSchema.read(data_folder),
    )
