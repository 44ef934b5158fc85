"""The interval of the area under a ROC curve: by hand, and how often it holds with few rows."""

import numpy as np
import pytest
from scipy.special import expit, logit, ndtri, stdtrit

from plumbline.metrics.intervals import shares
from plumbline.metrics.intervals.auroc import auroc_interval


def test_with_many_rows_it_is_that_of_the_logit():
    """Where DeLong's variance is above that of the model; 1000 degrees of freedom."""
    half = stdtrit(1000, 0.975) * 0.02 / (0.8 * 0.2)
    low, high = auroc_interval([0.8], [0.02**2], [1000], [2000], [3000], confidence=0.95)
    assert (low[0], high[0]) == pytest.approx((expit(logit(0.8) - half), expit(logit(0.8) + half)))


def test_ends_of_the_model_are_not_rejected_by_its_variance():
    """A tiny variance leaves Newcombe's interval: (end - area)² = z² var(end)."""
    area, m, n = 0.9, 20, 200
    ends = auroc_interval([area], [1e-9], [19], [m], [n], confidence=0.95)
    for end in (float(e[0]) for e in ends):
        half = (m + n) / 2 - 1
        more = 1 + half * (1 - end) / (2 - end) + half * end / (1 + end)
        assert (end - area) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) * more / (m * n))


def test_perfect_separation_is_at_least_as_wide_as_a_share_of_the_rarer_label():
    low, high = auroc_interval([1.0, 0.0], [0.0, 0.0], [9, 9], [10, 10], [90, 90], confidence=0.95)
    share, _ = shares.share_interval(10, 10, confidence=0.95)
    assert low[0] <= share
    assert high[0] == 1
    assert (low[1], high[1]) == pytest.approx((1 - high[0], 1 - low[0]))


def test_a_missing_label_has_no_interval():
    assert np.isnan(auroc_interval([np.nan], [np.nan], [0], [0], [9], confidence=0.95)).all()


@pytest.mark.no_cover
@pytest.mark.parametrize("spread", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("area", [0.5, 0.7, 0.9, 0.98])
@pytest.mark.parametrize(("m", "n"), [(5, 200), (10, 20), (10, 500), (20, 200)])
def test_it_holds_with_few_positives(m, n, area, spread):
    """1,000 draws of normal scores; DeLong's alone holds in 63 % (5 of 0.98)."""
    rng, found = np.random.default_rng(0), []
    for _ in range(1000):
        above = spread * rng.normal(size=m) + np.hypot(spread, 1) * ndtri(area)
        below = rng.normal(size=n)
        right = np.searchsorted(np.sort(below), above) / n
        left = 1 - np.searchsorted(np.sort(above), below) / m
        parts = [right.var(ddof=1) / m, left.var(ddof=1) / n]
        spreads = parts[0] ** 2 / (m - 1) + parts[1] ** 2 / (n - 1)
        found.append((right.mean(), sum(parts), sum(parts) ** 2 / spreads if spreads else 0))
    low, high = auroc_interval(*np.array(found).T, m, n, confidence=0.95)
    assert ((low <= area) & (area <= high)).mean() >= 0.92
