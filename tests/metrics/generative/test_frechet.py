"""The Fréchet distance in every regime against an exact oracle, and against torchmetrics.

Oracle: for X2 = (X1 - mean) M + mean + s with M symmetric and positive definite, M is the optimal
map, so the distance is |s|² + ‖(X1 - mean)(I - M)‖² / (N - 1) for any number of samples, features
and rank.
"""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics.generative import frechet


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
    assert frechet.features_to_fid(first, second) == pytest.approx(exact, rel=1e-12, abs=0)


@pytest.mark.parametrize("size", [1e-1, 1e-2, 1e-4])
def test_no_digit_is_lost_between_near_sets(size):
    """Coordinates near 5 carry 1e-15, so a difference of relative size s carries 1e-15 / s."""
    first, second, exact = mapped(400, 24, size=size)
    assert frechet.features_to_fid(first, second) == pytest.approx(exact, rel=1e-13 / size, abs=0)


def test_ill_conditioned_features_keep_their_distance():
    first, second, exact = mapped(300, 32, decay=3)
    assert frechet.features_to_fid(first, second) == pytest.approx(exact, rel=1e-12, abs=0)


@pytest.mark.parametrize(("n", "d"), [(2, 30), (20, 30), (200, 30)])
def test_equal_sets_are_at_no_distance_and_never_below_it(n, d):
    x = np.random.default_rng(1).normal(size=(n, d))
    for other in (x, x[::-1]):
        assert 0 <= frechet.features_to_fid(x, other) < 1e-24


def test_constant_images_are_at_the_distance_of_their_means():
    x, y = np.zeros((4, 3)), np.ones((5, 3))
    assert frechet.features_to_fid(x, y) == 3


def test_the_distance_equals_torchmetrics():
    from plumbline.compat import torchvision

    torchvision.install()
    import torch
    from torchmetrics.image.fid import _compute_fid

    first, second, _ = mapped(400, 16)
    statistics = [
        part
        for x in (first, second)
        for part in (torch.from_numpy(x.mean(axis=0)), torch.from_numpy(np.cov(x.T)))
    ]
    assert frechet.features_to_fid(first, second) == pytest.approx(
        float(_compute_fid(*statistics)), rel=1e-9
    )


def spectral(n, d, *, decay, rotated, part, seed=0):
    """Return two sets of one mean whose variances fall as i^(-2·decay), and their distance.

    The optimal map is (1 - part) I + part · (eigenvalues 1, 1/2, …, 1/d): the smaller the part,
    the nearer the sets.
    """
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n, d)) * np.arange(1.0, d + 1) ** -decay
    if rotated:
        first = first @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    optimal = (1 - part) * np.eye(d) + part * (q / np.arange(1.0, d + 1)) @ q.T
    centred = first - first.mean(axis=0)
    moved = centred @ optimal
    return first, moved + first.mean(axis=0), ((centred - moved) ** 2).sum() / (n - 1)


REGIMES = {
    "well conditioned": {"n": 600, "decay": 0},
    "condition 1e5": {"n": 600, "decay": 1},
    "condition 1e8, along no axis": {"n": 600, "decay": 1.6, "rotated": True},
    "condition 1e10": {"n": 600, "decay": 2},
    "condition 1e16, along no axis": {"n": 600, "decay": 3, "rotated": True},
    "condition 1e30": {"n": 600, "decay": 6},
    "one more sample than features": {"n": 129, "decay": 0},
    "as many samples as features": {"n": 128, "decay": 0},
    "fewer samples than features": {"n": 40, "decay": 0},
    "two samples": {"n": 2, "decay": 0},
}


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("part", [1, 0.5, 0.1])
def test_no_regime_costs_a_digit(regime, part):
    first, second, exact = spectral(
        **({"d": 128, "rotated": False} | REGIMES[regime]), part=part, seed=7
    )
    assert frechet.features_to_fid(first, second) == pytest.approx(exact, rel=1e-12, abs=0)
    assert frechet.features_to_fid(second, first) == pytest.approx(exact, rel=1e-12, abs=0)


def test_dead_features_change_nothing():
    first, second, exact = spectral(300, 40, decay=0.5, rotated=True, part=0.5)
    dead = np.full((300, 10), 0.25)
    found = frechet.features_to_fid(np.hstack([first, dead]), np.hstack([second, dead]))
    assert found == pytest.approx(exact, rel=1e-12, abs=0)


def test_eigenvalues_are_left_where_they_would_lose_digits(monkeypatch):
    """Without the singular values this case is wrong by more than its tolerance."""
    case = spectral(1000, 256, decay=2.5, rotated=True, part=0.1, seed=256)
    assert frechet.features_to_fid(*case[:2]) == pytest.approx(case[2], rel=1e-12, abs=0)
    monkeypatch.setattr(frechet, "_TOLERANCE", np.inf)
    assert frechet.features_to_fid(*case[:2]) != pytest.approx(case[2], rel=1e-12, abs=0)


def test_single_precision_features_are_measured_in_double():
    first, second = (x.astype(np.float32) for x in mapped(300, 20)[:2])
    assert frechet.features_to_fid(first, second) == frechet.features_to_fid(
        first.astype(float), second.astype(float)
    )


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            np.zeros((1, 3)), np.zeros((4, 3)),
            "features: first must have two rows of features or more, got shape (1, 3)",
        ),
        (
            np.zeros((4, 3)), np.full((4, 3), np.nan),
            "features: second must be finite, got NaN or inf",
        ),
        (
            np.zeros((4, 3)), np.zeros((4, 2)),
            "features: both sets must have one number of features, got 3 and 2",
        ),
    ],
)  # fmt: skip
def test_unfit_features_are_named(first, second, message):
    with pytest.raises(MetricError) as error:
        frechet.features_to_fid(first, second)
    assert str(error.value) == message


def test_the_variance_is_that_of_a_shift_by_hand():
    """Of variances 1 the distance is the shift d squared, its variance 4 d² (1/n + 1/m)."""
    rng = np.random.default_rng(9)
    first, second = rng.normal(size=(4000, 1)) + 3, rng.normal(size=(2000, 1))
    expected = 4 * 9 * (1 / 4000 + 1 / 2000)
    assert frechet.fid_variance(first, second) == pytest.approx(expected, rel=0.1)


def test_the_variance_is_that_of_the_jackknife():
    rng = np.random.default_rng(10)
    first, second = rng.normal(size=(150, 3)) * [1, 2, 0.5] + 0.5, rng.normal(size=(100, 3))
    total = 0.0
    for x, y in ((first, second), (second, first)):
        without = [frechet.features_to_fid(np.delete(x, i, axis=0), y) for i in range(len(x))]
        total += (len(x) - 1) * np.var(without)
    assert frechet.fid_variance(first, second) == pytest.approx(total, rel=0.05)


def test_features_that_never_vary_change_no_variance():
    rng = np.random.default_rng(11)
    first, second = rng.normal(size=(60, 3)) + 0.5, rng.normal(size=(50, 3))
    more = [np.hstack([x, np.full((len(x), 2), 7.0)]) for x in (first, second)]
    assert frechet.fid_variance(*more) == pytest.approx(frechet.fid_variance(first, second))
