from __future__ import annotations

import re

import pytest
import torch

from plumbline import models

ARGUMENTS = {
    "image_size": 16,
    "image_channels": 1,
    "channels": [4, 8],
    "feature_dim": 6,
    "outputs": 10,
    "dropout": 0.5,
    "mean": [0.3],
    "scale": [0.35],
}


def test_features_and_logits_have_their_shapes():
    net = models.build("cnn", **ARGUMENTS).eval()
    x = torch.randint(0, 256, (3, 1, 16, 16), dtype=torch.uint8)
    assert net.features(x).shape == (3, 6)
    assert net.features(x).min() >= 0
    assert torch.equal(net(x), net.head(net.features(x)))


def test_bytes_are_scaled_inside():
    net = models.build("cnn", **ARGUMENTS).eval()
    seen = []
    net.blocks.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net(torch.full((1, 1, 16, 16), 255, dtype=torch.uint8))
    assert torch.allclose(seen[0], torch.tensor((1 - 0.3) / 0.35))


def test_parameters_are_those_of_the_layers_by_hand():
    net = models.build("cnn", **ARGUMENTS)
    blocks = 9 * 4 + 2 * 4 + 9 * 4 * 8 + 2 * 8
    assert models.count_parameters(net) == blocks + (8 * 4 * 4 * 6 + 6) + (6 * 10 + 10)


def test_an_image_that_cannot_be_halved_is_refused():
    message = "models.cnn: image_size must be a multiple of 4 for 2 blocks, got 18"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        models.build("cnn", **{**ARGUMENTS, "image_size": 18})


def test_spatial_dropout_drops_whole_channels_as_torch_does():
    net = models.build("cnn", **{**ARGUMENTS, "spatial_dropout": 0.4}).train()
    seen = []
    net.blocks[-1][0].register_forward_hook(lambda module, args, maps: seen.append(maps))
    x = torch.randint(0, 256, (50, 1, 16, 16), dtype=torch.uint8)
    net(x)  # the first block draws, too
    torch.manual_seed(3)
    maps = net.blocks[-1](seen[0] + 1)
    torch.manual_seed(3)
    # The block ends with a maximum over 2 x 2 pixels, then the dropout.
    expected = torch.nn.functional.dropout2d(torch.nn.functional.max_pool2d(seen[0] + 1, 2), 0.4)
    assert torch.equal(maps, expected)
    dropped = (maps == 0).flatten(2)
    assert torch.equal(dropped.any(2), dropped.all(2))
    assert float(dropped.double().mean()) == pytest.approx(0.4, abs=0.08)
    assert torch.equal(net.eval()(x), net(x))


def test_nothing_switched_on_draws_nothing_and_keeps_the_names_of_the_weights():
    net = models.build("cnn", **{**ARGUMENTS, "dropout": 0.0}).train()
    before = torch.get_rng_state()
    net(torch.zeros(4, 1, 16, 16))
    assert torch.equal(torch.get_rng_state(), before)
    assert {name for name, _ in net.named_parameters()} == {
        *(f"blocks.{place}.weight" for place in (0, 1, 4, 5)), "blocks.1.bias", "blocks.5.bias",
        "feature_layer.weight", "feature_layer.bias", "head.weight", "head.bias",
    }  # fmt: skip
