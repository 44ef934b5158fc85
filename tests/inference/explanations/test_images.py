"""Attributions to pixels, against Captum, sums by hand and linear models."""

import numpy as np
import pytest
import torch
from torch import nn

from plumbline import models
from plumbline.errors import ArtifactError
from plumbline.inference.explanations import images
from plumbline.inference.explanations.outputs import log_odds


class Linear(nn.Module):
    """Two classes; the log-odds of the second are the sum of weights times pixels."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, x):
        second = (x * self.weights).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(second), second], dim=1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    found = models.build(
        "cnn", image_size=8, image_channels=1, channels=[3, 4], feature_dim=5, outputs=3,
        dropout=0.0, mean=[0.5], scale=[0.5],
    )  # fmt: skip
    return found.eval().requires_grad_(False)


@pytest.fixture
def pixels():
    rng = np.random.default_rng(0)
    return torch.tensor(rng.integers(0, 256, (4, 1, 8, 8)), dtype=torch.uint8)


CODES = torch.tensor([0, 2, 1, 2])
BASELINE = torch.full((1, 8, 8), 40.0)


def explain(network, pixels, method, nodes=20, codes=CODES):
    return images.maps(network, pixels, codes, BASELINE, method=method, nodes=nodes)


def test_integrated_gradients_are_those_of_captum(network, pixels):
    from captum.attr import IntegratedGradients

    values, _ = explain(network, pixels, "integrated_gradients")
    expected = IntegratedGradients(lambda x, codes: log_odds(network(x), codes)).attribute(
        pixels.float(), BASELINE[None].expand(4, -1, -1, -1), n_steps=20, method="gausslegendre",
        additional_forward_args=(CODES,),
    )  # fmt: skip
    assert values.numpy() == pytest.approx(expected[:, 0].numpy(), abs=1e-4)


def test_integrated_gradients_add_up_to_the_change_of_the_output(network, pixels):
    values, gap = explain(network, pixels, "integrated_gradients", nodes=300)
    change = log_odds(network(pixels), CODES) - log_odds(
        network(BASELINE[None]).expand(4, -1), CODES
    )
    assert values.sum(dim=(1, 2)).numpy() == pytest.approx(change.numpy(), abs=5e-2)
    assert gap.abs().max() < 5e-2


def test_occlusion_of_a_linear_model_is_the_sum_over_the_patch(pixels):
    weights = torch.linspace(-1, 1, 64).view(1, 8, 8) / 100
    ones = torch.ones(4, dtype=torch.int64)
    values, gap = explain(Linear(weights), pixels, "occlusion", codes=ones)
    steps = ((pixels.float() - BASELINE) * weights)[:, 0]
    # Patches of 2×2 pixels, one at each place: a pixel has the mean of the patches over it.
    patches = torch.nn.functional.avg_pool2d(steps[:, None], 2, stride=1)[:, 0] * 4
    assert values[:, 0, 0].numpy() == pytest.approx(patches[:, 0, 0].numpy(), abs=1e-4)
    inner = patches[:, 2:4, 4:6].mean(dim=(1, 2))
    assert values[:, 3, 5].numpy() == pytest.approx(inner.numpy(), abs=1e-4)
    assert gap.isnan().all()


def test_grad_cam_weights_the_last_map_by_its_mean_gradients(network, pixels):
    values, _ = explain(network, pixels, "grad_cam")
    maps = {}
    layer = network.blocks[4]
    assert isinstance(layer, nn.Conv2d)
    hook = layer.register_forward_hook(lambda m, i, out: maps.update(own=out))
    log_odds(network(pixels.float().requires_grad_(True)), CODES).sum()
    hook.remove()
    own = maps["own"].detach().requires_grad_(True)
    rest = network.blocks[5:](own)
    logits = network.head(network.feature_layer(rest.flatten(1)).relu())
    (gradient,) = torch.autograd.grad(log_odds(logits, CODES).sum(), own)
    cam = (gradient.mean(dim=(2, 3), keepdim=True) * own).sum(dim=1, keepdim=True).relu()
    large = torch.nn.functional.interpolate(cam, (8, 8), mode="bilinear")
    assert values.numpy() == pytest.approx(large[:, 0].detach().numpy(), abs=1e-5)
    assert values.min() >= 0
    assert values.max() > 0


def test_a_network_without_convolutions_has_no_grad_cam(pixels):
    with pytest.raises(ArtifactError) as error:
        explain(Linear(torch.ones(1, 8, 8)), pixels, "grad_cam")
    assert str(error.value) == (
        "explain: method must be integrated_gradients or occlusion for a network without "
        "convolutions, got grad_cam"
    )


def test_regions_are_shares_of_the_absolute_values():
    values = np.zeros((6, 6))
    values[0, 0], values[5, 3] = -1.0, 3.0
    assert images.regions(values).tolist() == [[0.25, 0, 0], [0, 0, 0], [0, 0.75, 0]]
    assert np.isnan(images.regions(np.zeros((6, 6)))).all()
