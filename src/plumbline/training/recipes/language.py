"""Fit the character network: documents → parallel streams → the best epoch's weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plumbline import artifacts, models, names
from plumbline.errors import DataError
from plumbline.models.rnn import CharRNN
from plumbline.models.streams import Chunk, Codes, Streams, lay_out
from plumbline.params.models import Optimisation, RnnParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.language import LanguageTask
from plumbline.training.engine.history import History
from plumbline.training.engine.loaders import Batches, process_place
from plumbline.training.recipes.base import VAL_LOSS, FittedModel, run_fit

VAL_BITS = names.metric(names.VAL, names.BITS_PER_CHARACTER)


class StreamBatches(Batches[Chunk]):
    """Iterable over the chunks of documents; a new order of the documents every epoch.

    Parameters
    ----------
    documents : sequence of (n,) int arrays
    streams : int
        Streams of this process; several processes lay out as many times more and share them.
    length : int
        Steps of a chunk.
    begin : int
        Code read before the first character of a document.
    shuffle : bool
        Draw the order of the documents within each stream from (seed, epoch).
    seed : int
    """

    def __init__(
        self,
        documents: Sequence[Codes],
        *,
        streams: int,
        length: int,
        begin: int,
        shuffle: bool,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.documents, self.streams, self.length = documents, streams, length
        self.begin, self.shuffle, self.seed = begin, shuffle, seed

    def __len__(self) -> int:
        """Return the number of chunks of an epoch."""
        # Which documents share a stream does not change with their order, nor does its length.
        return len(self._lay_out())

    def batches(self, first: int) -> Iterator[Chunk]:
        """Yield the chunks of the epoch from number ``first`` on."""
        rank, world = process_place()
        streams = self._lay_out()
        for index, chunk in islice(enumerate(streams), first, None):
            self.chosen = streams.documents[index, rank::world]
            yield Chunk(
                inputs=chunk.inputs[:, rank::world],
                targets=chunk.targets[:, rank::world],
                starts=chunk.starts[rank::world],
            )

    def _lay_out(self) -> Streams:
        _, world = process_place()
        order = None
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.documents))
        return lay_out(
            self.documents,
            streams=self.streams * world,
            length=self.length,
            begin=self.begin,
            order=order,
        )


def fit_rnn(parameters: RnnParams, *, data: Path, context: FitContext) -> FittedModel:
    """Fit the character network to the training documents and keep its best epoch.

    Parameters
    ----------
    parameters : RnnParams
    data : Path
        Prepared text.
    context : FitContext

    Raises
    ------
    DataError
        If a document is empty.
    TrainingError
        At the first loss that is not finite.
    """
    schema = artifacts.DatasetSchema.read(data)
    vocabulary = artifacts.read_vocabulary(data)
    documents = read_documents(data, vocabulary)
    arguments = {
        "vocabulary_size": len(vocabulary),
        **parameters.model_dump(mode="json", exclude={"sequence_length", "optimisation"}),
    }
    torch.manual_seed(context.seed)
    network = models.build("rnn", **arguments)
    assert isinstance(network, CharRNN)
    train, val = (
        StreamBatches(
            documents[split],
            streams=parameters.optimisation.batch_size,
            length=parameters.sequence_length,
            begin=network.begin,
            shuffle=split == names.TRAIN,
            seed=context.seed,
        )
        for split in (names.TRAIN, names.VAL)
    )
    history, facts = _fit(network, train, val, settings=parameters.optimisation, context=context)
    facts |= {
        "train_characters": sum(map(len, documents[names.TRAIN])),
        "val_characters": sum(map(len, documents[names.VAL])),
    }
    return FittedModel(network, _config(schema, arguments, network, facts), history)


def read_documents(data: Path, vocabulary: Sequence[str]) -> dict[str, list[Codes]]:
    """Return the coded documents of each split.

    Raises
    ------
    DataError
        If a document is empty.
    """
    table = artifacts.read_split_table(data, name="documents.parquet")
    if (empty := table["text"].str.len() == 0).any():
        raise DataError(
            f"{data.name}/documents.parquet: every document must have a character, got none in "
            f"{table.loc[empty, 'sample_id'].iloc[0]!r}"
        )
    return {
        str(split): [artifacts.encode_text(text, vocabulary) for text in rows["text"]]
        for split, rows in table.groupby("split")
    }


def _fit(
    network: CharRNN,
    train: StreamBatches,
    val: StreamBatches,
    *,
    settings: Optimisation,
    context: FitContext,
) -> tuple[History, dict[str, Any]]:
    result = run_fit(
        LanguageTask(network, settings=settings),
        train,
        val,
        context=context,
        max_epochs=settings.max_epochs,
        monitor=VAL_LOSS,
        patience=settings.patience,
        gradient_clip=settings.gradient_clip,
        accumulate=settings.accumulate,
    )
    return result.history, {
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "chosen_by": f"lowest {VAL_LOSS}",
        "steps": result.steps,
        "chunks_per_epoch": len(train),
        "val_bits_per_character": result.history.rows[result.best_epoch][VAL_BITS],
    }


def _config(
    schema: artifacts.DatasetSchema,
    arguments: dict[str, Any],
    network: CharRNN,
    facts: dict[str, Any],
) -> artifacts.ModelConfig:
    return artifacts.ModelConfig(
        model="rnn",
        architecture="rnn",
        arguments=arguments,
        kind=names.LANGUAGE,
        dataset=schema.dataset,
        source=schema.source,
        # Time first: (characters read, documents) → logits of the next ones.
        inputs=({"name": "codes", "dtype": "int64", "shape": [-1, -1]},),
        outputs=(
            {"name": "logits", "dtype": "float32", "shape": [-1, -1, network.vocabulary_size]},
        ),
        parameters=models.count_parameters(network),
        facts=facts,
    )
