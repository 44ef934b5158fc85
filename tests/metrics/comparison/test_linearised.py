import math

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from plumbline import names
from plumbline.metrics.comparison import linearised
from plumbline.metrics.intervals.means import mean_interval, values_to_mean
from plumbline.metrics.scores import classification, language, regression


def difference(value, influence, weight=None, confidence=0.95, unit=None):
    rows = len(influence)
    return linearised.linearised_difference(
        value,
        influence,
        unit=np.arange(rows) if unit is None else unit,
        weight=np.ones(rows) if weight is None else weight,
        confidence=confidence,
    )


def test_differences_without_skewness_have_students_paired_interval_and_p():
    rng = np.random.default_rng(0)
    half = rng.normal(size=20)
    apart = 0.3 + np.concatenate([half, -half])  # symmetrical: Hall's interval is Student's
    found = difference(apart.mean(), (apart - apart.mean()) / 40)
    peer = ttest_rel(apart, np.zeros(40))
    ends = peer.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert found.p == pytest.approx(peer.pvalue, rel=1e-6)


def test_bits_have_the_interval_that_reports_give_to_a_ratio():
    rng = np.random.default_rng(1)
    length = np.ceil(np.exp(rng.normal(6, 1, size=40)))
    first, second = length * (1.1 + 0.1 * rng.normal(size=40)), length * 1.0
    influence = linearised.text_influences(first, second, length)[names.BITS_PER_CHARACTER]
    value = (first.sum() - second.sum()) / length.sum() / math.log(2)
    found = difference(value, influence, length)
    mean = values_to_mean((first - second) / length / math.log(2), length)
    low, high = mean_interval(mean, confidence=0.95)
    assert (found.low, found.high) == pytest.approx((low[0], high[0]))


def slopes(measure, weight):
    """How a difference moves with the weight of each row, times its weight."""
    found = []
    for row in range(len(weight)):
        step = np.zeros(len(weight))
        step[row] = 1e-5
        up, down = measure(weight + step), measure(weight - step)
        found.append({name: weight[row] * (up[name] - down[name]) / 2e-5 for name in up})
    return {name: np.array([each[name] for each in found]) for name in found[0]}


@pytest.fixture
def weight():
    return np.random.default_rng(2).gamma(3, size=30)


def test_influences_on_errors_are_the_derivatives_by_the_weights(weight):
    rng = np.random.default_rng(3)
    y, first, second = rng.normal(size=(3, 30))

    def measure(w):
        one, other = (regression.weighted_metrics(y, p, weights=w[:, None])
                      for p in (first, second))  # fmt: skip
        return {name: float(one[name][0] - other[name][0]) for name in one}

    found = linearised.regression_influences(y, first, second, weight)
    for name, expected in slopes(measure, weight).items():
        assert found[name] == pytest.approx(expected, abs=1e-7), name


@pytest.mark.parametrize("classes", [2, 3])
def test_influences_on_losses_are_the_derivatives_by_the_weights(weight, classes):
    rng = np.random.default_rng(4)
    y = rng.integers(classes, size=30)
    first, second = rng.dirichlet(np.ones(classes), size=(2, 30))

    def measure(w):
        one, other = (classification.weighted_metrics(y, p.argmax(1), p, weights=w[:, None])
                      for p in (first, second))  # fmt: skip
        return {name: float(one[name][0] - other[name][0])
                for name in (names.BRIER, names.LOG_LOSS)}  # fmt: skip

    found = linearised.loss_influences(y, first, second, weight)
    for name, expected in slopes(measure, weight).items():
        assert found[name] == pytest.approx(expected, abs=1e-7), name


def test_influences_on_a_text_are_the_derivatives_by_the_documents():
    rng = np.random.default_rng(5)
    length = rng.integers(100, 3000, size=30).astype(float)
    first, second = length * rng.gamma(9, 0.1, size=(2, 30))

    def measure(w):
        one, other = (language.weighted_metrics(nats, length, weights=w[:, None])
                      for nats in (first, second))  # fmt: skip
        return {name: float(one[name][0] - other[name][0]) for name in one}

    found = linearised.text_influences(first, second, length)
    for name, expected in slopes(measure, np.ones(30)).items():
        assert found[name] == pytest.approx(expected, abs=1e-7), name


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.4, 0.6, -0.5])
def test_p_agrees_with_the_interval_of_skewed_differences(shift):
    apart = np.random.default_rng(6).lognormal(size=40) - math.exp(0.5) + shift
    found = difference(apart.mean(), (apart - apart.mean()) / 40)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    assert found.low < found.value < found.high


def test_rows_of_one_entity_count_as_one_unit():
    apart = np.random.default_rng(7).normal(size=25)
    plain = difference(apart.mean(), (apart - apart.mean()) / 25)
    written = np.repeat(apart, 4)
    found = difference(
        written.mean(), (written - written.mean()) / 100, unit=np.repeat(np.arange(25), 4)
    )
    assert (found.low, found.high, found.p) == pytest.approx((plain.low, plain.high, plain.p))


def test_models_that_no_row_tells_apart_and_a_single_unit_have_no_interval():
    assert math.isnan(difference(0.0, np.zeros(20)).low)
    assert math.isnan(difference(0.3, np.ones(1)).p)
    assert math.isnan(difference(math.nan, np.linspace(-1, 1, 20)).high)
    constant = linearised.regression_influences(np.ones(8), np.zeros(8), np.arange(8.0), np.ones(8))
    assert np.isnan(constant[names.R2]).all()


def test_documents_of_unequal_length_are_worth_fewer():
    rng = np.random.default_rng(8)
    half = rng.normal(size=20)
    influence = np.concatenate([half, -half])
    length = np.concatenate([np.full(20, 10.0), np.full(20, 1.0)])
    worth = length.sum() ** 2 / (length**2).sum()
    found = difference(0.0, influence, length)
    error = math.sqrt((influence**2).sum() * worth / (worth - 1))
    assert found.high == pytest.approx(t.ppf(0.975, worth - 1) * error)
