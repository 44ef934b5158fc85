"""The interval of a rate: its definition, another library, exact coverage."""

import numpy as np
import pytest

from plumbline.metrics.intervals import binomial
from plumbline.metrics.intervals.shares import share_interval


@pytest.mark.parametrize("confidence", [0.5, 0.95, 1 - 1e-6])
def test_an_end_is_where_the_weighted_tail_is_half_the_error(confidence):
    from scipy.stats import binom

    n = np.array([1, 3, 10, 36, 1000, 200_000])
    for k in (n, n - 1, n // 2, np.ones(6)):
        low, high = share_interval(k, n, confidence=confidence)
        for end, observed in ((low, k), (1 - high, n - k)):
            tail = binom.sf(observed, n, end) + 0.75 * binom.pmf(observed, n, end)
            expected = np.where(observed > 0, (1 - confidence) / 2, 0.75)
            np.testing.assert_allclose(tail, expected, rtol=1e-5)


def test_all_or_none_have_a_closed_form():
    low, high = share_interval([0, 20], [20, 20], confidence=0.95)
    assert [low[0], high[1]] == [0, 1]
    assert [1 - high[0], low[1]] == pytest.approx([(0.025 / 0.75) ** (1 / 20)] * 2)


def test_with_a_weight_of_one_it_is_clopper_and_pearsons_interval_of_scipy(monkeypatch):
    from scipy.stats import binomtest

    monkeypatch.setattr(binomial, "WEIGHT", 1.0)
    for k, n in ((0, 10), (1, 10), (7, 10), (10, 10), (263, 1000)):
        expected = binomtest(k, n).proportion_ci(0.9, method="exact")
        ends = [float(end) for end in share_interval(k, n, confidence=0.9)]
        assert ends == pytest.approx([expected.low, expected.high], abs=1e-9)


def test_effective_counts_lie_between_whole_ones():
    low, high = share_interval([3, 3.5, 4], [20, 20, 20], confidence=0.95)
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()
    low, high = share_interval([0.4], [0.9], confidence=0.95)
    assert 0 <= low[0] < 0.4 / 0.9 < high[0] <= 1


@pytest.mark.parametrize(("confidence", "least"), [(0.95, 0.937), (1 - 1e-6, 1 - 4e-6 / 3)])
def test_coverage_never_falls_below_what_is_said(confidence, least):
    """Exact, and worst just beside an end: 20 and 36 trials are those of Wilson's worst."""
    from scipy.stats import binom

    for n in (1, 5, 10, 20, 22, 30, 36, 61, 100, 500, 2000):
        low, high = share_interval(np.arange(n + 1), n, confidence=confidence)
        ends = np.concatenate([low[1:], high[:-1]])
        rates = np.concatenate([ends * (1 - 1e-7), ends + 1e-7 * (1 - ends), [0.0975, 0.819]])
        first, last = np.searchsorted(high, rates), np.searchsorted(low, rates, side="right")
        missed = binom.cdf(first - 1, n, rates) + binom.sf(last - 1, n, rates)
        assert 1 - missed.max() >= least, n


def test_the_score_is_a_normal_quantile_that_falls_as_said():
    from scipy.stats import binom, norm

    k, n, rate = np.array([3.0, 50.0]), np.array([10.0, 400.0]), np.array([0.2, 0.1])
    score, slope = binomial.score(k, n, rate)
    tail = binom.sf(k, n, rate) + 0.75 * binom.pmf(k, n, rate)
    np.testing.assert_allclose(score, norm.isf(tail))
    ahead, behind = (binomial.score(k, n, rate + step)[0] for step in (1e-6, -1e-6))
    np.testing.assert_allclose(slope, (behind - ahead) / 2e-6, rtol=1e-5)
