"""Networks by many seeds at once: convolutions, counts, and what validation rows choose."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from plumbline.models.stacked import StackedNetworks
from plumbline.studies.feedforward.comparison import networks
from plumbline.studies.feedforward.comparison.fitted import Split, score
from plumbline.studies.feedforward.datasets import loading

OPTIONS = SimpleNamespace(
    hidden=(16,), channels=(4, 6), activation="silu", updates=200, batch_size=32
)


@pytest.fixture(scope="module")
def digits():
    rows = loading.shuffled("digits", 1)
    ends = np.split(np.arange(900), [300, 400])
    test, val, rest = ((rows.features[part] / 16, rows.targets[part]) for part in ends)
    return Split(rest, val, test, rows.names, 10, standardise=False, mean=0.0, scale=1.0)


def test_a_block_is_the_convolution_and_maximum_of_torch_alone_and_stacked():
    torch.manual_seed(2)
    blocks = [networks.ConvolutionBlock(8, 3, 5) for _ in range(2)]
    x = torch.randn(2, 7, 64 * 3)
    stack = StackedNetworks(blocks)(x)
    for member, block in enumerate(blocks):
        maps = x[member].view(7, 8, 8, 3).permute(0, 3, 1, 2)
        weight = block.products.weight.view(5, 3, 3, 3).permute(0, 3, 1, 2)
        expected = functional.max_pool2d(
            functional.conv2d(maps, weight, block.products.bias, padding=1).relu(), 2
        )
        for found in (block(x[member]), stack[member]):
            torch.testing.assert_close(found.view(7, 4, 4, 5).permute(0, 3, 1, 2), expected)


@pytest.mark.parametrize("kind", [networks.FNN, networks.CNN])
def test_operations_are_those_that_torch_counts(kind, digits):
    network = networks._build(kind, digits, torch.zeros(1, 64), OPTIONS, 1)
    counter = FlopCounterMode(display=False)
    with counter:
        network(torch.zeros(1, 64))
    assert counter.get_total_flops() == 2 * networks.products(network)


@pytest.mark.parametrize("kind", [networks.FNN, networks.CNN])
def test_networks_of_many_seeds_learn_as_each_alone(kind, digits):
    draws = [digits.draw(200, seed) for seed in (3, 4)]
    found = networks.fit(kind, {"rate": 0.01}, digits, draws, OPTIONS, [3, 4])
    for each in found:
        assert score(digits.test[1], each.predict(digits.test[0]), classes=10) > 0.6
        weights = sum(value.numel() for value in each.model.state_dict().values())
        assert 4 * weights < each.size < 4 * weights + 2000
        epochs = each.fit_operations / (6 * networks.products(each.model) * 200)
        assert 9 < epochs <= 29  # of 7 batches: the first to reach 200 updates
    alone = networks.fit(kind, {"rate": 0.01}, digits, draws[1:], OPTIONS, [4])[0]
    for name, value in alone.model.state_dict().items():
        torch.testing.assert_close(value, found[1].model.state_dict()[name], rtol=1e-2, atol=1e-3)


def test_a_network_of_numbers_predicts_them_and_of_two_classes_gives_log_odds():
    x = np.random.default_rng(0).normal(size=(90, 2))
    y = x[:, 0] + 0.5 * x[:, 1]
    for targets, classes in ((y, 0), ((y > 0).astype(np.int64), 2)):
        parts = [(x[part], targets[part]) for part in (slice(50), slice(50, 70), slice(70, 90))]
        data = Split(*parts, ("a", "b"), classes, standardise=True, mean=0.0, scale=1.0)
        (found,) = networks.fit(networks.FNN, {"rate": 0.01}, data, [np.arange(50)], OPTIONS, [1])
        test = data.test[0]
        if classes:
            assert ((found.outputs(test) > 0) == found.predict(test)).all()
        assert np.corrcoef(found.outputs(test), y[70:])[0, 1] > 0.9
