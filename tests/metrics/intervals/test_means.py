"""Intervals of means: symmetric ones are Student's and scipy's, skewed ones hold the truth."""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics.intervals import means


def rows_to_means(values):
    """Return the mean of each row of values, ``(R, N)``."""
    mean, n = values.mean(axis=1), np.full(len(values), float(values.shape[1]))
    u = (values - mean[:, None]) / n[:, None]
    return means.influences_to_mean(mean, ((u**2).sum(axis=1), (u**3).sum(axis=1)), n, n)


def covered(interval, truth):
    return float(((interval[0] <= truth) & (truth <= interval[1])).mean())


def test_the_interval_of_a_symmetric_sample_is_scipys_of_students_t():
    from scipy.stats import t

    values = np.array([-3.0, -1, 0, 0, 1, 3]) + 5
    low, high = means.mean_interval(means.values_to_mean(values), confidence=0.9)
    ends = t.interval(0.9, 5, loc=5, scale=values.std(ddof=1) / 6**0.5)
    assert (low[0], high[0]) == pytest.approx(ends)


@pytest.mark.parametrize("confidence", [0.95, 1 - 1e-6])
def test_halls_end_is_where_his_transformation_of_t_is_the_quantile(confidence):
    from scipy.stats import skew, t

    values = np.random.default_rng(0).exponential(size=40)
    low, high = means.mean_interval(means.values_to_mean(values), confidence=confidence)
    error = values.std(ddof=1) / 40**0.5
    a = skew(values, bias=False) / 40**0.5
    quantile = t.ppf((1 + confidence) / 2, 39)
    studentised = (values.mean() - high[0]) / error
    transformed = studentised + a * studentised**2 / 3 + a**2 * studentised**3 / 27 + a / 6
    assert transformed == pytest.approx(-quantile, rel=1e-9)
    # Below, where the tail is short, Student's is the wider one.
    assert low[0] == pytest.approx(values.mean() - quantile * error)


def test_a_ratio_is_a_mean_weighted_by_its_denominators():
    """Two documents of 10 and 30 characters, 2 and 1 nats a character: 50 / 40; worth 1600/1000."""
    found = means.values_to_mean([2.0, 1.0], [10.0, 30.0])
    assert (found.value[0], found.worth[0], found.units[0]) == (1.25, 1.6, 2)
    squares = (10 * 0.75 / 40) ** 2 + (30 * 0.25 / 40) ** 2
    assert found.variance[0] == pytest.approx(squares * 1.6 / 0.6)


@pytest.mark.parametrize(
    ("draw", "mean", "least"),
    [
        (lambda rng, n: rng.normal(size=(1500, n)), 0.0, 0.935),
        (lambda rng, n: rng.lognormal(0, 1, (1500, n)), np.exp(0.5), 0.925),
    ],
)
def test_the_mean_of_fifty_values_is_held(draw, mean, least):
    found = rows_to_means(draw(np.random.default_rng(1), 50))
    assert covered(means.mean_interval(found, confidence=0.95), mean) >= least


def test_root_mean_squares_of_ten_normal_values_are_held():
    values = np.random.default_rng(2).normal(size=(1500, 10))
    found = means.root_mean_square_interval(rows_to_means(values**2), 10, confidence=0.95)
    assert covered(found, 1.0) >= 0.935


def test_root_mean_squares_of_fifty_lognormal_values_are_held():
    values = np.random.default_rng(3).lognormal(0, 1, (1500, 50))
    found = means.root_mean_square_interval(rows_to_means(values**2), 50, confidence=0.95)
    assert covered(found, np.exp(1)) >= 0.93


def test_the_interval_of_many_normal_squares_is_that_of_a_variance():
    from scipy.stats import chi2

    values = np.random.default_rng(4).normal(size=(1, 100_000))
    low, high = means.root_mean_square_interval(rows_to_means(values**2), 1e5, confidence=0.95)
    square = (values**2).sum()
    ends = np.sqrt(square / chi2.ppf([0.975, 0.025], 1e5))
    assert (low[0], high[0]) == pytest.approx(ends, rel=1e-4)


def test_one_value_has_no_interval_and_equal_values_no_width():
    for interval in (
        means.mean_interval,
        lambda m, **k: means.root_mean_square_interval(m, 1, **k),
    ):
        assert np.isnan(interval(means.values_to_mean([3.0]), confidence=0.95)).all()
    low, high = means.mean_interval(means.values_to_mean([2.0, 2, 2]), confidence=0.95)
    assert (low[0], high[0]) == (2, 2)
    zero = means.values_to_mean([0.0, 0, 0])
    low, high = means.root_mean_square_interval(zero, 3, confidence=0.95)
    assert (low[0], high[0]) == (0, 0)


def test_a_confidence_of_95_is_refused():
    with pytest.raises(MetricError) as error:
        means.mean_interval(means.values_to_mean([1.0, 2]), confidence=95)
    assert str(error.value) == "intervals: confidence must be in (0, 1), got 95"
