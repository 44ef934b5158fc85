"""The smallest detectable gap agrees with simulation."""

from statistics import NormalDist

import numpy as np
import pytest

from plumbline.metrics.intervals import power, shares


@pytest.mark.parametrize("confidence", [0.95, 0.9995])
@pytest.mark.parametrize(
    ("first", "second", "share"),
    [(10, 90, 0.5), (500, 20, 0.3), (50, 1000, 0.1), (1000, 1000, 0.5), (30, 100_000, 0.01)],
)
def test_the_gap_is_found_as_often_as_it_says(first, second, share, confidence):
    """20,000 draws: 0.8 ± 0.0085, the steps of small counts, and quantiles for a distribution."""
    rng, draws = np.random.default_rng(0), 20_000
    (gap,), (lower,) = power.detectable_difference(
        ([first * share], [first]), ([second * share], [second]), confidence=confidence, power=0.8
    )
    below, above = rng.binomial(first, lower, draws), rng.binomial(second, lower + gap, draws)
    low, _ = shares.difference_interval((above, second), (below, first), confidence=confidence)
    assert (low > 0).mean() == pytest.approx(0.8, abs=0.035)
    pooled = (first * lower + second * (lower + gap)) / (first + second)
    assert lower == 0 or pooled == pytest.approx(share)


def test_a_gap_that_no_table_could_show_is_undefined():
    """None of three against three of three has p > .01: no gap is shown at 99 %."""
    found = power.detectable_difference(([1], [3]), ([2], [3]), confidence=0.99, power=0.8)
    assert np.isnan(found).all()


def test_more_rows_reveal_smaller_gaps():
    n = np.array([20, 100, 1000, 10_000])
    gap, _ = power.detectable_difference(
        (0.3 * n, n), (np.full(4, 3000), np.full(4, 10_000)), confidence=0.95, power=0.8
    )
    assert (np.diff(gap) < 0).all()


def test_large_groups_have_the_textbooks_gap():
    """Fleiss, Levin and Paik (2003), section 4.2: (1.96 + .8416) · sqrt(2 p (1 - p) / n)."""
    n = 100_000
    (gap,), _ = power.detectable_difference(
        ([n / 2], [n]), ([n / 2], [n]), confidence=0.95, power=0.8
    )
    assert gap == pytest.approx(2.8016 * np.sqrt(0.5 / n), rel=0.02)


def test_a_normal_gap_is_shown_as_often_as_it_says():
    gap = power.detectable_normal(2.0, confidence=0.99, power=0.8)
    shown = 1 - NormalDist(gap, 2.0).cdf(NormalDist(0, 2.0).inv_cdf(0.995))
    assert shown == pytest.approx(0.8)
