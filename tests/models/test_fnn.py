from __future__ import annotations

import pytest
import torch

from plumbline import models

PLAIN = {"dropout": 0.0, "norm": "none", "init": "default", "activation": "relu"}


def network(**changes):
    return models.build("fnn", **{"inputs": 3, "outputs": 2, "hidden": [5, 4], **PLAIN, **changes})


def test_depth_and_width_follow_the_list():
    shapes = [tuple(p.shape) for n, p in network().named_parameters() if n.endswith("weight")]
    assert shapes == [(5, 3), (4, 5), (2, 4)]


def test_without_hidden_layers_the_network_is_linear():
    net = network(hidden=[])
    net.standardise.fit(torch.tensor([[1.0, 2, 3], [3, 6, 9]]))
    x = torch.tensor([[2.0, 2.0, 0.0]])
    z = torch.tensor([[0.0, -1.0, -2.0]])  # (x − mean) / deviation with means 2, 4, 6
    assert torch.allclose(net(x), z @ net.head.weight.T + net.head.bias)


def test_forward_is_the_head_on_the_features():
    net = network(norm="layer").eval()
    x = torch.randn(6, 3)
    assert net.features(x).shape == (6, 4)
    assert torch.equal(net(x), net.head(net.features(x)))


def test_weights_alone_restore_the_input_and_output_scaling():
    net = network(outputs=1)
    net.standardise.fit(torch.randn(50, 3) * 4 + 9)
    net.rescale.fit(torch.randn(50, 1) * 30 + 200)
    other = network(outputs=1)
    other.load_state_dict(net.state_dict())
    x = torch.randn(4, 3)
    assert torch.equal(net(x), other(x))
    assert net(x).mean() > 100


@pytest.mark.parametrize(("norm", "kind"), [("batch", "BatchNorm1d"), ("layer", "LayerNorm")])
def test_the_norm_stands_between_linear_and_activation(norm, kind):
    body = [type(layer).__name__ for layer in network(hidden=[5], norm=norm).body]
    assert body == ["DropConnect", kind, "ReLU", "Dropout"]


def test_dropout_works_in_training_only():
    net = network(dropout=0.5)
    x = torch.randn(64, 3)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))
