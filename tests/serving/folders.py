"""Small models of every kind, untrained: what they compute is compared, not how good it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch

from plumbline import artifacts, models, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.classical.folders import fit_baseline
from plumbline.classical.ngram import fit_ngram
from plumbline.data.images.encoding import ImageEncoding
from plumbline.data.tables.encoding import encoding_of, numeric_encoder
from plumbline.params.models import BaselineParams
from plumbline.table_files import Dialect
from tests.prepared_folders import (
    BASELINE,
    write_image_folder,
    write_table_folder,
    write_text_folder,
)

DECISION = {"threshold": 0.9, "positive": "high"}


def tabular(root: Path, task: str = "binary") -> Path:
    """Prepare a table whose file has the columns of `raw_rows`."""
    data = write_table_folder(root / names.PREPARED / names.TABULAR, task=task)
    table = artifacts.read_split_table(data)
    training = table[table["split"] == names.TRAIN]
    encoders = [
        numeric_encoder(f"raw {name}", name, training[name].to_numpy())
        for name in ("weight", "height")
    ]
    artifacts.write_encoding(data, encoding_of(encoders, rules=None, dialect=Dialect()))
    return data


def raw_rows(data: Path, split: str = names.TEST):
    """Return the rows of a split with the columns of the file."""
    table = artifacts.read_split_table(data)
    found = table[table["split"] == split].reset_index(drop=True)
    return found.rename(columns={"weight": "raw weight", "height": "raw height"})


def fnn(root: Path, *, decision: bool = False) -> tuple[Path, Path]:
    """Write a network of `tabular`."""
    data = tabular(root)
    arguments = {
        "inputs": 2, "outputs": 2, "hidden": [4], "activation": "relu", "dropout": 0.5,
        "norm": "none", "init": "default",
    }  # fmt: skip
    return save(root, data, "fnn", "fnn", arguments, names.CLASSIFICATION,
                facts={"decision": DECISION} if decision else {}), data  # fmt: skip


def baseline(root: Path, task: str = "binary") -> tuple[Path, Path]:
    """Fit classical models to `tabular`."""
    data, folder = tabular(root, task), root / names.MODEL_DIR / "baseline"
    parameters = BaselineParams(
        tabular=("logistic_regression", "gradient_boosting"), **BASELINE, ngram_orders=(2,)
    )
    fit_baseline(parameters, data=data, context=SimpleNamespace(seed=0)).save(folder)
    return folder, data


def images(root: Path, *, counts: bool = False) -> Path:
    """Prepare images of 16×16 grey levels."""
    data = write_image_folder(root / names.PREPARED / names.IMAGES)
    ImageEncoding("grey", None, 10_000, counts=counts).write(data)
    return data


def cnn(root: Path) -> tuple[Path, Path]:
    """Write a convolutional classifier of `images`."""
    arguments = {
        "image_size": 16, "image_channels": 1, "channels": [4], "feature_dim": 4, "dropout": 0.1,
        "outputs": 3, "mean": [0.3], "scale": [0.4],
    }  # fmt: skip
    data = images(root)
    return save(root, data, "cnn", "cnn", arguments, names.CLASSIFICATION), data


def gan(root: Path) -> tuple[Path, Path]:
    """Write a generator of `images`."""
    arguments = {
        "image_size": 16, "latent_dim": 4, "classes": 3, "base_channels": 4, "channels": 1,
    }  # fmt: skip
    data = images(root)
    return save(root, data, "gan", "generator", arguments, names.GENERATOR), data


def rnn(root: Path) -> tuple[Path, Path]:
    """Write a character network of a text."""
    data = write_text_folder(root / names.PREPARED / names.TEXT)
    arguments = {
        "cell": "gru", "embedding_dim": 3, "hidden_dim": 4, "layers": 1, "dropout": 0.0,
        "tied": False, "vocabulary_size": len(artifacts.read_vocabulary(data)),
    }  # fmt: skip
    return save(root, data, "rnn", "rnn", arguments, names.LANGUAGE), data


def ngram(root: Path) -> tuple[Path, Path]:
    """Fit an n-gram model to a text."""
    data = write_text_folder(root / names.PREPARED / names.TEXT)
    vocabulary = artifacts.read_vocabulary(data)
    texts = artifacts.read_split_table(data, name="documents.parquet")["text"]
    codes = [artifacts.encode_text(text, vocabulary) for text in texts]
    size = len(vocabulary)
    weights, _ = fit_ngram(codes, codes[:2], orders=(2,), vocabulary_size=size)
    config = ModelConfig(
        "ngram", "ngram", {"order": 2, "vocabulary_size": size}, names.LANGUAGE, "text", "made_up"
    )
    folder = root / names.MODEL_DIR / "ngram"
    artifacts.save_model(folder, weights, config)
    return folder, data


ALL = {"fnn": fnn, "baseline": baseline, "cnn": cnn, "gan": gan, "rnn": rnn, "ngram": ngram}


def save(root, data, model, architecture, arguments, kind, facts=None) -> Path:
    """Write the model folder of an untrained network."""
    schema = DatasetSchema.read(data)
    torch.manual_seed(0)
    network = models.build(architecture, **arguments)
    inputs = tuple({"name": n, "dtype": "float32", "shape": [-1]} for n in schema.features)
    if "image_size" in arguments:
        inputs = ({"name": "images", "dtype": "uint8", "shape": [-1, 1, 16, 16]},)
    config = ModelConfig(
        model, architecture, arguments, kind, schema.dataset, schema.source, schema.classes,
        inputs, facts=facts or {},
    )  # fmt: skip
    folder = root / names.MODEL_DIR / model
    artifacts.save_model(folder, network.state_dict(), config)
    return folder
