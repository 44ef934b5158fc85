"""Language models on texts: how likely each is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import artifacts, names
from plumbline.artifacts import ModelConfig
from plumbline.classical.ngram import documents_nll
from plumbline.errors import ArtifactError, DataError
from plumbline.serving.interface import TEXT, Interface, interface

Codes = npt.NDArray[np.int64]
Likelihoods = Callable[[Sequence[Codes]], list[npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class LanguagePredictor:
    """A language model, on texts; each is a document of its own.

    Attributes
    ----------
    config : ModelConfig
    interface : Interface
    vocabulary : tuple of str
    likelihoods : callable
        From codes of documents to the nats of each of their characters.
    """

    config: ModelConfig
    interface: Interface
    vocabulary: tuple[str, ...]
    likelihoods: Likelihoods

    @classmethod
    def restore(cls, model_folder: Path, prepared: Path) -> Self:
        """Restore the model with the vocabulary of its text.

        Raises
        ------
        ArtifactError
            If a file is missing or damaged, or the vocabulary is another one.
        """
        config, vocabulary = ModelConfig.read(model_folder), artifacts.read_vocabulary(prepared)
        own = interface(config, prepared)
        if config.architecture != "ngram":
            from plumbline.inference.language import document_nll, restore_language_model

            network, *_ = restore_language_model(model_folder, prepared)
            return cls(config, own, vocabulary, lambda codes: document_nll(network, codes))
        if config.arguments["vocabulary_size"] != len(vocabulary):
            raise ArtifactError(
                f"{model_folder.name}: vocabulary must have the {len(vocabulary)} characters of "
                f"{prepared.name}/vocabulary.json, got {config.arguments['vocabulary_size']}; fit "
                "the model to this text"
            )
        weights, arguments = artifacts.load_weights(model_folder), config.arguments
        return cls(config, own, vocabulary, lambda codes: documents_nll(weights, arguments, codes))

    def predict(self, samples: Mapping[str, Any]) -> pd.DataFrame:
        """Return the negative log-likelihood of each text in nats; see `Predictor.predict`."""
        where = self.interface.where
        self.interface.check(samples)
        for row, text in enumerate(samples[TEXT]):
            if not isinstance(text, str) or not text:
                raise DataError(
                    f"{where}: text {row} must be a text with a character, got {text!r:.40}; "
                    "correct it or leave it out"
                )
        codes = [artifacts.encode_text(text, self.vocabulary) for text in samples[TEXT]]
        nats = [float(nll.sum()) for nll in self.likelihoods(codes)]
        lengths = [len(one) for one in codes]
        bits = [nll / (n * math.log(2)) for nll, n in zip(nats, lengths, strict=True)]
        return pd.DataFrame({"nll": nats, "characters": lengths, names.BITS_PER_CHARACTER: bits})
