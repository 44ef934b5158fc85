"""The language task: what a chunk costs, and that the state travels."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.functional.text import perplexity

from plumbline.models.rnn import CharRNN
from plumbline.models.streams import PADDING, lay_out
from plumbline.tasks.language import LanguageTask, Reader

DOCUMENTS = [np.arange(length) % 4 + 1 for length in (23, 9, 14)]


def network() -> CharRNN:
    torch.manual_seed(0)
    return CharRNN(
        vocabulary_size=5,
        embedding_dim=3,
        hidden_dim=4,
        layers=1,
        cell="lstm",
        dropout=0.0,
        tied=False,
    )


def read_alone(model: CharRNN) -> float:
    """Sum the loss of each document read whole, from a fresh state."""
    total = 0.0
    for document in DOCUMENTS:
        codes = torch.from_numpy(np.concatenate([[model.begin], document[:-1]]))
        odds = model(codes[:, None])[0][:, 0].log_softmax(1).detach()
        total -= float(odds[torch.arange(len(document)), torch.from_numpy(document)].sum())
    return total


@pytest.mark.parametrize(("streams", "length"), [(1, 5), (2, 8), (3, 64)])
def test_reading_in_chunks_costs_what_reading_whole_documents_costs(
    streams: int, length: int
) -> None:
    model, reader = network(), Reader()
    chunks = lay_out(DOCUMENTS, streams=streams, length=length, begin=model.begin)
    nats, characters = zip(*(reader.read(model, chunk) for chunk in chunks), strict=True)
    assert sum(characters) == 23 + 9 + 14
    assert sum(nats).item() == pytest.approx(read_alone(model), rel=1e-5)


def test_the_loss_of_a_chunk_is_the_mean_over_its_characters_alone() -> None:
    model = network()
    task = LanguageTask(model, settings=SimpleNamespace(label_smoothing=0.0))
    chunk = next(iter(lay_out(DOCUMENTS[1:2], streams=1, length=12, begin=model.begin)))
    assert int((chunk.targets == PADDING).sum()) == 3
    nats, characters = Reader().read(model, chunk)
    loss = task.training_step(chunk, 0)
    assert characters == 9
    torch.testing.assert_close(loss, nats / 9)


def test_smoothing_mixes_the_loss_with_that_of_all_characters() -> None:
    model = network()
    with torch.no_grad():
        model.projection.weight.zero_()
        model.projection.bias.copy_(torch.tensor([0.0, 2.0, 0.0, 0.0, 0.0]))
    chunk = next(iter(lay_out([np.array([1])], streams=1, length=1, begin=model.begin)))
    spread = math.log(math.exp(2) + 4)
    plain, everywhere = spread - 2, spread - 2 / 5
    found, _ = Reader().read(model, chunk, label_smoothing=0.1)
    assert found.item() == pytest.approx(0.9 * plain + 0.1 * everywhere, rel=1e-6)


def test_the_loss_of_an_improbable_character_is_finite_where_torchmetrics_perplexity_is_not() -> (
    None
):
    logits, target = torch.tensor([[[0.0, 200.0]]]), torch.tensor([[0]])
    assert torch.isinf(perplexity(logits, target))
    assert nn.functional.cross_entropy(logits[0], target[0]).item() == 200


def test_perplexity_equals_that_of_torchmetrics() -> None:
    model = network()
    (chunk,) = lay_out(DOCUMENTS[:1], streams=1, length=24, begin=model.begin)
    nats, characters = Reader().read(model, chunk)
    logits, _ = model(chunk.inputs)
    expected = perplexity(logits, chunk.targets, ignore_index=PADDING)
    torch.testing.assert_close((nats / characters).exp(), expected)
