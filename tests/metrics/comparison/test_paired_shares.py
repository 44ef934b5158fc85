import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2

from plumbline.errors import MetricError
from plumbline.metrics.comparison import paired_shares
from plumbline.metrics.intervals.survey_design import PLAIN, Design

COUNTS = [(9, 2, 50), (0, 0, 44), (1, 0, 44), (2, 2, 89), (12, 30, 451), (0, 7, 20), (5, 5, 10)]


def score(b: int, c: int, n: int, difference: float) -> float:
    """The score statistic with the share of `c` found by maximising the likelihood."""

    def loss(share: float) -> float:
        cells = (b, share + difference), (c, share), (n - b - c, 1 - 2 * share - difference)
        return -sum(k * math.log(max(p, 1e-300)) for k, p in cells if k)

    low, high = max(0.0, -difference), (1 - difference) / 2
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    return (b - c - n * difference) / math.sqrt(n * (2 * found.x + difference * (1 - difference)))


@pytest.mark.parametrize(("b", "c", "n"), COUNTS)
def test_the_interval_ends_where_the_score_test_of_the_maximised_likelihood_rejects(b, c, n):
    low, high = paired_shares.tango(b, c, n, confidence=0.95)
    value, z = (b - c) / n, 1.959963984540054
    for end, sign, bound in ((low, 1, -1 + 1e-6), (high, -1, 1 - 1e-6)):
        expected = brentq(lambda d, s=sign: score(b, c, n, d) - s * z, value - sign * 1e-9, bound)
        assert end == pytest.approx(expected, abs=2e-5)
    assert low <= value <= high


def test_without_a_row_apart_the_ends_are_those_of_a_closed_form():
    """With b = c = 0 the share of `c` is 0 and z² = n d / (1 - d)."""
    low, high = paired_shares.tango(0, 0, 44, confidence=0.95)
    z2 = 1.959963984540054**2
    assert (low, high) == pytest.approx((-z2 / (44 + z2), z2 / (44 + z2)), abs=1e-9)


@pytest.mark.parametrize(("b", "c", "n"), COUNTS)
def test_p_is_that_of_mcnemars_chi_square_and_agrees_with_the_interval(b, c, n):
    p = paired_shares.mcnemar(b, c)
    if b + c:
        assert p == pytest.approx(chi2.sf((b - c) ** 2 / (b + c), 1), abs=1e-12)
    low, high = paired_shares.tango(b, c, n, confidence=0.95)
    assert (p < 0.05) == (low > 0 or high < 0)


def test_exchanging_the_models_turns_the_interval():
    low, high = paired_shares.tango(9, 2, 50, confidence=0.9)
    assert paired_shares.tango(2, 9, 50, confidence=0.9) == pytest.approx((-high, -low))


def decisions(n=120, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.random(n) < 0.8
    return first, np.where(rng.random(n) < 0.15, ~first, first)


def test_equal_weights_and_single_entities_are_counted_as_plain_rows():
    first, second = decisions()
    plain = paired_shares.paired_share_difference(first, second, design=PLAIN, confidence=0.95)
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    assert plain.value == pytest.approx((b - c) / 120)
    assert (plain.low, plain.high) == paired_shares.tango(b, c, 120, confidence=0.95)
    weighted = paired_shares.paired_share_difference(
        first, second, design=Design.of(np.full(120, 3.0)), confidence=0.95
    )
    assert weighted.value == pytest.approx(plain.value)
    # Student's t of 119 degrees instead of the normal law: 1 % wider.
    assert weighted.high - weighted.low == pytest.approx(plain.high - plain.low, rel=0.02)


def test_rows_written_four_times_tell_no_more_than_once():
    first, second = decisions()
    plain = paired_shares.paired_share_difference(first, second, design=PLAIN, confidence=0.95)
    entities = Design.of(entity=np.repeat(np.arange(120), 4))
    written = paired_shares.paired_share_difference(
        np.repeat(first, 4), np.repeat(second, 4), design=entities, confidence=0.95
    )
    assert written.high - written.low == pytest.approx(plain.high - plain.low, rel=0.02)


def test_weights_that_differ_widen_the_interval_and_move_the_value():
    first, second = decisions()
    weight = np.random.default_rng(1).gamma(1, size=120)
    found = paired_shares.paired_share_difference(
        first, second, design=Design.of(weight), confidence=0.95
    )
    wanted = np.average(first.astype(float) - second, weights=weight)
    assert found.value == pytest.approx(wanted)
    plain = paired_shares.paired_share_difference(first, second, design=PLAIN, confidence=0.95)
    assert found.high - found.low > 1.2 * (plain.high - plain.low)


@pytest.mark.parametrize(("n", "rate"), [(50, 0.1), (100, 0.05), (300, 0.02), (300, 0.1)])
def test_weights_that_differ_much_leave_the_error_of_the_interval_as_stated(n, rate):
    """Of 200 samples, 5 % are 10 and chance adds at most 8; earlier 9 to 16 % missed the truth."""
    rng, missed = np.random.default_rng(n), 0
    for _ in range(200):
        drawn, weight = rng.random(n), rng.lognormal(0, 1.5, size=n)
        found = paired_shares.paired_share_difference(
            drawn < rate, drawn > 1 - rate / 4, design=Design.of(weight), confidence=0.95
        )
        missed += not found.low <= 0.75 * rate <= found.high
    assert missed <= 18


def test_one_row_apart_of_almost_no_weight_tells_no_more_than_none():
    first, weight = np.zeros(1000, dtype=bool), np.ones(1000)
    first[0], weight[0] = True, 1e-6
    found = paired_shares.paired_share_difference(
        first, first & False, design=Design.of(weight), confidence=0.95
    )
    none = paired_shares.tango(0, 0, 999, confidence=0.95)
    assert (found.low, found.high) == pytest.approx(none, rel=0.01)


def test_one_entity_has_no_interval():
    first, second = decisions()
    found = paired_shares.paired_share_difference(
        first, second, design=Design(entity=np.zeros(120, dtype=np.int64)), confidence=0.95
    )
    assert math.isnan(found.low)
    assert math.isnan(found.p)


def test_counts_that_exceed_the_rows_are_refused():
    with pytest.raises(MetricError) as error:
        paired_shares.tango(6, 5, 10, confidence=0.95)
    assert str(error.value) == (
        "tango: counts must be >= 0 and no more than all 10 rows, got 6 and 5"
    )
