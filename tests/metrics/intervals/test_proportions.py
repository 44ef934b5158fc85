"""Intervals against published values, exact sums and other libraries."""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics.intervals import proportions


def test_wilson_and_clopper_pearson_equal_scipy():
    from scipy.stats import binomtest

    for k, n in ((0, 10), (1, 10), (7, 10), (10, 10), (263, 1000)):
        for ours, method in (
            (proportions.wilson, "wilson"),
            (proportions.clopper_pearson, "exact"),
        ):
            expected = binomtest(k, n).proportion_ci(0.9, method=method)
            low, high = ours(k, n, confidence=0.9)
            assert float(low) == pytest.approx(expected.low, abs=1e-12)
            assert float(high) == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize("interval", [proportions.wilson, proportions.clopper_pearson])
def test_no_trials_have_no_interval(interval):
    low, high = interval([0, 3], [0, 4], confidence=0.95)
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert 0 < low[1] < 0.75 < high[1] < 1
    assert np.isnan(proportions.proportion(0, 0))


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe (1998), table II, method 10, contrasts a, c, e, f and h
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_gives_the_published_intervals(first, second, low, high):
    ends = proportions.newcombe_difference(first, second, confidence=0.95)
    assert [float(end) for end in ends] == pytest.approx([low, high], abs=6e-5)


def test_a_ratio_by_mover_is_the_root_of_the_difference():
    """The ends of p1/p2 are those R at which the MOVER interval of p1 - R·p2 touches 0."""
    (k1, n1), (k2, n2) = (12, 40), (21, 50)
    first = (k1 / n1, *proportions.wilson(k1, n1, confidence=0.95))
    second = (k2 / n2, *proportions.wilson(k2, n2, confidence=0.95))
    low, high = proportions.mover_ratio(first, second)
    for ratio, end in ((low, 0), (high, 1)):
        scaled = tuple(ratio * part for part in second)
        assert float(proportions.mover_difference(first, scaled)[end]) == pytest.approx(
            0, abs=1e-12
        )


def test_a_ratio_with_zero_counts_is_bounded_where_it_can_be():
    nothing = (0.0, *proportions.wilson(0, 30, confidence=0.95))
    some = (0.5, *proportions.wilson(15, 30, confidence=0.95))
    low, high = proportions.mover_ratio(nothing, some)
    assert float(low) == 0
    assert 0 < float(high) < 1
    assert all(np.isnan(end) for end in proportions.mover_ratio(some, nothing))
    assert float(proportions.mover_ratio(some, (0.1, 0.0, 0.3))[1]) == np.inf


def test_the_count_bootstrap_has_the_law_of_the_row_bootstrap():
    """Selection rate of 40 rows: mean k/n and standard deviation sqrt(p(1-p)/n) of a binomial."""
    replicates = proportions.resample_counts([10, 30], replicates=40_000, seed=1)
    rate = replicates[:, 0] / 40
    deviation = np.sqrt(0.25 * 0.75 / 40)
    assert (replicates.sum(axis=1) == 40).all()
    assert rate.mean() == pytest.approx(0.25, abs=4 * deviation / 200)
    assert rate.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * 40_000))


def test_resampled_weights_draw_every_unit_equally_often():
    weights = proportions.resample_weights(30, replicates=2000, seed=3)
    assert weights.shape == (30, 2000)
    assert (weights.sum(axis=0) == 30).all()
    # Of 60,000 draws every unit gets 2000, give or take sqrt(60000 · (1/30) · (29/30)) = 44.
    np.testing.assert_allclose(weights.sum(axis=1), 2000, atol=5 * 44)
    np.testing.assert_array_equal(
        weights, proportions.resample_weights(30, replicates=2000, seed=3)
    )


def test_percentiles_leave_undefined_replicates_out_and_refuse_when_most_are():
    values = np.arange(101.0)
    assert proportions.percentile(values, confidence=0.9) == pytest.approx((5, 95))
    some = np.concatenate([values, np.full(50, np.nan)])
    assert proportions.percentile(some, confidence=0.9) == pytest.approx((5, 95))
    most = np.concatenate([values, np.full(150, np.nan)])
    assert np.isnan(proportions.percentile(most, confidence=0.9)).all()


def test_the_basic_interval_reflects_percentiles_and_holds_the_value():
    replicates = np.arange(101.0) / 100  # 5 % and 95 %: 0.05 and 0.95
    low, high = proportions.basic(0.6, replicates, confidence=0.9, minimum=0)
    assert (low, high) == pytest.approx((0.25, 1.15))
    low, high = proportions.basic(0.02, replicates, confidence=0.9, minimum=0)
    assert (low, high) == pytest.approx((0.0, 0.02))


@pytest.mark.parametrize(
    ("replicates", "ends"),
    [
        ([1.0, 2.0, 3.0, 4.0, np.inf], (1.0, np.inf)),  # 0.2 of the way from 1 to 2, from 4 to ∞
        ([-np.inf, 2.0, 3.0, 4.0, 5.0], (-np.inf, 5.0)),
        ([1.0, 2.0, np.inf, np.inf, np.inf], (1.0, np.inf)),
        ([1.0, np.nan, np.inf, np.nan], (1.0, np.inf)),
        ([np.inf, np.nan, np.nan], (np.nan, np.nan)),
    ],
)
def test_an_infinite_replicate_gives_the_outer_end_and_no_warning(replicates, ends):
    np.testing.assert_equal(proportions.percentile(replicates, confidence=0.9), ends)


def test_bonferroni_shares_the_error_out():
    assert proportions.bonferroni(0.95, 1) == pytest.approx(0.95)
    assert proportions.bonferroni(0.95, 10) == pytest.approx(0.995)
    assert proportions.bonferroni(0.95, 0) == pytest.approx(0.95)


@pytest.mark.parametrize("n", [10, 100])
def test_wilson_covers_what_it_says_on_average_over_rates(n):
    """Exact coverage by summing the binomial law, averaged over rates 0.01 to 0.99."""
    from scipy.stats import binom

    k, rates = np.arange(n + 1), np.linspace(0.01, 0.99, 197)
    low, high = proportions.wilson(k, np.full(n + 1, n), confidence=0.95)
    held = (low <= rates[:, None]) & (rates[:, None] <= high)
    coverage = (binom.pmf(k, n, rates[:, None]) * held).sum(axis=1)
    assert coverage.mean() == pytest.approx(0.95, abs=0.01)
    low, high = proportions.clopper_pearson(k, np.full(n + 1, n), confidence=0.95)
    held = (low <= rates[:, None]) & (rates[:, None] <= high)
    assert ((binom.pmf(k, n, rates[:, None]) * held).sum(axis=1) >= 0.95 - 1e-12).all()


@pytest.mark.parametrize(("p1", "p2"), [(0.3, 0.5), (0.05, 0.1), (0.9, 0.9)])
def test_newcombe_covers_what_it_says(p1, p2):
    """Exact coverage by summing the product of two binomial laws, n = 40 and 60."""
    from scipy.stats import binom

    k1, k2 = np.meshgrid(np.arange(41), np.arange(61), indexing="ij")
    low, high = proportions.newcombe_difference((k1, 40), (k2, 60), confidence=0.95)
    law = binom.pmf(k1, 40, p1) * binom.pmf(k2, 60, p2)
    assert law[(low <= p1 - p2) & (p1 - p2 <= high)].sum() == pytest.approx(0.95, abs=0.02)


def test_bad_arguments_are_named():
    with pytest.raises(MetricError) as error:
        proportions.wilson(1, 2, confidence=95)
    assert str(error.value) == "intervals: confidence must be in (0, 1), got 95"
    with pytest.raises(MetricError) as error:
        proportions.wilson(3, 2, confidence=0.95)
    assert str(error.value) == "intervals: successes must be in 0…trials, got counts outside of it"
    with pytest.raises(MetricError) as error:
        proportions.resample_counts([0, 0], replicates=5, seed=0)
    assert str(error.value) == "intervals.resample_counts: counts must have a row, got none"
    with pytest.raises(MetricError) as error:
        proportions.resample_weights(0, replicates=5, seed=0)
    assert str(error.value) == "intervals.resample_weights: units must be >= 1, got 0"


def test_the_interval_of_a_mean_is_students():
    from scipy.stats import ttest_1samp

    values = [0.71, 0.74, 0.69, 0.75]
    expected = ttest_1samp(values, 0).confidence_interval(0.9)
    found = proportions.student(values, confidence=0.9)
    assert found == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_one_value_has_no_interval_of_its_mean():
    with pytest.raises(MetricError, match=r"^intervals: values must be at least 2, got 1$"):
        proportions.student([0.7], confidence=0.9)
