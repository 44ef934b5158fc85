"""Attributions of language models: what each character of a text did to the next one.

``T`` characters of a text, ``V`` of the vocabulary, ``E`` numbers of an embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plumbline import artifacts, names
from plumbline.artifacts import ModelConfig
from plumbline.classical.ngram import documents_nll
from plumbline.errors import ArtifactError
from plumbline.inference.explanations.integrated_gradients import integrated_gradients
from plumbline.inference.explanations.outputs import (
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    Block,
)
from plumbline.inference.language import document_nll, restore_language_model
from plumbline.models.rnn import CharRNN

Codes = npt.NDArray[np.int64]
CONTEXT = 64  # characters before the explained one
UNKNOWN = 0  # the code of rare characters, which stands for a covered one


@dataclass(frozen=True)
class Texts:
    """A language model, and the beginnings of texts whose next character it predicts.

    Attributes
    ----------
    nll : callable
        Codes of texts → nats of each of their characters, ``(T,)``.
    network : CharRNN or None
        The same model, if its embedding has gradients.
    vocabulary : tuple of str
    ids : list of str, (N,)
    texts : list of str, (N,)
    of : str, optional
        The explained character; by default the likeliest next one of each text.
    """

    nll: Callable[[Sequence[Codes]], Sequence[npt.NDArray[np.float64]]]
    network: CharRNN | None
    vocabulary: tuple[str, ...]
    ids: list[str]
    texts: list[str]
    of: str | None

    kind = names.TEXT
    true: ClassVar[list[str]] = []
    block = 1
    baseline_name = "a rare character in the place of each"

    @property
    def methods(self) -> tuple[str, ...]:
        """Occlusion first, which every language model has."""
        return (OCCLUSION,) if self.network is None else (OCCLUSION, INTEGRATED_GRADIENTS)

    @classmethod
    def restore(
        cls, folder: Path, config: ModelConfig, data: Path, *, split: str, of: str | None,
        seed: int,
    ) -> Self:  # fmt: skip
        """Restore the model, and cut each document at a drawn place.

        Raises
        ------
        ArtifactError
            If the model has another vocabulary than the text, or this has no such character.
        """
        vocabulary = artifacts.read_vocabulary(data)
        network = None
        nll: Callable[[Sequence[Codes]], Sequence[Any]]
        if config.architecture == "ngram":
            weights = artifacts.load_weights(folder)

            def nll(codes: Sequence[Codes]) -> Sequence[Any]:
                return documents_nll(weights, config.arguments, codes)
        else:
            found, _, _ = restore_language_model(folder, data)
            network = found if isinstance(found, CharRNN) else None

            def nll(codes: Sequence[Codes]) -> Sequence[Any]:
                return document_nll(found, codes, streams=len(codes))

        if config.arguments.get("vocabulary_size", len(vocabulary)) != len(vocabulary):
            raise ArtifactError(
                f"{folder.name}: vocabulary must have the {len(vocabulary)} characters of "
                f"{data.name}/vocabulary.json, got {config.arguments['vocabulary_size']}; fit the "
                "model to this text"
            )
        ids, texts = _beginnings(data, split, seed)
        return cls(nll, network, tuple(vocabulary), ids, texts, of)

    def with_samples(self, ids: list[str], values: Any) -> Self:
        """Return the same model with other texts."""
        return replace(self, ids=ids, texts=list(values))

    def output(self, method: str) -> str:
        """Name the explained output."""
        which = repr(self.of) if self.of else "the likeliest next character"
        return f"log-probability, in nats, of {which}"

    def explain(self, rows: Any, *, method: str, nodes: int | None) -> Block:
        """Return the attributions of these texts, ``(T,)`` each."""
        found = [self._one(self.texts[row], method, nodes or 64) for row in rows]
        values, gap, chosen, outputs = (list(each) for each in zip(*found, strict=True))
        return Block(
            values, np.array(gap), chosen, np.exp(outputs), np.array(outputs),
            [self.texts[row] for row in rows],
        )  # fmt: skip

    def _one(self, text: str, method: str, nodes: int) -> tuple[Any, float, str, float]:
        codes = artifacts.encode_text(text, self.vocabulary)
        code = self._next(codes)
        own = -float(self.nll([np.append(codes, code)])[0][-1])
        chosen = self.vocabulary[code]
        if method == INTEGRATED_GRADIENTS:
            assert self.network is not None  # methods has it only then
            values, gap = embedding_gradients(self.network, codes, code, nodes=nodes)
            return values, gap, chosen, own
        covered = np.tile(np.append(codes, code), (len(codes), 1))
        covered[np.arange(len(codes)), np.arange(len(codes))] = UNKNOWN
        after = np.array([-each[-1] for each in self.nll(list(covered))])
        return own - after, np.nan, chosen, own

    def _next(self, codes: Codes) -> int:
        if self.of is not None:
            return self.vocabulary.index(self.of)
        every = [np.append(codes, code) for code in range(1, len(self.vocabulary))]
        return 1 + int(np.argmin([each[-1] for each in self.nll(every)]))


def embedding_gradients(
    network: CharRNN, codes: Codes, code: int, *, nodes: int
) -> tuple[npt.NDArray[np.float64], float]:
    """Return integrated gradients of a next character, summed over the embedding's numbers.

    The baseline has the mean embedding in the place of each character.

    Parameters
    ----------
    network : CharRNN
        In evaluation mode.
    codes : array, (T,)
    code : int
        The next character.
    nodes : int

    Returns
    -------
    values : array, (T,)
        In nats of its log-probability.
    gap : float
        Completeness gap.
    """
    network.requires_grad_(False)
    inputs = torch.from_numpy(np.concatenate([[network.begin], codes]))[:, None]  # (T + 1, 1)
    with torch.no_grad():
        own = network.embedding(inputs)[:, 0]  # (T + 1, E)
        mean = network.embedding.weight[1 : network.vocabulary_size].mean(dim=0)
        baseline = torch.cat([own[:1], mean.expand(len(codes), -1)])

    def output(rows: Tensor) -> Tensor:
        embedded = rows.view(len(rows), *own.shape).transpose(0, 1)  # (T + 1, N, E)

        def put(module: nn.Module, given: Any, found: Tensor) -> Tensor:
            return embedded

        hook = network.embedding.register_forward_hook(put)
        try:
            logits, _ = network(inputs.expand(-1, len(rows)))
        finally:
            hook.remove()
        return logits[-1].log_softmax(dim=1)[:, code]  # type: ignore[no-any-return]

    found = integrated_gradients(output, own.flatten()[None], baseline.flatten(), nodes=nodes)
    values = found.values.view_as(own).sum(dim=1)[1:]
    return values.double().numpy(), float(found.gap)


def _beginnings(data: Path, split: str, seed: int) -> tuple[list[str], list[str]]:
    documents = artifacts.read_split_table(data, name="documents.parquet")
    documents = documents[(documents["split"] == split) & (documents["text"].str.len() > 0)]
    ids, texts = [], []
    for number, (name, text) in enumerate(
        zip(documents["sample_id"], documents["text"], strict=True)
    ):
        end = int(np.random.default_rng([seed, number]).integers(1, len(text) + 1))
        ids.append(f"{name}@{end}")
        texts.append(text[max(0, end - CONTEXT) : end])
    return ids, texts
