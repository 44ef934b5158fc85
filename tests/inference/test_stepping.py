"""The NumPy steps of a character network beside torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plumbline.inference.stepping import Stepper
from tests.models.test_rnn import VOCABULARY, network


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("tied", [False, True])
def test_logits_equal_those_of_the_network(cell: str, layers: int, tied: bool) -> None:
    changes = {"embedding_dim": 6} if tied else {}
    model = network(cell=cell, layers=layers, tied=tied, dropout=0.3, **changes).float().eval()
    codes = [model.begin, *np.random.default_rng(0).integers(0, VOCABULARY, 40).tolist()]
    with torch.no_grad():
        expected, _ = model(torch.tensor(codes)[:, None])
    stepper = Stepper(model)
    found = np.stack([stepper.read(code) for code in codes])
    np.testing.assert_allclose(found, expected[:, 0], rtol=0, atol=1e-6)
    assert found.dtype == np.float32


def test_two_documents_do_not_share_a_state() -> None:
    model = network().float()
    first, second = Stepper(model), Stepper(model)
    begun = first.read(model.begin)
    first.read(3)
    np.testing.assert_array_equal(second.read(model.begin), begun)


def test_a_step_leaves_the_network_as_it_was() -> None:
    model = network().float()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    stepper = Stepper(model)
    for code in (model.begin, 1, 2):
        stepper.read(code)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
