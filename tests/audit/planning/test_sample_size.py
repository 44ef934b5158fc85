"""The planned number of cases has its power, by simulation with the audit's intervals."""

import tracemalloc

import numpy as np
import pytest
from scipy.stats import norm, studentized_range

from plumbline.audit.pairs import Rows, pairwise, range_interval
from plumbline.audit.planning import sample_size
from plumbline.audit.planning.sample_size import Comparison
from plumbline.metrics.intervals import shares

DRAWS = 600
RATES = [
    Comparison(0.3, None, "difference", 0.1, 2, 0.95),
    Comparison(0.3, None, "difference", 0.1, 4, 0.998),
    Comparison(0.05, None, "difference", 0.1, 3, 0.998),
    Comparison(0.5, None, "ratio", 0.8, 3, 0.99),
    Comparison(0.1, None, "ratio", 0.8, 2, 0.998),
    Comparison(0.9, None, "difference", 0.1, 3, 0.99, reference=True),
]


def compared(asked, n, hits, level):
    """Return the pairs of one table as the audit compares them."""
    size = np.full(len(hits), float(n))
    low, high = shares.share_interval(hits, size, confidence=level)
    labels = np.arange(len(hits)).astype(str).astype(object)
    own = 0 if asked.reference else None
    rows = Rows(labels, hits / n, low, high, size.astype(np.int64), size, own)
    return pairwise(rows, "difference"), pairwise(rows, asked.comparison)


def equivalent(asked, n, hits):
    near, own = compared(asked, n, hits, asked.near)
    _, alone = compared(asked, n, hits, asked.far)
    if (near.low > 0).any():
        return False
    low, high = range_interval(own, alone, asked.comparison)
    return high <= asked.margin if asked.comparison == "difference" else low >= asked.margin


@pytest.mark.parametrize("asked", RATES)
def test_a_gap_as_wide_as_the_margin_is_shown_in_four_of_five_samples(asked):
    n = sample_size.for_difference(asked)
    hits = np.random.default_rng(0).binomial(n, asked.apart, (20 * DRAWS, 2)).astype(float)
    (v1, l1, h1), (v2, l2, _) = (
        (k / n, *shares.share_interval(k, np.full(len(k), n), confidence=asked.near))
        for k in hits.T
    )
    assert np.mean(v2 - v1 > np.hypot(v2 - l2, h1 - v1)) == pytest.approx(0.8, abs=0.03)
    assert l1.shape == h1.shape
    assert n > 1


@pytest.mark.no_cover
@pytest.mark.parametrize("asked", RATES)
def test_equal_groups_are_equivalent_in_four_of_five_samples(asked):
    n = sample_size.for_equivalence(asked)
    hits = np.random.default_rng(1).binomial(n, asked.value, (DRAWS, asked.groups)).astype(float)
    power = np.mean([equivalent(asked, n, own) for own in hits])
    assert power == pytest.approx(0.8, abs=0.05)


@pytest.mark.no_cover
@pytest.mark.parametrize("asked", RATES)
def test_the_smallest_and_the_largest_count_decide_as_all_pairs_do(asked):
    n = sample_size.for_equivalence(asked)
    hits = np.random.default_rng(2).binomial(n, asked.value, (DRAWS, asked.groups)).astype(float)
    every = [equivalent(asked, n, own) for own in hits]
    assert [equivalent(asked, n, own) for own in sample_size._extremes(hits, asked)] == every
    assert 0 < sum(every) < DRAWS


def test_pairs_of_500_groups_are_not_held_in_memory():
    """Their 124,750 pairs in 1024 draws would take 1 GB for each end of an interval."""
    tracemalloc.start()
    sample_size.for_equivalence(Comparison(0.5, None, "difference", 0.1, 500, 0.99))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


def test_of_two_means_it_is_the_textbook_size():
    """2 (z + z_power)² σ² / δ², as in J. Cohen, "Statistical Power Analysis" (1988), chapter 2."""
    asked = Comparison(0.0, 2.0, "difference", 0.5, 2, 0.95)
    textbook = 2 * ((norm.ppf(0.975) + norm.ppf(0.8)) * 2.0 / 0.5) ** 2
    assert sample_size.for_difference(asked) == np.ceil(textbook)


def test_the_range_of_equal_groups_is_the_studentized_range():
    asked = Comparison(0.0, 1.0, "difference", 0.1, 5, 0.95)
    exact = studentized_range.ppf(0.8, 5, np.inf) + 2**0.5 * sample_size._z(asked.far)
    assert sample_size.for_equivalence(asked) == pytest.approx((exact / 0.1) ** 2, rel=1e-3)


def test_a_wider_margin_and_fewer_groups_need_fewer_cases():
    sizes = [
        sample_size.for_equivalence(Comparison(0.2, None, "difference", margin, groups, 0.99))
        for margin, groups in ((0.2, 2), (0.1, 2), (0.1, 5), (0.05, 5))
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]


def test_rates_of_zero_have_no_ratio_that_cases_could_show():
    asked = Comparison(0.0, None, "ratio", 0.8, 2, 0.95)
    assert sample_size.for_difference(asked) is None
    assert sample_size.for_equivalence(asked) is None
