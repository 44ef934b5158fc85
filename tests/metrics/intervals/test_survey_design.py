"""Shares of weighted and clustered rows, against sums by hand and rows written out."""

import numpy as np
import pytest
from scipy.stats import norm, t

from plumbline.metrics.intervals.survey_design import Design

CODES = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
HOLDS = np.array([1, 0, 0, 1, 1, 1, 0, 1, 1, 1], dtype=bool)


def few(units):
    """The factor by which few units narrow what is known: of Student's t and of 1 - 1/units."""
    return (1 - 1 / units) * (norm.ppf(0.975) / t.ppf(0.975, units - 1)) ** 2


def test_without_weights_and_entities_counts_are_those_of_the_rows():
    rates, shares = Design().rates(HOLDS, CODES, 3), Design().shares(CODES, 3)
    assert (rates.successes.tolist(), rates.trials.tolist()) == ([2, 5, 0], [4, 6, 0])
    np.testing.assert_array_equal(rates.value, [0.5, 5 / 6, np.nan])
    assert (shares.successes.tolist(), shares.trials.tolist()) == ([4, 6, 0], [10, 10, 10])
    assert shares.value.tolist() == [0.4, 0.6, 0.0]
    assert Design.of(entity=[f"row {k}" for k in range(10)]).plain


def test_a_weighted_rate_has_the_effective_size_of_its_linearised_variance():
    weight = np.array([1.0, 3, 1, 1, 2, 2, 2, 2, 2, 2])
    found = Design.of(weight).rates(HOLDS, CODES, 2)
    assert found.value.tolist() == [2 / 6, 5 / 6]
    # Group 0: p = 1/3; Σ w² (x - p)² / 36 = (4/9 + 9/9 + 1/9 + 4/9) / 36 = 1/18;
    # p (1 - p) / variance = 4, with the degrees of freedom of 6² / 12 = 3 rows of one weight; group
    # 1 has equal weights: the rows themselves.
    assert found.trials == pytest.approx([4 * few(3), 6 * few(6)])
    assert found.successes == pytest.approx(found.value * found.trials)


def test_replicates_of_sums_are_those_of_the_resampled_weights():
    rng = np.random.default_rng(4)
    design = Design.of(rng.gamma(2, size=60), np.repeat(np.arange(20), 3))
    place = rng.integers(0, 5, 60)
    sums = design.replicates(place, 5, replicates=4000, seed=0)
    rows = design.resampled(60, replicates=4000, seed=1)
    other = np.stack([rows[place == code].sum(axis=0) for code in range(5)], axis=1)
    np.testing.assert_allclose(sums.mean(axis=0), np.bincount(place, design.weight), rtol=0.03)
    np.testing.assert_allclose(np.cov(sums.T), np.cov(other.T), atol=0.08 * np.cov(other.T).max())
    # Of one entity every replicate is the data.
    one = Design.of(design.weight, ["all"] * 60).replicates(place, 5, replicates=3, seed=0)
    np.testing.assert_allclose(one, np.tile(np.bincount(place, design.weight), (3, 1)))


def test_rows_of_an_entity_that_fare_alike_count_once():
    rng = np.random.default_rng(0)
    codes, holds = rng.integers(0, 2, size=200), rng.random(200) < 0.3
    apart = Design(entity=np.arange(200))
    twice = np.repeat(np.arange(200), 2)
    together = Design.of(entity=twice)
    for method in ("rates", "shares"):
        first = (holds, codes, 2) if method == "rates" else (codes, 2)
        second = (holds[twice], codes[twice], 2) if method == "rates" else (codes[twice], 2)
        one, two = getattr(apart, method)(*first), getattr(together, method)(*second)
        np.testing.assert_allclose(one.value, two.value)
        np.testing.assert_allclose(one.trials, two.trials)
    # Independent rows, as entities of one row: n times the allowance for few units.
    n = np.bincount(codes)
    np.testing.assert_allclose(apart.rates(holds, codes, 2).trials, n * few(n))
    np.testing.assert_allclose(apart.shares(codes, 2).trials, 200 * few(200))
    assert together.sizes(codes[twice], 2).tolist() == n.tolist()


def test_a_share_of_all_rows_is_the_rate_of_being_in_the_group():
    rng = np.random.default_rng(1)
    codes, entity = rng.integers(0, 3, size=120), rng.integers(0, 40, size=120)
    design = Design.of(rng.exponential(size=120), entity.tolist())
    shares, one = design.shares(codes, 3), np.zeros(120, dtype=np.int64)
    for group in range(3):
        rate = design.rates(codes == group, one, 1)
        for name in ("value", "successes", "trials"):
            assert getattr(shares, name)[group] == pytest.approx(getattr(rate, name)[0])
    assert shares.value.sum() == pytest.approx(1)


def test_one_entity_alone_has_a_share_and_no_variance():
    found = Design.of(entity=["a", "a", "b"]).rates(
        np.array([True, False, True]), np.array([0, 0, 1]), 2
    )
    assert found.value.tolist() == [0.5, 1.0]
    assert found.trials.tolist() == [0, 0]


def test_intervals_by_entity_hold_the_truth_where_those_by_row_do_not():
    """Eight rows of one entity that all fare alike: rows are worth an eighth."""
    from plumbline.metrics.intervals.shares import share_interval

    rng, hits = np.random.default_rng(2), {"rows": 0, "entities": 0}
    entity, one = np.repeat(np.arange(60), 8), np.zeros(480, dtype=np.int64)
    for _ in range(400):
        holds = np.repeat(rng.random(60) < 0.3, 8)
        for name, design in (("rows", Design()), ("entities", Design(entity=entity))):
            found = design.rates(holds, one, 1)
            low, high = share_interval(found.successes, found.trials, confidence=0.95)
            hits[name] += bool(low[0] <= 0.3 <= high[0])
    assert hits["entities"] / 400 > 0.93
    assert hits["rows"] / 400 < 0.6


def test_a_mean_and_its_variance_by_hand():
    values = np.array([1.0, 3.0, 5.0, 9.0])
    codes = np.array([0, 0, 0, 1])
    found = Design.of(entity=["a", "a", "b", "c"]).means(values, codes, 2)
    # Mean 3; sums within a and b of (x - 3) are -2 and 2: (4 + 4) / 9 · 2 / (2 - 1).
    # They are worth (2 + 1)² / (2² + 1²) = 1.8 entities of one size.
    np.testing.assert_allclose(found.value, [3, 9])
    np.testing.assert_allclose(found.worth, [1.8, 1])
    np.testing.assert_allclose(found.variance, [8 / 9 * 1.8 / 0.8, np.nan])
    np.testing.assert_allclose(found.asymmetry, [0, 0], atol=1e-12)
    assert found.units.tolist() == [2, 1]
    plain = Design.of(np.ones(4)).means(values, np.zeros(4, dtype=np.int64), 1)
    assert plain.variance[0] == pytest.approx(values.var(ddof=1) / 4)
    deviation = values - values.mean()
    assert plain.asymmetry[0] == pytest.approx((deviation**3).sum() / (deviation**2).sum() ** 1.5)
    weighted = Design.of([3.0, 1, 0, 1]).means(values, codes, 2)
    np.testing.assert_allclose(weighted.value, [1.5, 9])


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_rates_of_rows_of_very_different_weight_are_held(rate):
    """Weights lognormal(1.5), 50 rows, of which 5 % succeed: the linearised variance holds 77 %."""
    from plumbline.metrics.intervals.shares import share_interval

    rng, draws = np.random.default_rng(5), 1500
    weight = rng.lognormal(0, 1.5, draws * 50)
    holds = rng.random(draws * 50) < rate
    found = Design(weight).rates(holds, np.repeat(np.arange(draws), 50), draws)
    low, high = share_interval(found.successes, found.trials, confidence=0.95)
    assert ((low <= rate) & (rate <= high)).mean() >= 0.93


def test_rates_of_few_entities_of_very_different_size_are_held():
    """Twenty entities, lognormal numbers of rows, alike within: Student's t alone holds 90 %."""
    from plumbline.metrics.intervals.shares import share_interval

    rng, draws = np.random.default_rng(6), 1500
    rows = np.ceil(rng.lognormal(1.5, 1.2, draws * 20)).astype(int)
    entity = np.repeat(np.arange(draws * 20), rows)
    holds = (rng.random(draws * 20) < 0.3)[entity]
    found = Design(entity=entity).rates(holds, entity // 20, draws)
    low, high = share_interval(found.successes, found.trials, confidence=0.95)
    assert ((low <= 0.3) & (high >= 0.3)).mean() >= 0.93
