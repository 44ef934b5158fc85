"""Prepared text as a LightningDataModule: documents as parallel streams of chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import DataError
from plumbline.models.streams import Chunk, Codes, Streams, lay_out
from plumbline.training.data_modules.examples import MemoryDataModule
from plumbline.training.engine.loaders import Batches, process_place


class StreamBatches(Batches[Chunk]):
    """Iterable over the chunks of documents; a new order of the documents every epoch.

    Parameters
    ----------
    documents : sequence of (n,) int arrays
    streams : int
        Streams of this process; several processes share so many times their number.
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


class TextDataModule(MemoryDataModule):
    """The training and validation documents of prepared text.

    Parameters
    ----------
    folder : Path
        Prepared text.
    streams, length, seed
        See `StreamBatches`.

    Raises
    ------
    DataError
        If a document is empty.
    """

    def __init__(self, folder: Path, *, streams: int, length: int, seed: int) -> None:
        super().__init__()
        self.schema = DatasetSchema.read(folder)
        self.vocabulary = artifacts.read_vocabulary(folder)
        self.documents = read_documents(folder, self.vocabulary)
        self.streams, self.length, self.seed = streams, length, seed

    def train_dataloader(self) -> StreamBatches:
        """Return the training documents, in a new order every epoch."""
        return self._batches(names.TRAIN)

    def val_dataloader(self) -> StreamBatches:
        """Return the validation documents."""
        return self._batches(names.VAL)

    def _batches(self, split: str) -> StreamBatches:
        return StreamBatches(
            self.documents[split],
            streams=self.streams,
            length=self.length,
            begin=len(self.vocabulary),
            shuffle=split == names.TRAIN,
            seed=self.seed,
        )


def read_documents(folder: Path, vocabulary: Sequence[str]) -> dict[str, list[Codes]]:
    """Return the coded documents of each split.

    Raises
    ------
    DataError
        If a document is empty.
    """
    table = artifacts.read_split_table(folder, name="documents.parquet")
    if (empty := table["text"].str.len() == 0).any():
        raise DataError(
            f"{folder.name}/documents.parquet: every document must have a character, got none in "
            f"{table.loc[empty, 'sample_id'].iloc[0]!r}"
        )
    return {
        str(split): [artifacts.encode_text(text, vocabulary) for text in rows["text"]]
        for split, rows in table.groupby("split")
    }
