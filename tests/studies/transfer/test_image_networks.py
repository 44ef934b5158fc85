"""Networks for small pictures: size, cost, receptive field, and likeness to an edge."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from plumbline.models import count_parameters
from plumbline.studies.transfer import image_networks

SIDE, PARAMETERS = 16, 20_000


def network(name: str, seed: int = 1):
    return image_networks.build(name, SIDE, parameters=PARAMETERS, seed=seed).eval()


@pytest.mark.parametrize("name", image_networks.NETWORKS)
def test_a_network_has_about_the_wanted_parameters_and_ten_outputs(name):
    built = network(name)
    assert abs(count_parameters(built) / PARAMETERS - 1) < 0.08
    assert built(torch.rand(2, 1, SIDE, SIDE)).shape == (2, 10)


def test_multiply_adds_are_those_counted_by_hand():
    plain = nn.Sequential(nn.Conv2d(1, 3, 5, padding=2), nn.Flatten(), nn.Linear(3 * 8 * 8, 7))
    by_hand = 8 * 8 * 5 * 5 * 3 + 3 * 8 * 8 * 7
    assert image_networks.multiply_adds(plain, torch.rand(1, 1, 8, 8)) == by_hand


def test_receptive_fields_by_gradient_are_those_of_the_closed_form():
    fields = list(image_networks.receptive_fields(network("vgg"), 64))
    assert [field for _, field, _ in fields] == [3, 5, 6, 10, 14, 16]
    for name in ("vgg", "lenet", *(n for n in image_networks.NETWORKS if ", " in n)):
        for _, field, closed in image_networks.receptive_fields(network(name), 64):
            assert field == closed, name


def test_equal_seeds_train_equal_networks_and_others_do_not():
    x, y = torch.rand(40, 1, SIDE, SIDE), torch.arange(40) % 10

    def trained(seed: int):
        own = network("max, flat", seed)
        list(image_networks.fit(own, x, y, epochs=2, batch_size=10, lr=0.01, seed=seed))
        return own(x)

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_strides_and_a_global_mean_see_no_shift_by_the_product_of_the_strides():
    picture = torch.zeros(1, 1, 32, 32)
    picture[..., 12:16, 12:16] = torch.rand(4, 4)
    built = image_networks.build("stride, global", 32, parameters=PARAMETERS, seed=1).eval()
    with torch.no_grad():
        still, shifted, between = (built(picture.roll(by, 3)) for by in (0, 4, 2))
    assert torch.allclose(still, shifted, atol=1e-6)
    assert not torch.allclose(still, between, atol=1e-4)


def test_an_edge_is_like_an_edge_and_a_flat_filter_is_not():
    edge = torch.sign(torch.arange(5.0) - 2).expand(1, 5, 5)
    assert image_networks.edge_likeness(3 * edge + 1) == pytest.approx(1)
    assert image_networks.edge_likeness(torch.ones(1, 5, 5)) == 0
    random = torch.randn(500, 5, 5, generator=torch.Generator().manual_seed(1))
    assert 0.28 < image_networks.edge_likeness(random) < 0.34
