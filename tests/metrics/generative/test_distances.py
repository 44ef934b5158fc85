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


@pytest.mark.parametrize(("shift", "ratio"), [(0.0, 2**0.5), (1.0, 1.0)])
def test_the_kernel_distance_has_the_error_it_says(shift, ratio):
    """Over 300 draws: that of the values, and √2 times it where the laws are equal (V1 = 0)."""
    rng = np.random.default_rng(5)
    drawn = [
        distances.kernel_distance(rng.normal(size=(80, 4)) + shift, rng.normal(size=(60, 4)))
        for _ in range(300)
    ]
    values, errors = np.array(drawn).T
    stated = np.sqrt((errors**2).mean())
    assert stated == pytest.approx(ratio * values.std(ddof=1), rel=0.15)


def test_strata_of_fixed_sizes_leave_no_bias():
    """Two clouds, half of the samples each: without strata the distance of equal laws is too small.

    The errors with strata are √2 times the deviation of the values, as of every set of one law.
    """
    rng = np.random.default_rng(7)
    codes = np.arange(80) % 2, np.arange(60) % 2
    drawn, plain = [], []
    for _ in range(300):
        x, y = (rng.normal(size=(len(c), 2)) + 3 * c[:, None] for c in codes)
        drawn.append(distances.kernel_distance(x, y, strata=codes))
        plain.append(distances.kernel_distance(x, y)[0])
    values, errors = np.array(drawn).T
    spread = values.std(ddof=1)
    assert abs(values.mean()) < 3 * spread / np.sqrt(300)
    assert np.mean(plain) < -10 * spread / np.sqrt(300)
    assert np.sqrt((errors**2).mean()) == pytest.approx(2**0.5 * spread, rel=0.2)


def test_the_kernel_distance_by_strata_is_the_mean_over_pairs_of_strata_by_hand():
    rng = np.random.default_rng(9)
    codes = np.repeat([0, 1], [4, 5]), np.repeat([0, 1], [6, 4])
    x, y = (rng.normal(size=(len(c), 3)) + c[:, None] for c in codes)
    kernel = lambda a, b: (a @ b.T / 3 + 1) ** 3  # noqa: E731
    total = 0.0
    for a, b, sign in ((x, x, 1), (y, y, 1), (x, y, -2)):
        of_a, of_b = (codes[0] if s is x else codes[1] for s in (a, b))
        for i in range(2):
            for j in range(2):
                block = kernel(a[of_a == i], b[of_b == j])
                own = a is b and i == j
                mean = block[~np.eye(len(block), dtype=bool)].mean() if own else block.mean()
                total += sign * (of_a == i).mean() * (of_b == j).mean() * mean
    value, error = distances.kernel_distance(x, y, strata=codes)
    assert value == pytest.approx(total)
    assert error > 0


def test_strata_with_few_samples_are_left_out():
    rng = np.random.default_rng(10)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(8, 3))
    few, same = np.repeat([0, 1], [6, 3]), np.zeros(8, np.int64)
    assert distances.kernel_distance(x, y, strata=(few, same)) == distances.kernel_distance(x, y)


def test_a_set_may_lack_a_stratum_of_the_other():
    """The distance is that of both sets by their own strata, with kernels of all pairs across."""
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(8, 2)), rng.normal(size=(12, 2))
    codes = np.repeat([0, 1], 4), np.repeat([0, 1, 2], 4)
    whole, error = distances.kernel_distance(x, y, strata=codes)
    swapped = distances.kernel_distance(y, x, strata=codes[::-1])
    assert (whole, error) == pytest.approx(swapped)


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
