"""Corruptions: values by hand, and more of each with its severity."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.studies.transfer import corruptions
from plumbline.studies.transfer.corruptions import corrupt


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(0, 256, (12, 3, 8, 8)), np.ones((4, 4))).astype(np.uint8)


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_a_higher_severity_changes_more(images, name):
    found = [corrupt(images, name, severity, seed=1) for severity in corruptions.SEVERITIES]
    changes = [np.abs(each.astype(float) - images).mean() for each in found]
    assert changes == sorted(changes)
    assert 0 < changes[0] < changes[-1]
    assert {(each.dtype, each.shape) for each in found} == {(images.dtype, images.shape)}
    assert np.array_equal(found[0], corrupt(images, name, 1, seed=1))


def test_noise_has_its_standard_deviation():
    grey = np.full((20, 1, 64, 64), 128, np.uint8)
    changes = corrupt(grey, "noise", 1, seed=0).astype(float) - 128
    assert changes.std() == pytest.approx(0.04 * 255, rel=0.02)
    assert abs(changes.mean()) < 0.1


def test_blur_and_jpeg_leave_a_uniform_picture():
    grey = np.full((1, 1, 16, 16), 90, np.uint8)
    assert np.array_equal(corrupt(grey, "blur", 5, seed=0), grey)
    # At quality 25 the mean of a block of 8×8 is rounded to a multiple of 2 · 16 / 8.
    assert np.abs(corrupt(grey, "jpeg", 1, seed=0).astype(int) - 90).max() <= 2


def test_contrast_shrinks_the_distance_to_the_mean():
    halves = np.repeat([50, 150], 8).astype(np.uint8).reshape(1, 1, 4, 4)
    assert np.unique(corrupt(halves, "contrast", 2, seed=0)).tolist() == [75, 125]


def test_a_shift_moves_by_its_length_and_fills_with_black():
    images = np.full((50, 1, 40, 40), 255, np.uint8)
    found = corrupt(images, "shift", 3, seed=0)
    down, right = (40 - (found > 0).any(axis).sum(-1)[:, 0] for axis in (3, 2))
    assert np.hypot(down, right) == pytest.approx(0.1 * 40, abs=0.8)  # rounded to pixels
    assert len({*zip(down.tolist(), right.tolist(), strict=True)}) > 3  # directions differ


def test_a_shift_keeps_what_stays_inside():
    dot = np.zeros((8, 1, 20, 20), np.uint8)
    dot[:, 0, 10, 10] = 200
    found = corrupt(dot, "shift", 5, seed=0)
    places = np.argwhere(found[:, 0] == 200)
    assert len(places) == 8
    assert np.hypot(*(places[:, 1:] - 10).T) == pytest.approx(4, abs=0.8)


@pytest.mark.parametrize(("name", "severity"), [("fog", 1), ("noise", 6)])
def test_others_are_refused(images, name, severity):
    with pytest.raises(ValueError, match=f"got '{name}' and {severity}"):
        corrupt(images, name, severity, seed=0)
