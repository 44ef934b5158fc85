"""Overlap of generated and real samples, against distances taken one by one."""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics.generative import manifold


def balls(points, others, k):
    """Return whether each point (row) lies in the ball of each other (column)."""
    radius = [np.sort(np.linalg.norm(others - o, axis=1))[k] for o in others]
    return np.array(
        [[np.linalg.norm(p - o) <= r for o, r in zip(others, radius, strict=True)] for p in points]
    )


def test_shares_equal_those_counted_one_by_one(monkeypatch):
    monkeypatch.setattr(manifold, "_BLOCK", 7)
    monkeypatch.setattr(manifold, "_TILE", 6)
    rng = np.random.default_rng(0)
    fake, real = rng.normal(size=(25, 3)) * 0.7, rng.normal(size=(40, 3))
    found = manifold.overlap(fake, real, neighbours=3)
    inside = balls(fake, real, 3)
    assert found.precision == inside.any(axis=1).mean()
    assert found.recall == balls(real, fake, 3).any(axis=1).mean()
    assert found.density == inside.sum() / (3 * 25)
    assert found.coverage == inside.any(axis=0).mean()
    assert 0 < found.recall < found.precision <= 1
    alone = [nearest(x) for x in (fake, real)]
    assert found.repetition == (alone[0] <= np.quantile(alone[1], 0.05)).mean()


def nearest(points):
    """Return the squared distance of each point to the nearest other one."""
    return np.array([np.sort(((points - p) ** 2).sum(axis=1))[1] for p in points])


def test_single_precision_decides_as_double_does():
    rng = np.random.default_rng(3)
    fake = rng.normal(size=(300, 64)).astype(np.float32) + 10
    real = (rng.normal(size=(400, 64)) * 1.05).astype(np.float32) + 10
    single = manifold.overlap(fake, real, neighbours=3)
    assert single == manifold.overlap(fake.astype(float), real.astype(float), neighbours=3)


def test_sets_of_one_law_have_density_one():
    """By exchangeability; 0.03 is five standard errors of the mean of these draws."""
    rng = np.random.default_rng(4)
    density = [
        manifold.overlap(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)), neighbours=5).density
        for _ in range(20)
    ]
    assert np.mean(density) == pytest.approx(1, abs=0.03)


def test_sets_of_one_law_repeat_themselves_and_cover_each_other_as_expected():
    """0.05 by definition; 1 - 99·98·97 / (199·198·197) by Naeem et al., section 3.3."""
    rng = np.random.default_rng(5)
    found = [manifold.overlap(*rng.normal(size=(2, 100, 3)), neighbours=3) for _ in range(60)]
    assert np.mean([one.repetition for one in found]) == pytest.approx(0.05, abs=0.015)
    expected = 1 - 99 * 98 * 97 / (199 * 198 * 197)
    assert np.mean([one.coverage for one in found]) == pytest.approx(expected, abs=0.015)


def test_repeated_samples_are_seen_however_real_they_are():
    rng = np.random.default_rng(6)
    real, few = rng.normal(size=(200, 3)), rng.normal(size=(100, 3))
    assert manifold.overlap(np.repeat(few, 2, axis=0), real, neighbours=3).repetition == 1
    assert manifold.overlap(few, real, neighbours=3).repetition < 0.05


def test_a_collapsed_generator_is_precise_and_covers_little():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(200, 2))
    fake = real[:1] + 1e-3 * rng.normal(size=(200, 2))
    found = manifold.overlap(fake, real, neighbours=3)
    assert found.precision == 1
    assert found.recall < 0.05
    assert found.coverage < 0.1


def test_equal_sets_cover_each_other():
    x = np.random.default_rng(2).normal(size=(30, 4)) * 1e-3 + 1e3
    found = manifold.overlap(x, x, neighbours=1)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


def test_neighbours_must_be_fewer_than_samples():
    with pytest.raises(MetricError) as error:
        manifold.overlap(np.zeros((3, 2)), np.zeros((3, 2)), neighbours=3)
    assert str(error.value) == "manifold: neighbours must be in 1…2 for 3 samples, got 3"
