"""Intervals against published values, exact sums and other libraries."""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics.intervals import proportions


def wilson(k, n):
    """Return a rate with its Wilson interval by scipy."""
    from scipy.stats import binomtest

    ends = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return k / n, ends.low, ends.high


def test_no_trials_have_no_rate():
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
def test_mover_of_wilson_intervals_gives_newcombes_published_ones(first, second, low, high):
    ends = proportions.mover_difference(wilson(*first), wilson(*second))
    assert [float(end) for end in ends] == pytest.approx([low, high], abs=6e-5)


def test_a_ratio_by_mover_is_the_root_of_the_difference():
    """The ends of p1/p2 are those R at which the MOVER interval of p1 - R·p2 touches 0."""
    first, second = wilson(12, 40), wilson(21, 50)
    low, high = proportions.mover_ratio(first, second)
    for ratio, end in ((low, 0), (high, 1)):
        scaled = tuple(ratio * part for part in second)
        assert float(proportions.mover_difference(first, scaled)[end]) == pytest.approx(
            0, abs=1e-12
        )


def test_a_ratio_with_zero_counts_is_bounded_where_it_can_be():
    nothing, some = wilson(0, 30), wilson(15, 30)
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


def test_bad_arguments_are_named():
    with pytest.raises(MetricError) as error:
        proportions.critical_value(95)
    assert str(error.value) == "intervals: confidence must be in (0, 1), got 95"
    with pytest.raises(MetricError) as error:
        proportions.proportion(3, 2)
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


def test_percentiles_of_few_units_are_taken_further_out_as_hesterberg_does():
    """Of 20 units: z = t(19) sqrt(20 / 19) = 2.093 · 1.026 = 2.147 in the place of 1.960."""
    from scipy.stats import norm, t

    level = proportions.expanded(0.95, 20)
    assert norm.ppf((1 + level) / 2) == pytest.approx(t.ppf(0.975, 19) * (20 / 19) ** 0.5)
    assert proportions.expanded(0.95, 10**7) == pytest.approx(0.95, abs=1e-6)
    assert proportions.expanded(0.95, 1) == 0.95
