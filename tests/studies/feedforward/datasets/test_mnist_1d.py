"""The generator of MNIST-1D: its shapes, steps, and the published difficulty."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import interp1d
from sklearn.linear_model import LogisticRegression

from plumbline.studies.feedforward.datasets import mnist_1d


def test_shapes_start_and_end_near_zero_with_the_published_scale():
    shapes = mnist_1d.shapes()
    assert shapes.shape == (10, 12)
    assert shapes[:, 0] == pytest.approx(np.zeros(10))
    assert shapes.std(1) == pytest.approx(np.full(10, 1 / 6))
    # The one is 5, 3, … with mean 53.2 / 12; its second height, by hand:
    one = np.array([5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5])
    assert shapes[1, 1] == pytest.approx((3 - 5) / one.std() / 6)


def test_examples_are_standardised_balanced_and_follow_from_the_seed():
    x, digits = mnist_1d.generate(503, seed=4)
    assert x.shape == (503, mnist_1d.LENGTH)
    assert x.mean() == pytest.approx(0, abs=1e-12)
    assert x.std() == pytest.approx(1)
    counts = np.bincount(digits)
    assert len(counts) == 10
    assert counts.max() - counts.min() == 1
    again, same = mnist_1d.generate(503, seed=4)
    assert np.array_equal(x, again)
    assert np.array_equal(digits, same)
    assert not np.allclose(x, mnist_1d.generate(503, seed=5)[0])


def test_numbers_between_others_are_interpolated_as_scipy_does():
    rng = np.random.default_rng(1)
    signal, places = rng.normal(size=(3, 9)), rng.uniform(0, 8, (3, 20))
    places[:, 0], places[:, 1] = 0, 8
    expected = [interp1d(np.arange(9), row)(at) for row, at in zip(signal, places, strict=True)]
    assert mnist_1d._at(signal, places) == pytest.approx(np.array(expected))


def test_a_linear_model_has_the_published_accuracy():
    x, digits = mnist_1d.generate(5000, seed=42)
    model = LogisticRegression(max_iter=300).fit(x[:4000], digits[:4000])
    # Published: 32 % of 1,000 test examples; two standard errors are 3 points.
    assert model.score(x[4000:], digits[4000:]) == pytest.approx(0.32, abs=0.04)
