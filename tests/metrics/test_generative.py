"""Distances between sets of features against exact oracles and torchmetrics.

Oracle of the Fréchet distance: for X2 = (X1 - mean) M + mean + s with M symmetric and positive
definite, M is the optimal map, so the distance is |s|² + ‖(X1 - mean)(I - M)‖² / (N - 1) for any
number of samples, features and rank.
"""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics import generative


def mapped(n, d, *, size=0.5, decay=0.0, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n, d)) * np.arange(1.0, d + 1) ** -decay + 5
    root = rng.normal(size=(d, d)) / np.sqrt(d)
    optimal = np.eye(d) + size * (root @ root.T)
    shift = size * rng.normal(size=d)
    centred = first - first.mean(axis=0)
    moved = centred @ optimal
    exact = shift @ shift + ((centred - moved) ** 2).sum() / (n - 1)
    return first, moved + first.mean(axis=0) + shift, exact


@pytest.mark.parametrize(
    ("n", "d"), [(2, 16), (5, 40), (40, 40), (41, 40), (300, 40), (500, 8), (30, 1)]
)
def test_the_distance_equals_the_oracle_at_any_size(n, d):
    first, second, exact = mapped(n, d)
    assert generative.features_to_fid(first, second) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("size", [1e-1, 1e-2, 1e-4])
def test_no_digit_is_lost_between_near_sets(size):
    """Coordinates near 5 carry 1e-15, so a difference of relative size s carries 1e-15 / s."""
    first, second, exact = mapped(400, 24, size=size)
    assert generative.features_to_fid(first, second) == pytest.approx(exact, rel=1e-13 / size)


def test_ill_conditioned_features_keep_their_distance():
    first, second, exact = mapped(300, 32, decay=3)
    assert generative.features_to_fid(first, second) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(2, 30), (20, 30), (200, 30)])
def test_equal_sets_are_at_no_distance_and_never_below_it(n, d):
    x = np.random.default_rng(1).normal(size=(n, d))
    for other in (x, x[::-1]):
        assert 0 <= generative.features_to_fid(x, other) < 1e-24
        moments = generative.features_to_moments(x), generative.features_to_moments(other)
        assert 0 <= generative.moments_to_fid(*moments) < 1e-24


def test_constant_images_are_at_the_distance_of_their_means():
    x, y = np.zeros((4, 3)), np.ones((5, 3))
    assert generative.features_to_fid(x, y) == 3
    moments = generative.features_to_moments(x), generative.features_to_moments(y)
    assert generative.moments_to_fid(*moments) == 3


def test_normal_laws_have_the_textbook_distance():
    """Two normals on a line: (difference of means)² + (difference of deviations)²."""
    first = generative.Moments(10, np.array([1.0]), np.array([[4.0]]))
    second = generative.Moments(10, np.array([4.0]), np.array([[25.0]]))
    assert generative.moments_to_fid(first, second) == pytest.approx(9 + 9, rel=1e-14)


@pytest.mark.parametrize(("n", "d"), [(300, 20), (10, 20)])
def test_moments_give_the_distance_of_their_features(n, d):
    first, second, exact = mapped(n, d)
    moments = [generative.features_to_moments(x) for x in (first, second)]
    assert generative.moments_to_fid(*moments) == pytest.approx(exact, rel=1e-6)


def test_the_distance_equals_torchmetrics():
    from plumbline import torchvision_guard

    torchvision_guard.install()
    import torch
    from torchmetrics.image.fid import _compute_fid

    first, second, _ = mapped(400, 16)
    statistics = [
        part
        for x in (first, second)
        for part in (torch.from_numpy(x.mean(axis=0)), torch.from_numpy(np.cov(x.T)))
    ]
    assert generative.features_to_fid(first, second) == pytest.approx(
        float(_compute_fid(*statistics)), rel=1e-9
    )


def test_merged_moments_are_those_of_the_whole():
    x = np.random.default_rng(2).normal(size=(50, 4)) + 1e3
    merged = generative.merge_moments(
        generative.features_to_moments(x[:17]), generative.features_to_moments(x[17:])
    )
    assert merged.n == 50
    np.testing.assert_allclose(merged.mean, x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(merged.covariance, np.cov(x.T), rtol=1e-9)


def test_the_kernel_distance_is_the_double_sum_by_hand():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(5, 3)) + 0.5
    kernel = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    within_x = np.mean([kernel(x[i], x[j]) for i in range(6) for j in range(6) if i != j])
    within_y = np.mean([kernel(y[i], y[j]) for i in range(5) for j in range(5) if i != j])
    across = np.mean([kernel(a, b) for a in x for b in y])
    value, _ = generative.kernel_distance(x, y)
    assert value == pytest.approx(within_x + within_y - 2 * across, rel=1e-12)


def test_blocks_change_no_kernel_distance(monkeypatch):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=(20, 5))
    whole = generative.kernel_distance(x, y)
    monkeypatch.setattr(generative, "_BLOCK", 7)
    assert generative.kernel_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_the_kernel_distance_has_the_error_it_says():
    """Over 200 draws the mean stated error is the deviation of the values, which it is to 5 %·3."""
    rng = np.random.default_rng(5)
    drawn = [
        generative.kernel_distance(rng.normal(size=(80, 4)) + 0.5, rng.normal(size=(80, 4)))
        for _ in range(200)
    ]
    values, errors = np.array(drawn).T
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.15)


def test_the_inception_score_runs_from_one_to_the_number_of_classes():
    assert generative.inception_score(np.eye(4)) == pytest.approx([4.0])
    assert generative.inception_score(np.full((6, 4), 0.25)) == pytest.approx([1.0])
    weights = np.array([[1.0, 2.0], [1.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    assert generative.inception_score(np.eye(4), weights=weights) == pytest.approx([4.0, 2.0])


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            np.zeros((1, 3)), np.zeros((4, 3)),
            "generative: first must have two rows of features or more, got shape (1, 3)",
        ),
        (
            np.zeros((4, 3)), np.full((4, 3), np.nan),
            "generative: second must be finite, got NaN or inf",
        ),
        (
            np.zeros((4, 3)), np.zeros((4, 2)),
            "generative: both sets must have one number of features, got 3 and 2",
        ),
    ],
)  # fmt: skip
def test_unfit_features_are_named(first, second, message):
    with pytest.raises(MetricError) as error:
        generative.features_to_fid(first, second)
    assert str(error.value) == message
