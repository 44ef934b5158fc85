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


def moments_of(weights):
    return np.diag(np.asarray(weights, dtype=float))[None]


def test_rows_of_one_weight_are_worth_what_they_count():
    """30 of 100: the effective size is n (n - 1) / n, and Student's factor at 99 degrees."""
    counts = np.array([[30.0, 0, 70, 0]])
    size = shares.effective_size(
        counts, moments_of(counts[0]), above=("tp",), below=("tp", "tn"), units=np.array([100.0])
    )
    from scipy.stats import norm, t

    factor = (norm.ppf(0.975) / t.ppf(0.975, 99)) ** 2
    assert size[0] == pytest.approx(99 * factor)


def test_unequal_weights_are_worth_less():
    """Where all succeed: (Σw)² / Σw²; weights 1 and 3 of 50 rows each give 200² / 500 = 80."""
    sums, squares = np.array([[200.0, 0, 0, 0]]), moments_of([50 + 50 * 9, 0, 0, 0])
    size = shares.effective_size(
        sums, squares, above=("tp",), below=("tp", "tn"), units=np.array([1e9])
    )
    assert size[0] == pytest.approx(80)


def test_clusters_that_agree_are_worth_one_row_each():
    """20 entities of 5 rows, all of an entity alike: 20 rows, whatever the table's length."""
    moments = np.zeros((1, 4, 4))
    moments[0, 0, 0], moments[0, 2, 2] = 8 * 25, 12 * 25
    size = shares.effective_size(
        np.array([[40.0, 0, 60, 0]]), moments,
        above=("tp",), below=("tp", "tn"), units=np.array([1e9]),
    )  # fmt: skip
    assert size[0] == pytest.approx(20)


def test_the_difference_interval_is_mover_of_the_shares_own():
    ends = shares.difference_interval((40, 100), (20, 90), confidence=0.9)
    own = [(k / n, *shares.share_interval(k, n, confidence=0.9)) for k, n in ((40, 100), (20, 90))]
    np.testing.assert_allclose(ends, proportions.mover_difference(*own))
