"""Noise and mixtures: their distributions, and the same draws in any batch."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from scipy import stats

from plumbline.compat import torchvision
from plumbline.params.regularisation import Regularisation
from plumbline.training.data_modules.perturb import (
    CutMix,
    InputNoise,
    Mixup,
    RandAugment,
    perturbations,
)
from plumbline.training.engine.augment import uniform
from tests.prepared_folders import OFF

SAMPLES = torch.arange(4000)


def test_noise_is_normal_with_the_scale_of_each_feature():
    noise = InputNoise(torch.tensor([0.5, 2.0]), seed=3)(torch.zeros(4000, 2), SAMPLES, 1)
    for column, scale in zip(noise.T, (0.5, 2.0), strict=True):
        assert stats.kstest(column.numpy() / scale, "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.05
    assert noise.dtype == torch.float32


def test_noise_depends_on_seed_epoch_and_sample_alone():
    inputs, scale = torch.rand(6, 2, 3), torch.ones(2, 1)
    noise, numbers = InputNoise(scale, seed=3), torch.tensor([4, 0, 9, 2, 7, 1])
    together = noise(inputs, numbers, 5)
    alone = [noise(inputs[i : i + 1], numbers[i : i + 1], 5) for i in range(6)]
    assert torch.equal(together, torch.cat(alone))
    for other in (noise(inputs, numbers, 6), InputNoise(scale, seed=4)(inputs, numbers, 5)):
        assert not torch.isclose(other, together).any()


def test_noise_mixtures_and_augmentation_have_draws_of_their_own():
    augmentation = uniform(SAMPLES, seed=3, epoch=1, draws=2)
    noise = InputNoise(torch.ones(2), seed=3)(torch.zeros(4000, 2), SAMPLES, 1)
    partners, shares = Mixup(1.0, samples=4000, seed=3)(SAMPLES, 1)
    mixtures = torch.stack([partners, shares], dim=1)
    found = np.corrcoef(torch.cat([augmentation, noise, mixtures], dim=1).T)
    assert np.abs(found - np.eye(6)).max() < 0.06


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_are_of_the_beta_distribution_and_partners_of_all_samples(alpha):
    mixup = Mixup(alpha, samples=10, seed=3)
    partners, shares = mixup(SAMPLES, 2)
    assert stats.kstest(shares.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert stats.chisquare(torch.bincount(partners, minlength=10).numpy()).pvalue > 0.01
    some = torch.tensor([7, 100, 3])
    again = mixup(some, 2)
    assert torch.equal(again[0], partners[some])
    assert torch.equal(again[1], shares[some])
    assert not torch.equal(mixup(SAMPLES, 3)[1], shares)


def test_rectangles_have_the_areas_of_timms():
    torchvision.install()
    from timm.data.mixup import rand_bbox

    _, shares, kept = CutMix(1.0, samples=4000, size=(32, 20), seed=3)(SAMPLES, 2)
    rng = np.random.RandomState(0)
    np.random.seed(0)
    areas = []
    for share in rng.uniform(size=4000):
        top, bottom, left, right = rand_bbox((1, 32, 20), share)
        areas.append(1 - (bottom - top) * (right - left) / (32 * 20))
    assert stats.ks_2samp(shares.numpy(), areas).pvalue > 0.01
    assert torch.equal(shares, kept.mean(dim=(1, 2, 3)))
    assert set(kept.unique().tolist()) == {0.0, 1.0}


def test_the_partner_has_one_rectangle_and_the_draws_are_those_of_the_sample():
    cut = CutMix(1.0, samples=10, size=(8, 8), seed=3)
    partners, shares, kept = cut(SAMPLES, 2)
    gone = 1 - kept[:, 0]
    rows, columns = gone.amax(2), gone.amax(1)
    assert torch.equal(gone, rows[:, :, None] * columns[:, None, :])
    for line in (rows, columns):
        assert (line.diff(dim=1, prepend=torch.zeros(4000, 1)) == 1).sum(1).max() == 1
    some = torch.tensor([7, 100, 3])
    for again, whole in zip(cut(some, 2), (partners, shares, kept), strict=True):
        assert torch.equal(again, whole[some])


@pytest.mark.parametrize("channels", [1, 3])
def test_operations_depend_on_seed_epoch_and_sample_and_leave_the_generators_alone(channels):
    shape = (6, channels, 16, 16)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    numbers = torch.tensor([4, 0, 9, 2, 7, 1])
    change = RandAugment("rand-m9-n2-p1", seed=3)
    before = random.getstate(), np.random.get_state()[1].tolist()
    together = change(images, numbers, 5)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    alone = [change(images[i : i + 1], numbers[i : i + 1], 5) for i in range(6)]
    assert torch.equal(together, torch.cat(alone))
    assert (together.shape, together.dtype) == (shape, torch.uint8)
    otherwise = RandAugment("rand-m9-n2-p1", seed=4)(images, numbers, 5)
    for other in (images, change(images, numbers, 6), otherwise):
        assert sum(not torch.equal(a, b) for a, b in zip(together, other, strict=True)) > 3


def test_nothing_switched_on_changes_nothing():
    assert perturbations(Regularisation(**OFF), torch.rand(5, 2), seed=3) == (None, None)


def test_noise_comes_after_augmentation_in_standard_deviations_of_the_columns():
    inputs = torch.tensor([[0.0, 1.0], [0.0, 3.0]])  # standard deviations 0 and 1
    how = Regularisation(**{**OFF, "input_noise": 0.5})
    found = perturbations(how, inputs, seed=3, augment=lambda rows, samples, epoch: rows + 10)
    assert found.mixup is None
    rows = found.transform(inputs.repeat(2000, 1), SAMPLES, 0)
    assert torch.equal(rows[:, 0], torch.full((4000,), 10.0))
    assert float((rows[:, 1] - inputs.repeat(2000, 1)[:, 1]).std()) == pytest.approx(0.5, rel=0.05)
    assert float(rows[:, 1].mean()) == pytest.approx(12.0, abs=0.1)
