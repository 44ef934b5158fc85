"""Distances agree with SciPy, and their intervals hold the true distance as often as stated."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from plumbline.monitoring import distances, training


def counted(sample, edges):
    found = training.cumulative(sample, edges)
    return np.array(found["below"]), np.array(found["at_most"]), len(sample)


@pytest.mark.parametrize("discrete", [False, True])
def test_the_cumulative_distance_is_the_statistic_of_kolmogorov_and_smirnov(discrete):
    rng = np.random.default_rng(3)
    for size in (7, 60, 250):
        first, second = rng.normal(size=size), rng.normal(0.5, 1.3, size=90)
        if discrete:
            first, second = np.round(first), np.round(second)
        edges = training.edges_of(first)
        found = distances.cumulative_distance(
            counted(first, edges), counted(second, edges), confidence=0.95
        )
        assert found.value == pytest.approx(stats.ks_2samp(first, second).statistic, abs=1e-12)


def test_few_quantiles_of_many_values_give_almost_the_same_distance_and_never_a_larger_one():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=20_000), rng.normal(0.3, 1, size=20_000)
    edges = training.edges_of(first)
    found = distances.cumulative_distance(
        counted(first, edges), counted(second, edges), confidence=0.95
    )
    want = stats.ks_2samp(first, second).statistic
    assert len(edges) == training.EDGES
    assert want - 1 / training.EDGES <= found.value <= want


@pytest.mark.parametrize(("n", "m", "error"), [(50, 50, 0.05), (1000, 30, 0.01), (400, 9000, 1e-4)])
def test_the_half_width_solves_the_convolution_of_both_bounds(n, m, error):
    t = distances.half_width(n, m, error)

    def tail(x, size):
        return min(1.0, 2 * math.exp(-2 * size * x * x)) if x > 0 else 1.0

    start = math.sqrt(math.log(2) / (2 * m))

    def density(b):
        return 8 * m * b * math.exp(-2 * m * b * b)

    kink = t - math.sqrt(math.log(2) / (2 * n))
    below, _ = integrate.quad(lambda b: tail(t - b, n) * density(b), start, kink, epsabs=1e-13)
    assert below + tail(kink, m) == pytest.approx(error, rel=1e-6)
    naive = math.sqrt(math.log(4 / error) / 2) * (n**-0.5 + m**-0.5)
    assert t < naive
    assert t > math.sqrt(math.log(2 / error) / 2 * (1 / n + 1 / m))


def test_total_variation_and_its_interval_are_the_closed_forms():
    found = distances.share_distance(np.array([60, 40]), np.array([30, 70]), confidence=0.95)
    noise = math.sqrt(0.02 * math.log(40) / 2)
    assert found.value == pytest.approx(0.3)
    assert found.high == pytest.approx(0.3 + noise)
    assert found.low == pytest.approx(0.3 - noise - math.sqrt(0.02) / 2)


def test_without_rows_nothing_is_defined():
    empty, edges = np.zeros(0), np.array([1.0, 2.0])
    found = distances.cumulative_distance(
        counted(empty, edges), counted(edges, edges), confidence=0.95
    )
    assert all(map(math.isnan, found))
    assert all(map(math.isnan, distances.share_distance(np.array([0]), np.array([3]),
                                                        confidence=0.95)))  # fmt: skip


@pytest.mark.parametrize(("shift", "n", "m"), [(0.0, 80, 80), (0.7, 60, 300), (2.0, 300, 40)])
def test_the_interval_of_a_number_holds_the_true_distance_in_95_of_100_samples(shift, n, m):
    rng = np.random.default_rng(5)
    true, held = 2 * stats.norm.cdf(shift / 2) - 1, 0
    for _ in range(200):
        first, second = rng.normal(size=n), rng.normal(shift, 1, size=m)
        edges = training.edges_of(first)
        found = distances.cumulative_distance(
            counted(first, edges), counted(second, edges), confidence=0.95
        )
        held += found.low <= true <= found.high
    assert held >= 190


@pytest.mark.parametrize("categories", [2, 30])
def test_the_interval_of_categories_holds_the_true_distance_in_95_of_100_samples(categories):
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(categories))
    for q in (p, rng.dirichlet(np.ones(categories))):
        true, held = np.abs(p - q).sum() / 2, 0
        for _ in range(200):
            first, second = rng.multinomial(150, p), rng.multinomial(90, q)
            found = distances.share_distance(first, second, confidence=0.95)
            held += found.low <= true <= found.high
        assert held >= 190
