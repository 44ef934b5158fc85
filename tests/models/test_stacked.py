from __future__ import annotations

import re

import pytest
import torch
from torch.nn import functional

from plumbline import models
from plumbline.models.stacked import StackedFeedForward

SHAPE = {"inputs": 3, "outputs": 2, "activation": "tanh", "init": "default"}


def networks(count: int = 3, **changes):
    options = {"hidden": [5, 4], "dropout": 0.0, "norm": "none", **SHAPE, **changes}
    torch.manual_seed(1)
    return [models.build("fnn", **options) for _ in range(count)]


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("hidden", [[], [5], [5, 4]])
def test_outputs_and_gradients_are_those_of_each_network(norm, hidden):
    alone = networks(hidden=hidden, norm=norm)
    with torch.no_grad():
        for network in alone:  # a gain of 1 and a shift of 0 would hide each other's place
            for value in network.parameters():
                value.add_(0.1 * torch.randn_like(value))
    stack, inputs = StackedFeedForward(alone), torch.randn(3, 7, 3)
    outputs = stack(inputs)
    outputs.square().sum().backward()
    for member, network in enumerate(alone):
        expected = network(inputs[member])
        assert torch.allclose(outputs[member], expected, atol=1e-6)
        expected.square().sum().backward()
        for name, value in network.named_parameters():
            found = stack.parameters[name].grad[member]
            assert torch.allclose(found, value.grad, rtol=1e-4, atol=1e-5), name


def test_inputs_that_all_share_are_given_once():
    alone, inputs = networks(), torch.randn(1, 7, 3)
    outputs = StackedFeedForward(alone)(inputs)
    assert outputs.shape == (3, 7, 2)
    assert torch.allclose(outputs[2], alone[2](inputs[0]), atol=1e-6)


def test_each_network_drops_what_it_would_drop_by_itself():
    alone = networks(dropout=0.4)
    stack, inputs = StackedFeedForward(alone), torch.randn(3, 7, 3)
    generators = [torch.Generator().manual_seed(10 + member) for member in range(3)]
    for _ in range(2):
        outputs = stack(inputs, stack.draw_masks(7, generators))
    for member, network in enumerate(alone):
        torch.manual_seed(10 + member)
        for _ in range(2):
            expected = network.train()(inputs[member])
        assert torch.allclose(outputs[member], expected, atol=1e-6)


def test_a_mask_is_torchs_own_to_the_bit():
    (mask,) = StackedFeedForward(networks(1, hidden=[5], dropout=0.3)).draw_masks(
        9, [torch.Generator().manual_seed(4)]
    )
    torch.manual_seed(4)
    assert torch.equal(mask[0], functional.dropout(torch.ones(9, 5), p=0.3))


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"norm": "batch"}, "BatchNorm1d"), ({"activation": "prelu"}, "PReLU"),
     ({"activation": "rrelu"}, "RReLU")],
)  # fmt: skip
def test_layers_that_keep_learn_or_draw_are_refused(changes, name):
    message = (
        "models.stacked: layers must be linear, layer norm, dropout or fixed activations, got "
        f"{name}; train the networks one by one"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        StackedFeedForward(networks(**changes))
