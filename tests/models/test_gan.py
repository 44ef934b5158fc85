"""Generator, discriminator, their losses and the averaged generator."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

from plumbline.models import gan


def generator(**changes: Any) -> gan.Generator:
    torch.manual_seed(0)
    arguments = {
        "image_size": 16,
        "channels": 2,
        "classes": 3,
        "latent_dim": 5,
        "base_channels": 4,
        **changes,
    }
    return gan.Generator(**arguments)


def discriminator(**changes: Any) -> gan.Discriminator:
    torch.manual_seed(0)
    arguments = {
        "image_size": 16,
        "channels": 2,
        "classes": 3,
        "base_channels": 4,
        "spectral_norm": True,
        **changes,
    }
    return gan.Discriminator(**arguments)


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_image_sides_are_four_times_a_power_of_two(size: int) -> None:
    images = generator(image_size=size)(torch.randn(2, 5), torch.tensor([0, 2]))
    assert images.shape == (2, 2, size, size)
    assert images.abs().max() <= 1
    assert discriminator(image_size=size)(images, torch.tensor([0, 2])).shape == (2,)


@pytest.mark.parametrize("size", [0, 4, 12, 20, 28])
def test_other_sides_are_refused(size: int) -> None:
    with pytest.raises(
        ValueError,
        match=f"^models.gan: image_size must be 4 times a power of two and >= 8, got {size}$",
    ):
        generator(image_size=size)


def test_the_class_changes_the_image_and_the_verdict() -> None:
    network, judge = generator().eval(), discriminator().eval()
    latent = torch.randn(1, 5)
    one, two = network(latent, torch.tensor([0])), network(latent, torch.tensor([1]))
    assert not torch.allclose(one, two)
    assert not torch.allclose(judge(one, torch.tensor([0])), judge(one, torch.tensor([1])))


def test_spectral_norm_brings_the_largest_singular_value_of_every_layer_to_one() -> None:
    judge = discriminator()
    for _ in range(200):  # each call in training mode makes one step of the power iteration
        judge(torch.zeros(1, 2, 16, 16), torch.tensor([0]))
    judge.eval()
    layers = [m for m in judge.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Embedding))]
    assert len(layers) == 4
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.flatten(1))[0]
        assert largest.item() == pytest.approx(1, abs=1e-3)


def test_without_spectral_norm_there_is_batch_norm_in_all_maps_but_the_first() -> None:
    kinds = [type(m).__name__ for m in discriminator(spectral_norm=False).body]
    assert kinds == ["Conv2d", "LeakyReLU", "Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert not any(isinstance(m, nn.BatchNorm2d) for m in discriminator().modules())


@pytest.mark.parametrize("spectral_norm", [True, False])
def test_a_discriminator_is_restored_from_its_state(spectral_norm: bool) -> None:
    judge = discriminator(spectral_norm=spectral_norm).eval()
    images, labels = torch.randn(4, 2, 16, 16), torch.tensor([0, 1, 2, 0])
    twin = discriminator(spectral_norm=spectral_norm)
    for parameter in twin.parameters():
        nn.init.zeros_(parameter)
    twin.load_state_dict(copy.deepcopy(judge.state_dict()))
    assert torch.equal(twin.eval()(images, labels), judge(images, labels))


def test_discriminator_losses_by_hand() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-0.5, 1.0])
    sigmoid = [1 / (1 + math.exp(-x)) for x in (2.0, 0.5, -0.5, 1.0)]
    cross_entropy = -(math.log(sigmoid[0]) + math.log(sigmoid[1])) / 2
    cross_entropy -= (math.log(1 - sigmoid[2]) + math.log(1 - sigmoid[3])) / 2
    found = gan.discriminator_loss(real, fake, kind="non_saturating")
    assert found.item() == pytest.approx(cross_entropy, rel=1e-6)
    # max(0, 1-2), max(0, 1-0.5) and max(0, 1-0.5), max(0, 1+1)
    assert gan.discriminator_loss(real, fake, kind="hinge").item() == pytest.approx(0.25 + 1.25)


def test_calling_a_generated_image_real_costs_the_discriminator() -> None:
    # With the sign that is sometimes printed for log(1 - D(G(z))) this would be a reward.
    real = torch.zeros(1)
    for kind in gan.LOSSES:
        fooled = gan.discriminator_loss(real, torch.tensor([3.0]), kind=kind)
        awake = gan.discriminator_loss(real, torch.tensor([-3.0]), kind=kind)
        assert fooled > awake


def test_generator_losses_by_hand() -> None:
    fake = torch.tensor([-0.5, 1.0])
    expected = -(math.log(1 / (1 + math.exp(0.5))) + math.log(1 / (1 + math.exp(-1)))) / 2
    assert gan.generator_loss(fake, kind="non_saturating").item() == pytest.approx(expected)
    assert gan.generator_loss(fake, kind="hinge").item() == pytest.approx(-0.25)


def test_losses_of_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([-1e4, 1e4])
    assert gan.discriminator_loss(logits, -logits, kind="non_saturating").item() == 1e4
    assert gan.generator_loss(logits, kind="non_saturating").item() == 5e3


def test_an_unknown_loss_is_refused() -> None:
    message = r"^models.gan: loss must be one of \('non_saturating', 'hinge'\), got 'wasserstein'$"
    with pytest.raises(ValueError, match=message):
        gan.generator_loss(torch.zeros(1), kind="wasserstein")
    with pytest.raises(ValueError, match=message):
        gan.discriminator_loss(torch.zeros(1), torch.zeros(1), kind="wasserstein")


def test_the_average_moves_weights_and_statistics_and_copies_counters() -> None:
    current, average = generator(), generator()
    with torch.no_grad():
        for parameter in current.parameters():
            parameter.fill_(2.0)
        for parameter in average.parameters():
            parameter.fill_(1.0)
    batch_norm = current.body[0]
    batch_norm.running_mean.fill_(4.0)
    batch_norm.num_batches_tracked.fill_(7)
    gan.update_average(average, current, decay=0.75)
    assert all(parameter.eq(1.25).all() for parameter in average.parameters())
    assert average.body[0].running_mean.eq(1.0).all()  # 0.75·0 + 0.25·4
    assert average.body[0].num_batches_tracked.item() == 7
