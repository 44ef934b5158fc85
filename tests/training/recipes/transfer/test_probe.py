from __future__ import annotations

import pytest
import torch

from plumbline import models
from plumbline.training.recipes.transfer import extract_features
from plumbline.training.recipes.transfer.probe import validate_every
from tests.models.test_parts import digests


@pytest.mark.parametrize("training", [True, False])
def test_cached_features_are_those_of_the_frozen_forward_pass(training):
    network = models.build(
        "timm",
        architecture="test_resnet",
        outputs=3,
        image_size=32,
        channels=1,
        mean=[0.3],
        scale=[0.3],
        dropout=0.5,
    )
    network.train(training)
    before = digests(network)
    images = torch.randint(0, 256, (8, 1, 32, 32), dtype=torch.uint8)
    features = extract_features(network, images, batch_size=3)
    assert network.training is training
    assert digests(network) == before
    assert not features.requires_grad
    expected = network.eval()(images)
    assert torch.allclose(network.head(features), expected, atol=1e-5)
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)


def test_a_fit_is_validated_about_twenty_times_and_at_its_end():
    assert [validate_every(epochs) for epochs in (1, 19, 60, 61)] == [1, 1, 3, 1]
