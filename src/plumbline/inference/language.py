"""Predictions and samples of character networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.errors import ArtifactError
from plumbline.inference.blocks import language_predictions, with_mixture
from plumbline.inference.classical import ngram_likelihoods, predict_ngram
from plumbline.inference.mixing import fit_weight, mixture
from plumbline.inference.outputs import ModelOutput, named, split_models
from plumbline.inference.restore import restore
from plumbline.inference.sampling import sample_text
from plumbline.models.language import LanguageNetwork, State, carry
from plumbline.models.rnn import CharRNN
from plumbline.models.streams import PADDING, Codes, lay_out

if TYPE_CHECKING:
    import pandas as pd

    from plumbline.params.reports import EvaluateParams

STREAMS, LENGTH = 32, 64  # parallel documents, and steps of a chunk

Floats = npt.NDArray[np.float64]


def predict_language_model(
    models: Mapping[str, Path], data: Path, *, options: EvaluateParams, seed: int
) -> ModelOutput:
    """Predict the test documents with a character network and with the models that it needs.

    Parameters
    ----------
    models : mapping of Path
        The folder of the network, first, and those of its references, n-gram models or character
        networks, by their names in the catalogue. The first n-gram model is also mixed with the
        network.
    data : Path
        Prepared documents.
    options : EvaluateParams
        ``block_characters`` is the length of a row.
    seed : int
        Not used: nothing is drawn.

    Raises
    ------
    ArtifactError
        If a folder holds another kind of model, or one of another vocabulary.
    """
    name, folder, needed = split_models(models)
    length = options.block_characters
    own = named(predict_language(folder, data, block_characters=length), name)
    others = {
        other: _predict(path, data, block_characters=length) for other, path in needed.items()
    }
    ngrams = [path for path in needed.values() if _is_ngram(path)]
    if not ngrams:
        return ModelOutput(own, others)
    weight, mixed = mix_with_ngram(folder, ngrams[0], data)
    own = with_mixture(own, mixed, block_characters=length)
    others |= {variant.model: variant for variant in own.variants()[1:]}
    facts = {"with": ngrams[0].name, "weight": weight, "fitted_on": names.VAL}
    return ModelOutput(own, others, facts={"mixture": facts})


def write_texts(
    models: Mapping[str, Path], data: Path, *, options: EvaluateParams, seed: int, folder: Path
) -> None:
    """Write a text for each temperature of ``options.text_sample``; see `generate_texts`.

    Parameters
    ----------
    models, data, options
        See `predict_language_model`.
    seed : int
        Of the sampled characters.
    folder : Path
        Where the file goes.
    """
    _, model, _ = split_models(models)
    texts = generate_texts(model, data, seed=seed, **options.text_sample.model_dump())
    artifacts.write_json(folder / names.TEXT_SAMPLES, texts)


def _predict(folder: Path, data: Path, *, block_characters: int) -> Predictions:
    predict = predict_ngram if _is_ngram(folder) else predict_language
    return predict(folder, data, block_characters=block_characters)


def _is_ngram(folder: Path) -> bool:
    return ModelConfig.read(folder).architecture == "ngram"


def mix_with_ngram(network: Path, ngram: Path, data: Path) -> tuple[float, list[Floats]]:
    """Return the network's weight and the nats of the test documents under the mixture.

    Parameters
    ----------
    network, ngram : Path
        Model folders.
    data : Path
        Prepared text; the validation split fits the weight.
    """

    def both(split: str) -> tuple[list[Floats], list[Floats]]:
        of_network = network_likelihoods(network, data, split=split)
        return of_network[1], ngram_likelihoods(ngram, data, split=split)[1]

    weight = fit_weight(*map(np.concatenate, both(names.VAL)))
    return weight, [mixture(*pair, weight=weight) for pair in zip(*both(names.TEST), strict=True)]


@torch.inference_mode()
def document_nll(
    model: LanguageNetwork,
    documents: Sequence[Codes],
    *,
    streams: int = STREAMS,
    length: int = LENGTH,
) -> list[Floats]:
    """Return the negative log-likelihood of every character, in nats.

    Every document starts from a fresh state: its likelihoods depend neither on other documents
    nor, but for rounding, on the number of parallel streams.

    Parameters
    ----------
    model : LanguageNetwork
        Is put into evaluation mode.
    documents : sequence of (n,) int arrays
    streams, length : int
        See `lay_out`.

    Returns
    -------
    list of (n,) arrays
        In the order of the documents.
    """
    model.eval()
    laid = lay_out(documents, streams=streams, length=length, begin=model.begin)
    state: State | None = None
    found = []
    for chunk in laid:
        logits, state = model(chunk.inputs, None if state is None else carry(state, chunk.starts))
        found.append(
            torch.nn.functional.cross_entropy(
                logits.flatten(0, 1),
                chunk.targets.flatten(),
                ignore_index=PADDING,
                reduction="none",
            ).view_as(chunk.targets)
        )
    rows = torch.cat(found).double().numpy()  # (rows, streams)
    return [
        rows[place.row : place.row + len(document), place.stream]
        for place, document in zip(laid.placements, documents, strict=True)
    ]


def predict_language(
    model_folder: Path, data_folder: Path, *, block_characters: int, split: str = names.TEST
) -> Predictions:
    """Return the network's likelihood of a text, block by block of each document.

    Parameters
    ----------
    model_folder, data_folder : Path
    block_characters : int
        Length of a row of the table; every document starts a new row.
    split : {'test', 'val', 'train'}

    Raises
    ------
    ArtifactError
        If the folder holds another kind of model, or one of another vocabulary.
    """
    documents, nll = network_likelihoods(model_folder, data_folder, split=split)
    return language_predictions(
        ModelConfig.read(model_folder).model,
        documents,
        nll,
        block_characters=block_characters,
        schema=DatasetSchema.read(data_folder),
    )


def network_likelihoods(
    model_folder: Path, data_folder: Path, *, split: str
) -> tuple[pd.DataFrame, list[Floats]]:
    """Return a split's documents and the nats of each of their characters, ``(characters,)``.

    Raises
    ------
    ArtifactError
        If the folder holds another kind of model, or one of another vocabulary.
    """
    network, _, vocabulary = restore_language_model(model_folder, data_folder)
    documents = artifacts.read_split_table(data_folder, name="documents.parquet")
    documents = documents[documents["split"] == split]
    codes = [artifacts.encode_text(text, vocabulary) for text in documents["text"]]
    return documents, document_nll(network, codes)


def restore_language_model(
    model_folder: Path, data_folder: Path
) -> tuple[LanguageNetwork, ModelConfig, tuple[str, ...]]:
    """Return the network, its config and the vocabulary of the prepared text.

    Raises
    ------
    ArtifactError
        If the folder holds another kind of model, or one of another vocabulary.
    """
    network, config = restore(model_folder)
    if not isinstance(network, LanguageNetwork):
        raise ArtifactError(
            f"{model_folder.name}: architecture must be one of a language model, got "
            f"{config.architecture!r}"
        )
    vocabulary = artifacts.read_vocabulary(data_folder)
    if len(vocabulary) != network.vocabulary_size:
        raise ArtifactError(
            f"{model_folder.name}: vocabulary must have the {len(vocabulary)} characters of "
            f"{data_folder.name}/vocabulary.json, got {network.vocabulary_size}; train the model "
            "on this text"
        )
    return network, config, vocabulary


def generate_texts(
    model_folder: Path,
    data_folder: Path,
    *,
    prompt: str,
    characters: int,
    temperatures: Sequence[float],
    top_k: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Return texts of several temperatures: ``{"temperature", "top_k", "prompt", "text"}`` each.

    Parameters
    ----------
    model_folder, data_folder : Path
    prompt, characters, top_k, seed
        See `sample_text`; ``text`` begins with the prompt.
    temperatures : sequence of float
    """
    network, config, vocabulary = restore_language_model(model_folder, data_folder)
    if not isinstance(network, CharRNN):
        raise ArtifactError(
            f"{model_folder.name}: architecture must be rnn, got {config.architecture!r}; only "
            "recurrent networks write texts"
        )
    settings: Mapping[str, Any] = {"prompt": prompt, "top_k": top_k}
    return [
        {
            **settings,
            "temperature": temperature,
            "text": sample_text(
                network,
                vocabulary=vocabulary,
                characters=characters,
                temperature=temperature,
                seed=seed,
                **settings,
            ),
        }
        for temperature in temperatures
    ]
