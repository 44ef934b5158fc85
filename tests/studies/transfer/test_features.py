"""Features of the pretrained network: the layers read are those named."""

from __future__ import annotations

import numpy as np
import torch

from plumbline.studies.transfer import features


def test_layers_are_read_in_one_pass():
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    found = features.read_features(images, 64)
    network = features.imagenet()
    with torch.no_grad():
        inputs = features.as_input(torch.as_tensor(images), 64)
        expected = network.features(inputs)
    assert torch.allclose(found[features.POOLED], expected, atol=1e-4)
    maps = found[features.MIDDLE_MAP].view(3, 112, 4, 4)  # block 4 has 1/16 of the height
    assert torch.allclose(maps.mean((2, 3)), found[features.MIDDLE_POOLED])
    assert torch.equal(found[features.POOLED], features.imagenet_features(images, 64))
    assert not network.training


def test_grey_pictures_have_three_equal_channels():
    grey = torch.full((2, 1, 8, 8), 9, dtype=torch.uint8)
    found = features.as_input(grey, 16)
    assert found.shape == (2, 3, 16, 16)
    assert torch.equal(found, torch.full((2, 3, 16, 16), 9.0))
