"""The study of convolutions: changed pictures, shared parameters, texts."""

from __future__ import annotations

import numpy as np
from torch import nn

from plumbline.params.apply import load_sized
from plumbline.studies.transfer import convolutions, texts


def test_a_shift_goes_to_four_sides():
    picture = np.zeros((1, 1, 5, 5), np.uint8)
    picture[0, 0, 2, 2] = 9
    found = convolutions.changed(picture, "shift", 2, seed=0)
    places = [tuple(int(at) for at in np.argwhere(image[0, 0])[0]) for image in found]
    assert sorted(places) == [(0, 2), (2, 0), (2, 4), (4, 2)]


def test_a_quarter_turn_to_both_sides_is_numpys():
    picture = np.random.default_rng(1).integers(0, 256, (1, 1, 8, 8), dtype=np.uint8)
    found = convolutions.changed(picture, "rotation", 90, seed=0)
    expected = [np.rot90(picture, by, axes=(2, 3)) for by in (1, -1)]
    assert any(np.array_equal(found[0], other) for other in expected)
    assert np.array_equal(found[1], np.rot90(found[0], 2, axes=(2, 3)))


def test_a_shared_layer_has_the_parameters_of_its_filters_alone():
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.MaxPool2d(2))
    shared, dense = convolutions._sharing(network, 4)
    assert shared["parameters"] == 2 * 3 * 3
    assert dense["parameters"] == 4 * 4 * (2 * 4 * 4)


def test_no_text_names_its_package(root):
    options = load_sized(root, "transfer", "quick").convolutions.text
    found, targets = texts.read(options)
    assert not any(package in text for package in options.packages for text in found)
    assert set(targets) == set(range(len(options.packages)))
    assert max(map(len, found)) == options.length
