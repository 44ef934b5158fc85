"""Intervals and tests of shares: against other libraries, by hand, and against each other."""

import numpy as np
import pytest

from plumbline.metrics.intervals import proportions, shares


def test_no_trials_have_no_interval():
    low, high = shares.share_interval([0, 3], [0, 4], confidence=0.95)
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert 0 < low[1] < 0.75 < high[1] < 1


@pytest.mark.parametrize(
    ("sizes", "rates"),
    [
        ((5, 3000), (0.5, 0.8)), ((12, 1000), (0.6, 0.8)), ((10, 100), (0.1, 0.3)),
        ((40, 60), (0.3, 0.5)), ((40, 60), (0.05, 0.1)), ((40, 60), (0.9, 0.9)),
        ((36, 36), (0.0975, 0.0975)), ((20, 200), (0.819, 0.9)),
    ],
)  # fmt: skip
def test_differences_and_ratios_hold_the_truth_whatever_the_sizes(sizes, rates):
    """Exact coverage by summing the product of two binomial laws; at least 93 % of 95."""
    from scipy.stats import binom

    counts = [np.arange(n + 1) for n in sizes]
    law = np.outer(*(binom.pmf(k, n, p) for k, n, p in zip(counts, sizes, rates, strict=True)))
    first, second = (
        (k / n, *shares.share_interval(k, n, confidence=0.95))
        for k, n in zip(np.meshgrid(*counts, indexing="ij"), sizes, strict=True)
    )
    low, high = proportions.mover_difference(first, second)
    assert law[(low <= rates[0] - rates[1]) & (rates[0] - rates[1] <= high)].sum() >= 0.93
    low, high = proportions.mover_ratio(first, second)
    ratio, defined = rates[0] / rates[1], ~np.isnan(low)
    assert law[(low <= ratio) & (ratio <= high)].sum() >= 0.93 * law[defined].sum()


def test_p_is_the_level_at_which_the_interval_touches_zero():
    rng = np.random.default_rng(0)
    n = rng.integers(5, 500, size=(2, 300))
    k = rng.binomial(n, 0.3)
    p = shares.difference_p((k[0], n[0]), (k[1], n[1]))
    for confidence in (0.8, 0.95, 0.999):
        low, high = shares.difference_interval((k[0], n[0]), (k[1], n[1]), confidence=confidence)
        np.testing.assert_array_equal((low > 0) | (high < 0), p < 1 - confidence)


def test_p_of_half_a_million_rows_is_the_normal_one():
    from scipy.special import ndtr

    k, n = np.array([150_000, 149_000]), 500_000
    z = (k[0] - k[1]) / n / np.sqrt(((k / n) * (1 - k / n) / n).sum())
    assert shares.difference_p(*((own, n) for own in k)) == pytest.approx(2 * ndtr(-z), rel=0.01)


def test_p_of_equal_shares_is_one_and_of_nothing_undefined():
    assert shares.difference_p((0, 10), (0, 20)) == 1
    assert shares.difference_p((5, 10), (10, 20)) == 1
    assert np.isnan(shares.difference_p((0, 0), (1, 9)))
    assert 0 < shares.difference_p((0, 10**6), (10**6, 10**6)) < 1e-100


def test_fishers_exact_test_is_the_lady_tasting_tea():
    """3 of 4 against 1 of 4: 34 of the 70 tables are as unlikely or more."""
    assert shares.fisher_exact((3, 4), (1, 4)) == pytest.approx(34 / 70)
    assert shares.fisher_exact((0, 0), (1, 2)) == 1


def test_fishers_exact_test_of_a_million_rows_is_the_normal_one():
    """z of 300,000 against 298,000 of a million each is 3.1: p 0.002."""
    k, n = np.array([300_000, 298_000]), 10**6
    pooled = k.sum() / (2 * n)
    z = (k[0] - k[1]) / n / np.sqrt(pooled * (1 - pooled) * 2 / n)
    from scipy.special import ndtr

    ours = shares.fisher_exact((int(k[0]), n), (int(k[1]), n))
    assert ours == pytest.approx(2 * ndtr(-z), rel=0.01)


def test_holm_is_the_procedure_by_hand_and_leaves_out_what_was_not_tested():
    """Sorted 0.01, 0.02, 0.04: times 3, 2, 1; a later one is never below an earlier one."""
    adjusted = shares.holm([0.04, np.nan, 0.01, 0.02])
    np.testing.assert_allclose(adjusted, [0.04, np.nan, 0.03, 0.04])
    assert shares.holm([0.5, 0.9]).tolist() == [1, 1]
    assert shares.holm([]).size == 0


def size_of(sums, moments, squares):
    return shares.effective_size(
        *(np.array(part, dtype=float)[None] for part in (sums, moments, squares)),
        above=("tp",), below=("tp", "tn"),
    )[0]  # fmt: skip


def few(clusters):
    """Return the square of the normal quantile over Student's, and the factor of the variance."""
    from scipy.stats import norm, t

    return (1 - 1 / clusters) * (norm.ppf(0.975) / t.ppf(0.975, clusters - 1)) ** 2


def test_rows_of_one_weight_are_worth_what_they_count():
    """30 of 100: 99 with Student's factor; the part of one outcome in all 1 / (1 + 30²)."""
    counts = [30, 0, 70, 0]
    assert size_of(counts, np.diag(counts), counts) == pytest.approx(100 * few(100))


def test_unequal_weights_are_worth_less():
    """Where all succeed: (Σw)² / Σw²; weights 1 and 3 of 50 rows each give 200² / 500 = 80."""
    squares = [50 + 50 * 9, 0, 0, 0]
    assert size_of([200, 0, 0, 0], np.diag(squares), squares) == pytest.approx(80 * few(80))


def test_rows_of_small_weight_that_succeed_are_worth_no_more_than_their_kish_size():
    """Two of 50 rows of weight 1 succeed, none of 50 of 3: p = .01, linearised size 198; 80 it is.

    Variance (2 · .99² + 498 · .01²) / 200² = 5e-5.
    """
    variance = (2 * 0.99**2 + 498 * 0.01**2) / 200**2
    assert 0.01 * 0.99 / variance * few(80) > 180
    squares = [2, 0, 48 + 450, 0]
    assert size_of([2, 0, 198, 0], np.diag(squares), squares) == pytest.approx(80)


def test_clusters_that_agree_are_worth_one_row_each():
    """20 entities of 5 rows, all of an entity alike: 20 rows, whatever the table's length."""
    moments = np.diag([8 * 25.0, 0, 12 * 25, 0])
    assert size_of([40, 0, 60, 0], moments, [40, 0, 60, 0]) == pytest.approx(20 * few(20))


def test_likeness_that_few_clusters_can_show_is_assumed_in_part():
    """20 entities of 5 rows, 2 of which have one success each: p = .02, m = 20 · .02 = .4."""
    moments = np.zeros((4, 4))
    moments[0, 0], moments[2, 2] = 2, 2 * 16 + 18 * 25
    moments[0, 2] = moments[2, 0] = 2 * 4
    variance = (moments[0, 0] * 0.98**2 - 2 * 8 * 0.98 * 0.02 + moments[2, 2] * 0.02**2) / 100**2
    alone = min(few(20) * 0.02 * 0.98 / variance, 100)
    mixed = 1 / (1 + 0.4**2)
    expected = 1 / ((1 - mixed) / alone + mixed / 20)
    assert size_of([2, 0, 98, 0], moments, [2, 0, 98, 0]) == pytest.approx(expected)


def test_one_cluster_has_no_effective_size():
    assert np.isnan(
        size_of([3, 0, 2, 0], [[9, 0, 6, 0], [0] * 4, [6, 0, 4, 0], [0] * 4], [3, 0, 2, 0])
    )


def test_the_difference_interval_is_mover_of_the_shares_own():
    ends = shares.difference_interval((40, 100), (20, 90), confidence=0.9)
    own = [(k / n, *shares.share_interval(k, n, confidence=0.9)) for k, n in ((40, 100), (20, 90))]
    np.testing.assert_allclose(ends, proportions.mover_difference(*own))


@pytest.mark.parametrize(
    ("first", "second"), [((43, 43), (19, 21)), ((2, 10), (22, 38)), ((0, 7), (3, 5))]
)
def test_p_is_exact_also_where_a_share_is_at_its_end(first, second):
    """A step of Newton that ended on the bracket was thrown away: p was .1164 for .1084."""
    p = float(shares.difference_p(first, second))
    for level, holds in ((p * 1.001, False), (p * 0.999, True)):
        low, high = shares.difference_interval(first, second, confidence=1 - level)
        assert bool((low <= 0) & (high >= 0)) == holds
