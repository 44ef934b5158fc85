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
