"""Parts of the techniques against overfitting: each does what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from plumbline.models.stacked import StackedNetworks
from plumbline.studies.feedforward import regularised


def test_the_size_of_digits_that_move_stays_and_each_moves_by_itself():
    images = torch.zeros(1, 200, 8, 8)
    images[:, :, 3, 4] = 1
    rng, targets = np.random.default_rng(1), torch.zeros(1, 200, 10)
    moved, same = regularised.transform(images.flatten(2), targets, shift=1, mixup=0.0, rng=rng)
    assert same is targets
    places = moved.reshape(200, 8, 8).nonzero()
    assert {(int(row), int(column)) for _, row, column in places} == {
        (row, column) for row in (2, 3, 4) for column in (3, 4, 5)
    }
    assert len(places) == 200


def test_mixed_rows_lie_between_two_rows_with_their_targets():
    inputs = torch.eye(6)[None]
    mixed, targets = regularised.transform(
        inputs, 2 * inputs, shift=0, mixup=0.3, rng=np.random.default_rng(2)
    )
    torch.testing.assert_close(targets, 2 * mixed)
    assert mixed.sum(-1).flatten().tolist() == pytest.approx([1.0] * 6)
    assert ((mixed > 0).sum(-1) == 2).any()


def test_an_ensemble_has_the_mean_probability_or_value_of_its_members():
    outputs = torch.randn(6, 4, 3)
    found = regularised.mean_of_members(outputs, 3, True).exp()
    assert torch.allclose(found[1], outputs[3:].softmax(-1).mean(0), atol=1e-6)
    assert torch.allclose(regularised.mean_of_members(outputs, 3, False)[0], outputs[:3].mean(0))


def test_losses_are_those_of_torch():
    outputs, codes = torch.randn(2, 5, 3), torch.randint(3, (2, 5))
    targets = functional.one_hot(codes, 3).float()
    found = regularised.of_logits(outputs, regularised.smooth(targets, 0.2), True)
    for member in range(2):
        expected = functional.cross_entropy(outputs[member], codes[member], label_smoothing=0.2)
        assert float(found[member]) == pytest.approx(float(expected))
    values = regularised.of_logits(outputs[..., :1], targets[..., :1], False)
    assert float(values[1]) == pytest.approx(
        float(functional.mse_loss(outputs[1, :, :1], targets[1, :, :1]))
    )


def test_pruning_removes_the_smallest_weights_of_each_network():
    torch.manual_seed(1)
    alone = [nn.Sequential(nn.Linear(10, 5)) for _ in range(2)]
    stack = StackedNetworks(alone)
    with torch.no_grad():
        regularised.prune(stack, 0.8)
    for member, network in enumerate(alone):
        found, sizes = stack.member(member)["0.weight"], network[0].weight.detach().abs()
        limit = sizes.flatten().sort().values[39]
        assert torch.equal(found != 0, sizes > limit)
        assert int((found != 0).sum()) == 10
        assert torch.equal(stack.member(member)["0.bias"], network[0].bias)
