"""The kernel distance and the Inception score, against sums by hand."""

import numpy as np
import pytest

from plumbline.metrics.generative import distances


def test_the_kernel_distance_is_the_double_sum_by_hand():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(5, 3)) + 0.5
    kernel = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    within_x = np.mean([kernel(x[i], x[j]) for i in range(6) for j in range(6) if i != j])
    within_y = np.mean([kernel(y[i], y[j]) for i in range(5) for j in range(5) if i != j])
    across = np.mean([kernel(a, b) for a in x for b in y])
    value, _ = distances.kernel_distance(x, y)
    assert value == pytest.approx(within_x + within_y - 2 * across, rel=1e-12)


def test_blocks_change_no_kernel_distance(monkeypatch):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=(20, 5))
    whole = distances.kernel_distance(x, y)
    monkeypatch.setattr(distances, "_TILE", 7)
    assert distances.kernel_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_the_kernel_distance_has_the_error_it_says():
    """Over 200 draws the mean stated error is the deviation of the values, which it is to 5 %·3."""
    rng = np.random.default_rng(5)
    drawn = [
        distances.kernel_distance(rng.normal(size=(80, 4)) + 0.5, rng.normal(size=(80, 4)))
        for _ in range(200)
    ]
    values, errors = np.array(drawn).T
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.15)


def test_the_inception_score_runs_from_one_to_the_number_of_classes():
    assert distances.inception_score(np.eye(4)) == pytest.approx([4.0])
    assert distances.inception_score(np.full((6, 4), 0.25)) == pytest.approx([1.0])
    weights = np.array([[1.0, 2.0], [1.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    assert distances.inception_score(np.eye(4), weights=weights) == pytest.approx([4.0, 2.0])


def test_single_precision_keeps_the_kernel_distance_far_below_its_error():
    rng = np.random.default_rng(6)
    x, y = (rng.normal(size=(300, 64)).astype(np.float32) + shift for shift in (0, 0.1))
    single, double = (distances.kernel_distance(x.astype(t), y.astype(t)) for t in ("f4", "f8"))
    assert x.dtype == np.float32
    assert abs(single[0] - double[0]) < 1e-3 * double[1]
    assert single[1] == pytest.approx(double[1], rel=1e-3)
