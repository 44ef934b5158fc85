from __future__ import annotations

import pytest
import torch

from plumbline.training.augment import RandomAffine, uniform

STRONG = {"shift": 3.0, "rotate": 30.0, "scale": 0.2, "seed": 1}


def picture(count: int = 4) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, (count, 1, 12, 12), dtype=torch.uint8)


def test_draws_are_uniform():
    draws = uniform(torch.arange(20_000), seed=5, epoch=2, draws=2)
    assert draws.min() >= -1
    assert draws.max() < 1
    assert draws.mean(0).abs().max() < 0.02  # standard error 0.004
    assert draws.var(0).tolist() == pytest.approx([1 / 3, 1 / 3], rel=0.03)
    counts = torch.histc(draws[:, 0], bins=10, min=-1, max=1)
    chi_squared = ((counts - 2000) ** 2 / 2000).sum()
    assert chi_squared < 27.9  # 0.1 % point with 9 degrees of freedom


def test_draws_of_neighbours_are_not_correlated():
    draws = uniform(torch.arange(20_000), seed=5, epoch=2, draws=2)
    other_epoch = uniform(torch.arange(20_000), seed=5, epoch=3, draws=2)
    pairs = [(draws[:, 0], draws[:, 1]), (draws[:-1, 0], draws[1:, 0])]
    pairs.append((draws[:, 0], other_epoch[:, 0]))
    for a, b in pairs:
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 0.03


def test_a_draw_depends_on_seed_epoch_and_sample_alone():
    whole = uniform(torch.arange(10), seed=5, epoch=2, draws=3)
    assert torch.equal(uniform(torch.tensor([7, 2]), seed=5, epoch=2, draws=3), whole[[7, 2]])
    assert not torch.equal(uniform(torch.arange(10), seed=6, epoch=2, draws=3), whole)


def test_a_large_seed_is_taken_as_it_is():
    assert uniform(torch.arange(3), seed=2**32 - 1, epoch=0, draws=1).shape == (3, 1)


def test_an_image_changes_alike_in_any_batch():
    change, images = RandomAffine(**STRONG), picture()
    whole = change(images, torch.arange(4), 3)
    alone = change(images[2:3], torch.tensor([2]), 3)
    assert torch.equal(whole[2:3], alone)
    assert not torch.equal(change(images, torch.arange(4), 4), whole)


def test_nothing_switched_on_changes_nothing_but_the_type():
    change, images = RandomAffine(shift=0, rotate=0, scale=0, seed=1), picture()
    assert torch.equal(change(images, torch.arange(4), 0), images.float())


def test_a_whole_pixel_shift_moves_the_image_and_fills_with_black(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[0.0, 0.0, 1.0, 0.0]]),
    )
    image = picture(1)
    moved = RandomAffine(shift=2, rotate=0, scale=0, seed=1)(image, torch.arange(1), 0)
    expected = torch.zeros(1, 1, 12, 12)
    expected[..., :-2] = image[..., 2:].float()
    assert torch.allclose(moved, expected, atol=1e-3)


def test_a_right_angle_turns_the_image(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
    )
    image = picture(1)
    turned = RandomAffine(shift=0, rotate=90, scale=0, seed=1)(image, torch.arange(1), 0)
    assert torch.allclose(turned, torch.rot90(image.float(), 1, (2, 3)), atol=1e-2)


def test_rotation_keeps_shapes_in_an_image_that_is_not_square(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
    )
    image = torch.zeros(1, 1, 8, 16)
    image[..., 3:5, 4:12] = 255  # a bar of 2 × 8 pixels at the centre
    turned = RandomAffine(shift=0, rotate=90, scale=0, seed=1)(image, torch.arange(1), 0)
    upright = torch.zeros(1, 1, 8, 16)
    upright[..., :, 7:9] = 255
    assert torch.allclose(turned, upright, atol=1e-2)


def test_enlarging_spreads_a_square_about_the_centre(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[0.0, 1.0, 0.0, 0.0]]),
    )
    image = torch.zeros(1, 1, 12, 12)
    image[..., 4:8, 4:8] = 90
    larger = RandomAffine(shift=0, rotate=0, scale=0.5, seed=1)(image, torch.arange(1), 0)
    assert larger.sum() / image.sum() == pytest.approx(1.5**2, rel=0.02)
