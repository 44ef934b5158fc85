"""Documents as parallel streams: nothing lost, nothing mixed, nearly equal lengths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plumbline.models.streams import PADDING, lay_out

BEGIN = 99


def documents(lengths: list[int]) -> list[np.ndarray]:
    return [np.arange(length) + 1000 * number for number, length in enumerate(lengths)]


def test_one_document_in_one_stream_by_hand() -> None:
    streams = lay_out([np.array([3, 1, 4, 1, 5])], streams=4, length=3, begin=BEGIN)
    first, second = list(streams)
    assert first.inputs.T.tolist() == [[BEGIN, 3, 1]]
    assert first.targets.T.tolist() == [[3, 1, 4]]
    assert first.starts.tolist() == [True]
    assert second.inputs.T.tolist() == [[4, 1, 0]]
    assert second.targets.T.tolist() == [[1, 5, PADDING]]
    assert second.starts.tolist() == [False]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_every_document_is_found_whole_at_its_place(width: int) -> None:
    texts = documents([7, 1, 4, 12, 3, 8])
    streams = lay_out(texts, streams=width, length=4, begin=BEGIN, order=np.arange(6)[::-1])
    for text, place in zip(texts, streams.placements, strict=True):
        rows = slice(place.row, place.row + len(text))
        assert streams.targets[rows, place.stream].tolist() == text.tolist()
        read = streams.inputs[rows, place.stream].tolist()
        assert read == [BEGIN, *text[:-1].tolist()]
        assert streams.starts[place.row // 4, place.stream]
    assert int((streams.targets != PADDING).sum()) == sum(map(len, texts))
    assert int(streams.starts.sum()) == len(texts)


def test_long_documents_do_not_fill_the_last_chunks_alone() -> None:
    lengths = [40, 10, 20, 30, 20, 30, 30]
    streams = lay_out(documents(lengths), streams=3, length=10, begin=BEGIN)
    assert len(streams) == 6  # 18 chunks over 3 streams, no stream longer than another


def test_the_order_moves_documents_within_a_stream_only() -> None:
    texts = documents([4, 4, 4, 8])
    one = lay_out(texts, streams=1, length=4, begin=BEGIN, order=np.array([2, 0, 1, 3]))
    assert [place.row for place in one.placements] == [8, 0, 4, 12]


def test_chunks_together_are_the_whole() -> None:
    streams = lay_out(documents([5, 9, 2]), streams=2, length=4, begin=BEGIN)
    assert torch.equal(torch.cat([chunk.inputs for chunk in streams]), streams.inputs)
    assert torch.equal(torch.cat([chunk.targets for chunk in streams]), streams.targets)
    assert len(list(streams)) == len(streams)
