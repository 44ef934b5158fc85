"""Networks as one stack: outputs, gradients, statistics and draws are those of each network."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.nn import functional

from plumbline import models
from plumbline.models.layers import ACTIVATIONS, GaussianNoise, Residual
from plumbline.models.stacked import StackedNetworks

SHAPE = {"inputs": 3, "outputs": 2, "init": "default"}


def networks(count: int = 3, **changes):
    options = {"hidden": [5, 4], "dropout": 0.0, "norm": "none", "activation": "tanh"}
    torch.manual_seed(1)
    return shifted([models.build("fnn", **SHAPE, **options | changes) for _ in range(count)])


def shifted(alone):
    with torch.no_grad():  # a gain of 1 and a shift of 0 would hide each other's place
        for network in alone:
            for value in network.parameters():
                value.add_(0.1 * torch.randn_like(value))
    return alone


class Highway(nn.Module):
    """A module of several layers with arithmetic of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate, self.change = nn.Linear(width, width), nn.Linear(width, width, bias=False)

    def forward(self, x):
        gate = self.gate(x).sigmoid()
        return gate * self.change(x).relu() + (1 - gate) * x


def composed():
    torch.manual_seed(2)
    return shifted(
        [
            nn.Sequential(
                GaussianNoise(0.3),
                nn.Linear(3, 6),
                Residual(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.RReLU(), nn.Dropout(0.4)),
                Highway(6),
                nn.GroupNorm(2, 6),
                nn.PReLU(6),
                nn.BatchNorm1d(6, affine=False, momentum=None),
                nn.BatchNorm1d(6, track_running_stats=False),
                nn.Linear(6, 2),
            )
            for _ in range(3)
        ]
    )


CASES = {
    "linear": lambda: networks(hidden=[]),
    "layer norm": lambda: networks(norm="layer"),
    "batch norm and dropout": lambda: networks(norm="batch", dropout=0.4, activation="relu"),
    "drop connect": lambda: networks(norm="layer", dropout=0.3, drop_connect=0.4),
    "drop connect before batch norm": lambda: networks(norm="batch", drop_connect=0.2),
    "composed": composed,
    **{name: lambda name=name: networks(activation=name, dropout=0.2) for name in ACTIVATIONS},
}


@pytest.mark.parametrize("case", CASES)
def test_two_steps_of_training_and_an_evaluation_are_those_of_each_network(case):
    alone = CASES[case]()
    stack, inputs = StackedNetworks(alone), torch.randn(3, 7, 3)
    stack.seed([10, 11, 12])
    for _ in range(2):
        outputs = stack.train()(inputs)
    outputs.square().sum().backward()
    evaluated = stack.eval()(inputs)
    gradients = dict(stack.network.named_parameters())
    for member, network in enumerate(alone):
        torch.manual_seed(10 + member)
        for _ in range(2):
            expected = network.train()(inputs[member])
        torch.testing.assert_close(outputs[member], expected, rtol=1e-5, atol=1e-6)
        expected.square().sum().backward()
        for name, value in network.named_parameters():
            torch.testing.assert_close(
                gradients[name].grad[member], value.grad, rtol=1e-4, atol=1e-4, msg=name
            )
        torch.testing.assert_close(
            evaluated[member], network.eval()(inputs[member]), rtol=1e-5, atol=1e-6
        )
        state = stack.member(member)
        assert state.keys() == network.state_dict().keys()
        for name, value in network.state_dict().items():
            torch.testing.assert_close(state[name], value, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("case", ["batch norm and dropout", "composed"])
def test_inputs_that_all_share_are_given_once(case):
    alone, inputs = CASES[case](), torch.randn(1, 7, 3)
    stack = StackedNetworks(alone)
    stack.seed([4, 5, 6])
    outputs = stack(inputs)
    assert outputs.shape == (3, 7, 2)
    torch.manual_seed(6)
    torch.testing.assert_close(outputs[2], alone[2](inputs[0]), rtol=1e-5, atol=1e-6)


def test_networks_are_copied_and_stay_as_they_are():
    alone = networks(norm="batch")
    before = {name: value.clone() for name, value in alone[0].state_dict().items()}
    stack = StackedNetworks(alone)
    stack(torch.randn(3, 7, 3)).sum().backward()
    torch.optim.SGD(stack.parameters(), lr=1.0).step()
    assert all(torch.equal(value, before[name]) for name, value in alone[0].state_dict().items())
    assert not torch.allclose(stack.member(0)["head.weight"], before["head.weight"])


def test_a_layer_in_two_places_stays_one_layer():
    def tied():
        layer = nn.Linear(3, 3)
        return nn.Sequential(layer, nn.Tanh(), layer)

    alone, inputs = [tied(), tied()], torch.randn(2, 4, 3)
    stack = StackedNetworks(alone)
    assert len(list(stack.parameters())) == 2
    torch.testing.assert_close(stack(inputs)[1], alone[1](inputs[1]))


def test_a_mask_is_torchs_own_to_the_bit():
    stack = StackedNetworks([nn.Sequential(nn.Linear(5, 5), nn.Dropout(0.3)) for _ in range(2)])
    drop, ones = stack.network[1], torch.ones(2, 9, 5)
    stack.seed([3, 4])
    found = drop(ones)
    torch.manual_seed(4)
    assert torch.equal(found[1], functional.dropout(ones[1], p=0.3))


@pytest.mark.parametrize(
    ("layer", "name"),
    [(lambda: nn.Conv1d(1, 1, 3), "Conv1d"), (lambda: nn.Softmax(dim=1), "Softmax")],
)
def test_a_layer_without_a_rule_is_refused_by_name(layer, name):
    message = (
        "models.stacked: a layer must be one of BatchNorm1d, DropConnect, Dropout, ELU, GELU, "
        "GaussianNoise, GroupNorm, Identity, LayerNorm, LeakyReLU, Linear, Mish, PReLU, RReLU, "
        "ReLU, Rescale, SELU, SiLU, Sigmoid, Softplus, Standardise, Tanh, or hold such layers and "
        f"no weights of its own, got {name}; train the networks one by one"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        StackedNetworks([nn.Sequential(layer()), nn.Sequential(layer())])


def test_networks_of_different_layers_are_refused():
    message = (
        "models.stacked: networks must have the same layers, got ['ReLU', 'Tanh'] in one place"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        StackedNetworks([*networks(1), *networks(1, activation="relu")])
