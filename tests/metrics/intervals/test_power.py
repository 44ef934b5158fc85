"""The power sheet agrees with simulation."""

import numpy as np
import pytest

from plumbline.metrics.intervals import power, shares


@pytest.mark.parametrize(
    ("n", "others", "share"),
    [(10, 90, 0.5), (20, 500, 0.3), (50, 1000, 0.1), (1000, 1000, 0.5), (30, 100_000, 0.01)],
)
def test_the_gap_is_found_as_often_as_it_says(n, others, share):
    """20,000 draws: 0.8 ± 0.0085, and the steps of small counts; both directions."""
    rng, draws = np.random.default_rng(0), 20_000
    below, above = power.detectable_gap(
        np.array([n]), np.array([share * others]), np.array([others]), confidence=0.95, power=0.8
    )
    for gap in (-below[0], above[0]):
        if np.isnan(gap):
            continue
        own = rng.binomial(n, share + gap, draws)
        rest = rng.binomial(others, share, draws)
        low, high = shares.difference_interval((own, n), (rest, others), confidence=0.95)
        assert ((low > 0) | (high < 0)).mean() == pytest.approx(0.8, abs=0.015)


def test_a_gap_that_no_table_could_show_is_undefined():
    """Others at 1 %: 30 rows without a single one are no evidence of less."""
    below, above = power.detectable_gap(
        np.array([30]), np.array([1000]), np.array([100_000]), confidence=0.95, power=0.8
    )
    assert np.isnan(below[0])
    assert 0.1 < above[0] < 0.2


def test_more_rows_reveal_smaller_gaps():
    n = np.array([20, 100, 1000, 10_000])
    below, above = power.detectable_gap(
        n, np.full(4, 3000), np.full(4, 10_000), confidence=0.95, power=0.8
    )
    assert (np.diff(below) < 0).all()
    assert (np.diff(above) < 0).all()
