"""Documents as parallel streams of chunks, for truncated back-propagation through time.

Every document begins at the start of a chunk, with the symbol ``begin`` as its first input and a
zero state. It continues in the following chunks of the same stream, which carry the state over. The
rest of its last chunk is padding without loss. Training and evaluation are so the same task, and
predictions for a document do not depend on other documents.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PADDING = -100  # target of a position that no loss counts; torch's own default

Codes = npt.NDArray[np.integer]


class Chunk(NamedTuple):
    """The same ``T`` steps of ``N`` streams.

    Attributes
    ----------
    inputs, targets : Tensor
        ``(T, N)`` int64: characters read, and the next ones (`PADDING` where there is none).
    starts : Tensor
        ``(N,)`` bool: streams in which a document begins with this chunk.
    """

    inputs: Tensor
    targets: Tensor
    starts: Tensor


@dataclass(frozen=True)
class Placement:
    """Position of a document: stream and first row of the ``(rows, N)`` arrays."""

    stream: int
    row: int


@dataclass(frozen=True)
class Streams:
    """All chunks of a set of documents.

    Attributes
    ----------
    inputs, targets : Tensor
        ``(rows, N)`` int64; ``rows`` is a multiple of ``length``.
    starts : Tensor
        ``(rows / length, N)`` bool.
    documents : Tensor
        ``(rows / length, N)`` int64: number of the document in each stream, -1 for none.
    length : int
        ``T``: rows of a chunk.
    placements : tuple of Placement
        In the order of the documents given.
    """

    inputs: Tensor
    targets: Tensor
    starts: Tensor
    documents: Tensor
    length: int
    placements: tuple[Placement, ...]

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Chunk]:
        for index, starts in enumerate(self.starts):
            rows = slice(index * self.length, (index + 1) * self.length)
            yield Chunk(self.inputs[rows], self.targets[rows], starts)


def lay_out(
    documents: Sequence[Codes], *, streams: int, length: int, begin: int,
    order: npt.NDArray[np.integer] | None = None,
) -> Streams:  # fmt: skip
    """Distribute documents over parallel streams of nearly equal length.

    Each document, the longest first, is added to the shortest stream so far. In a random order a
    long document at the end would be alone in the last chunks.

    Parameters
    ----------
    documents : sequence of (n,) int arrays
        Character codes; none may be empty.
    streams : int
        ``N``; fewer if there are fewer documents.
    length : int
        ``T``.
    begin : int
        Code read before the first character.
    order : (documents,) int array, optional
        Rank of each document within its stream: a permutation that changes from epoch to epoch.
        By default the longer one comes first.
    """
    streams = min(streams, len(documents))
    chunks = [-(-len(document) // length) for document in documents]
    members = _balance(chunks, streams=streams)
    if order is not None:
        members = [sorted(member, key=lambda index: int(order[index])) for member in members]
    rows = max(sum(chunks[index] for index in member) for member in members) * length
    inputs = np.zeros((rows, streams), dtype=np.int64)
    targets = np.full((rows, streams), PADDING, dtype=np.int64)
    starts = np.zeros((rows // length, streams), dtype=bool)
    numbers = np.full((rows // length, streams), -1, dtype=np.int64)
    placements: dict[int, Placement] = {}
    for stream, member in enumerate(members):
        row = 0
        for index in member:
            document = documents[index]
            inputs[row, stream] = begin
            inputs[row + 1 : row + len(document), stream] = document[:-1]
            targets[row : row + len(document), stream] = document
            starts[row // length, stream] = True
            numbers[row // length :, stream][: chunks[index]] = index
            placements[index] = Placement(stream, row)
            row += chunks[index] * length
    return Streams(
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets),
        starts=torch.from_numpy(starts),
        documents=torch.from_numpy(numbers),
        length=length,
        placements=tuple(placements[index] for index in range(len(documents))),
    )


def _balance(sizes: Sequence[int], *, streams: int) -> list[list[int]]:
    """Return the indices of each stream ("longest processing time first", Graham 1969)."""
    members: list[list[int]] = [[] for _ in range(streams)]
    shortest = [(0, stream) for stream in range(streams)]
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        total, stream = heapq.heappop(shortest)
        members[stream].append(index)
        heapq.heappush(shortest, (total + sizes[index], stream))
    return members
