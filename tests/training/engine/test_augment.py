from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from plumbline.training.engine.augment import (
    RandomAffine,
    places,
    shifted,
    uniform,
    windows_by_number,
)

STRONG = {"shift": 3.0, "rotate": 30.0, "scale": 0.2, "mirror": True, "seed": 1}
NONE = {"shift": 0.0, "rotate": 0.0, "scale": 0.0, "mirror": False, "seed": 1}


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


def test_a_draw_is_that_of_splitmix64_in_whole_numbers_of_any_size() -> None:
    word = 2**64

    def mix(state: int) -> int:
        state = (state + 0x9E3779B97F4A7C15) % word
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % word
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % word
        return state ^ (state >> 31)

    assert mix(0) == 0xE220A8397B1DCDAF  # the generator's first number from the seed 0
    for seed, epoch, sample in ((0, 0, 0), (42, 7, 3), (2**32 - 1, 99, 2**40)):
        start = mix((mix((mix(seed + 1) + epoch + 1) % word) + 1 + sample) % word)
        want = [(mix((start + draw) % word) >> 40) / 2**23 - 1 for draw in (1, 2, 3)]
        found = uniform(torch.tensor([sample]), seed=seed, epoch=epoch, draws=3)
        assert found.dtype == torch.float32
        assert found.tolist() == [want]


def test_a_sample_number_of_any_type_draws_alike() -> None:
    wide = uniform(torch.tensor([3, 4]), seed=5, epoch=2, draws=2)
    assert torch.equal(
        uniform(torch.tensor([3, 4], dtype=torch.int32), seed=5, epoch=2, draws=2), wide
    )


def test_a_large_seed_is_taken_as_it_is():
    assert uniform(torch.arange(3), seed=2**32 - 1, epoch=0, draws=1).shape == (3, 1)


def test_an_image_changes_alike_in_any_batch():
    change, images = RandomAffine(**STRONG), picture()
    whole = change(images, torch.arange(4), 3)
    alone = change(images[2:3], torch.tensor([2]), 3)
    assert torch.equal(whole[2:3], alone)
    assert not torch.equal(change(images, torch.arange(4), 4), whole)


def test_a_large_image_changes_alike_in_any_batch() -> None:
    images = torch.randint(0, 256, (12, 3, 96, 96), dtype=torch.uint8)  # more than are done at once
    change = RandomAffine(**STRONG)
    whole = change(images, torch.arange(12), 3)
    assert whole.shape == images.shape
    for row in range(12):
        alone = change(images[row : row + 1], torch.tensor([row]), 3)
        assert torch.equal(whole[row : row + 1], alone)


def test_pixels_come_from_where_torch_says():
    torch.manual_seed(0)
    theta = torch.randn(5, 2, 3)
    expected = functional.affine_grid(theta, [5, 1, 6, 9], align_corners=False)
    assert torch.allclose(places(theta, height=6, width=9), expected, atol=1e-6)


def test_nothing_switched_on_changes_nothing():
    change, images = RandomAffine(**NONE), picture()
    assert torch.equal(change(images, torch.arange(4), 0), images)


def test_a_whole_pixel_shift_moves_the_image_and_fills_with_black(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.engine.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[0.0, 0.0, 0.8, 0.0, 0.0]]),
    )
    image = picture(1)
    moved = RandomAffine(**NONE | {"shift": 2.5})(image, torch.arange(1), 0)
    expected = torch.zeros(1, 1, 12, 12)
    expected[..., :-2] = image[..., 2:].float()
    assert torch.allclose(moved, expected, atol=1e-3)


def test_a_shift_alone_is_by_whole_pixels_each_as_often_and_what_was_outside_is_black():
    image = picture(1)
    framed = functional.pad(image, (2, 2, 2, 2))
    crops = [framed[0, :, y : y + 12, x : x + 12] for y in range(5) for x in range(5)]
    moved = RandomAffine(**NONE | {"shift": 2.0})(
        image.repeat(5000, 1, 1, 1), torch.arange(5000), 0
    )
    counts = torch.stack([(moved == crop).flatten(1).all(1).sum() for crop in crops])
    assert counts.sum() == 5000
    chi_squared = ((counts - 200) ** 2 / 200).sum()
    assert chi_squared < 51.2  # 0.1 % point with 24 degrees of freedom


def test_half_of_the_images_are_mirrored_whatever_else_is_done():
    image = picture(1)
    found = RandomAffine(**NONE | {"mirror": True})(
        image.repeat(2000, 1, 1, 1), torch.arange(2000), 0
    )
    plain = (found == image).flatten(1).all(1)
    turned = (found == image.flip(3)).flatten(1).all(1)
    assert (plain ^ turned).all()
    assert 900 < turned.sum() < 1100  # 4.5 standard errors
    affine = STRONG | {"mirror": False}
    changed = RandomAffine(**STRONG)(image.repeat(9, 1, 1, 1), torch.arange(9), 0)
    before = torch.where(turned[:9, None, None, None], image.flip(3), image)
    assert torch.equal(RandomAffine(**affine)(before, torch.arange(9), 0), changed)


def test_a_shift_by_whole_pixels_depends_on_the_sample_and_not_on_the_batch():
    change, images = RandomAffine(**NONE | {"shift": 3.0, "mirror": True}), picture()
    whole = change(images, torch.arange(4), 3)
    assert torch.equal(whole[2:3], change(images[2:3], torch.tensor([2]), 3))
    assert torch.equal(images, picture())  # what it was given is as it was


def test_a_right_angle_turns_the_image(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.engine.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]]),
    )
    image = picture(1)
    turned = RandomAffine(**NONE | {"rotate": 90})(image, torch.arange(1), 0)
    assert torch.allclose(turned, torch.rot90(image.float(), 1, (2, 3)), atol=1e-2)


def test_rotation_keeps_shapes_in_an_image_that_is_not_square(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.engine.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]]),
    )
    image = torch.zeros(1, 1, 8, 16)
    image[..., 3:5, 4:12] = 255  # a bar of 2 × 8 pixels at the centre
    turned = RandomAffine(**NONE | {"rotate": 90})(image, torch.arange(1), 0)
    upright = torch.zeros(1, 1, 8, 16)
    upright[..., :, 7:9] = 255
    assert torch.allclose(turned, upright, atol=1e-2)


def test_enlarging_spreads_a_square_about_the_centre(monkeypatch):
    monkeypatch.setattr(
        "plumbline.training.engine.augment.uniform",
        lambda samples, **kwargs: torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0]]),
    )
    image = torch.zeros(1, 1, 12, 12)
    image[..., 4:8, 4:8] = 90
    larger = RandomAffine(**NONE | {"scale": 0.5})(image, torch.arange(1), 0)
    assert larger.sum() / image.sum() == pytest.approx(1.5**2, rel=0.02)


def test_what_a_gpu_does_by_numbers_is_what_the_cpu_does_by_rows():
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (9, 3, 8, 6), generator=draw, dtype=torch.uint8)
    steps = torch.randint(-2, 3, (9, 2), generator=draw)
    padded = functional.pad(images, (2, 2, 2, 2))
    found = windows_by_number(padded, steps + 2, shape=(8, 6))
    assert found.equal(shifted(images, steps, reach=2))
    assert found.stride() == images.stride()
