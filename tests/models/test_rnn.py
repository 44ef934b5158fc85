"""The character network: state, tying, shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plumbline.models.language import carry
from plumbline.models.rnn import CharRNN

VOCABULARY = 7


def network(**changes: Any) -> CharRNN:
    torch.manual_seed(0)
    arguments = {
        "vocabulary_size": VOCABULARY,
        "embedding_dim": 5,
        "hidden_dim": 6,
        "layers": 2,
        "cell": "lstm",
        "dropout": 0.0,
        "tied": False,
        **changes,
    }
    return CharRNN(**arguments).double()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_two_chunks_with_the_state_carried_over_equal_one_long_chunk(cell: str) -> None:
    model = network(cell=cell)
    codes = torch.randint(0, VOCABULARY, (20, 3))
    whole, _ = model(codes)
    first, state = model(codes[:8])
    second, _ = model(codes[8:], carry(state, torch.zeros(3, dtype=torch.bool)))
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_stream_that_starts_a_document_forgets_and_the_others_do_not(cell: str) -> None:
    model = network(cell=cell)
    codes = torch.randint(0, VOCABULARY, (6, 2))
    _, state = model(codes)
    carried, _ = model(codes, carry(state, torch.tensor([True, False])))
    fresh, _ = model(codes)
    kept, _ = model(codes, state)
    torch.testing.assert_close(carried[:, 0], fresh[:, 0])
    torch.testing.assert_close(carried[:, 1], kept[:, 1])
    assert not torch.allclose(fresh[:, 1], kept[:, 1])


def test_no_gradient_flows_back_through_a_carried_state() -> None:
    model = network(cell="gru")
    _, state = model(torch.zeros(2, 1, dtype=torch.long))
    assert state.requires_grad
    assert not carry(state, torch.tensor([False])).requires_grad


def test_a_prediction_depends_on_no_later_character() -> None:
    model = network()
    codes = torch.randint(0, VOCABULARY, (9, 1))
    changed = codes.clone()
    changed[6] = (changed[6] + 1) % VOCABULARY
    before, after = model(codes)[0], model(changed)[0]
    torch.testing.assert_close(before[:6], after[:6], rtol=0, atol=0)
    assert not torch.allclose(before[6:], after[6:])


def test_tied_weights_are_one_parameter_and_project_to_every_character() -> None:
    model = network(embedding_dim=6, tied=True)
    codes = torch.full((1, 1), model.begin)
    logits, _ = model(codes)
    hidden, _ = model.cell(model.embedding(codes))
    expected = hidden @ model.embedding.weight[:VOCABULARY].T + model.bias
    torch.testing.assert_close(logits, expected)
    assert logits.shape == (1, 1, VOCABULARY)
    untied = sum(p.numel() for p in network(embedding_dim=6).parameters())
    assert untied - sum(p.numel() for p in model.parameters()) == 6 * VOCABULARY


def test_the_forget_gate_alone_starts_open() -> None:
    # nn.LSTM draws its biases from U(-1/√H, 1/√H) = U(-0.41, 0.41) for 6 units.
    model = network(layers=1)
    bias = model.cell.bias_ih_l0.detach()
    assert bias[6:12].eq(1).all()
    assert torch.cat([bias[:6], bias[12:]]).abs().max() < 0.41


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_every_gates_recurrent_weights_start_orthogonal(cell: str, gates: int) -> None:
    model = network(cell=cell)
    for weights in (model.cell.weight_hh_l0, model.cell.weight_hh_l1):
        blocks = weights.detach().split(6)
        assert len(blocks) == gates
        for block in blocks:
            identity = torch.eye(6, dtype=torch.float64)
            torch.testing.assert_close(block @ block.T, identity, rtol=0, atol=1e-6)


def test_dropout_acts_in_training_only() -> None:
    model = network(dropout=0.5)
    codes = torch.randint(0, VOCABULARY, (4, 2))
    assert not torch.equal(model(codes)[0], model(codes)[0])
    model.eval()
    assert torch.equal(model(codes)[0], model(codes)[0])


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^models\.rnn: cell must be one of \['gru', 'lstm', 'rnn'\], got 'qrnn'$"
    ):
        network(cell="qrnn")


def test_tying_needs_equal_widths() -> None:
    with pytest.raises(
        ValueError, match=r"embedding_dim must be hidden_dim \(6\) when tied, got 5"
    ):
        network(tied=True)
