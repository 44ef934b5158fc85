"""Generative precision and recall against distances taken one by one."""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics import manifold


def by_hand(points, others, k):
    inside = 0
    for p in points:
        inside += any(
            np.linalg.norm(p - o) <= np.sort(np.linalg.norm(others - o, axis=1))[k] for o in others
        )
    return inside / len(points)


def test_shares_equal_those_counted_one_by_one(monkeypatch):
    monkeypatch.setattr(manifold, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    fake, real = rng.normal(size=(25, 3)) * 0.7, rng.normal(size=(40, 3))
    precision, recall = manifold.precision_and_recall(fake, real, neighbours=3)
    assert precision == by_hand(fake, real, 3)
    assert recall == by_hand(real, fake, 3)
    assert 0 < recall < precision <= 1


def test_a_collapsed_generator_is_precise_and_recalls_little():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(200, 2))
    fake = real[:1] + 1e-3 * rng.normal(size=(200, 2))
    precision, recall = manifold.precision_and_recall(fake, real, neighbours=3)
    assert precision == 1
    assert recall < 0.05


def test_equal_sets_cover_each_other():
    x = np.random.default_rng(2).normal(size=(30, 4)) * 1e-3 + 1e3
    assert manifold.precision_and_recall(x, x, neighbours=1) == (1.0, 1.0)


def test_neighbours_must_be_fewer_than_samples():
    with pytest.raises(MetricError) as error:
        manifold.neighbour_radii(np.zeros((3, 2)), neighbours=3)
    assert str(error.value) == "manifold: neighbours must be in 1…2 for 3 samples, got 3"
