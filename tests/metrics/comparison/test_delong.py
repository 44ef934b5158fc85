import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from plumbline.metrics.comparison import delong
from plumbline.metrics.intervals.survey_design import PLAIN, Design


def two_models(n=60, shifts=(1.2, 0.8), base=0.4, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < base).astype(int)
    shared = rng.normal(size=n)
    scores = [0.8 * shared + 0.6 * rng.normal(size=n) + shift * y for shift in shifts]
    return y, *(np.round(np.stack([-s, s], axis=1), 1) for s in scores)  # rounded: with ties


def brute_force(y, first, second):
    """DeLong's covariance as the paper writes it: every positive against every negative."""
    placed = []
    for scores in (first[:, 1], second[:, 1]):
        above, below = scores[y == 1], scores[y == 0]
        wins = (above[:, None] > below) + (above[:, None] == below) / 2
        placed.append((wins.mean(), wins.mean(axis=1), wins.mean(axis=0)))
    (one, x1, y1), (other, x2, y2) = placed
    covariance = np.cov(x1, x2) / len(x1) + np.cov(y1, y2) / len(y1)
    return one, other, covariance


def test_areas_and_covariance_are_those_of_all_pairs_of_rows():
    y, first, second = two_models()
    one, other, covariance = brute_force(y, first, second)
    found = delong.two_areas(y, first, second, PLAIN)
    assert (found.first, found.second) == pytest.approx((one, other), abs=1e-12)
    assert found.variances == pytest.approx(np.diag(covariance), rel=1e-9)
    root = math.sqrt(covariance[0, 0] * covariance[1, 1])
    assert found.correlation == pytest.approx(covariance[0, 1] / root, rel=1e-9)


def test_four_rows_by_hand():
    """Positives .9, .4 against negatives .5, .1: placements 1, .5 and .5, 1; second model: 1."""
    y = np.array([1, 1, 0, 0])
    score = np.array([0.9, 0.4, 0.5, 0.1])
    area, influence = delong.placements(y == 1, score, np.ones(4))
    assert area == 0.75
    # (.25, -.25) / 2 and (-.25, .25) / 2, times sqrt(2): squares add up to 4 · .03125 = .125.
    assert influence == pytest.approx(math.sqrt(2) * np.array([0.125, -0.125, -0.125, 0.125]))
    found = delong.two_areas(y, np.stack([1 - score, score], 1), np.eye(2)[y], PLAIN)
    assert (found.first, found.second) == (0.75, 1.0)
    assert found.variances == pytest.approx((0.125, 0.0))


def test_with_many_rows_the_interval_is_delongs_own():
    y, first, second = two_models(4000)
    one, other, covariance = brute_force(y, first, second)
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    found = delong.auroc_difference(y, first, second, design=PLAIN, confidence=0.95)
    assert found.value == pytest.approx(one - other)
    half = 1.959963984540054 * error
    assert found.low == pytest.approx(found.value - half, abs=0.02 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.02 * half)
    y, first, second = two_models(4000, shifts=(0.85, 0.8))
    one, other, covariance = brute_force(y, first, second)
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    found = delong.auroc_difference(y, first, second, design=PLAIN, confidence=0.95)
    assert found.p == pytest.approx(2 * norm.sf(abs(found.value) / error), rel=0.1)


@pytest.mark.parametrize("seed", range(12))
def test_p_agrees_with_the_interval(seed):
    found = delong.auroc_difference(
        *two_models(80, shifts=(1.6, 0.9), seed=seed), design=PLAIN, confidence=0.95
    )
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    assert found.low < found.value < found.high


def test_exchanging_the_models_turns_the_interval():
    y, first, second = two_models()
    found = delong.auroc_difference(y, first, second, design=PLAIN, confidence=0.95)
    turned = delong.auroc_difference(y, second, first, design=PLAIN, confidence=0.95).turned()
    assert (turned.value, turned.low, turned.high, turned.p) == pytest.approx(
        (found.value, found.low, found.high, found.p)
    )


def test_more_classes_are_averaged_as_by_scikit_learn():
    rng = np.random.default_rng(2)
    y = rng.integers(4, size=200)
    scores = []
    for _ in range(2):
        logits = rng.normal(size=(200, 4)) + 1.5 * np.eye(4)[y]
        scores.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    found = delong.auroc_difference(y, *scores, design=PLAIN, confidence=0.95)
    one, other = (roc_auc_score(y, s, multi_class="ovr", average="macro") for s in scores)
    assert found.value == pytest.approx(one - other)
    assert found.low < found.value < found.high


def test_rows_written_three_times_in_entities_tell_no_more_than_once():
    y, first, second = two_models(200)
    plain = delong.auroc_difference(y, first, second, design=PLAIN, confidence=0.95)
    entities = Design.of(entity=np.repeat(np.arange(200), 3))
    written = delong.auroc_difference(
        *(np.repeat(each, 3, axis=0) for each in (y, first, second)),
        design=entities,
        confidence=0.95,
    )
    assert written.value == pytest.approx(plain.value)
    assert written.high - written.low == pytest.approx(plain.high - plain.low, rel=0.03)


def test_weights_count_rows_as_often_as_they_say():
    y, first, second = two_models(50)
    times = np.arange(50) % 3 + 1
    weighted = delong.two_areas(y, first, second, Design.of(times.astype(float)))
    written = delong.two_areas(*(np.repeat(x, times, axis=0) for x in (y, first, second)), PLAIN)
    assert (weighted.first, weighted.second) == pytest.approx((written.first, written.second))
    assert weighted.variances[0] > written.variances[0]


def test_weights_that_differ_much_leave_the_error_of_the_interval_as_stated():
    """Of 600 samples, 5 % are 30 and chance adds at most 12; counts of rows missed 58."""
    missed, truth = 0, norm.cdf(1 / 2**0.5) - norm.cdf(0.8 / 2**0.5)
    for n, base in [(200, 0.5), (100, 0.2), (300, 0.05)]:
        rng = np.random.default_rng(n + 2)
        for _ in range(200):
            y = (rng.random(n) < base).astype(int)
            shared, own = rng.normal(size=n), rng.normal(size=(2, n))
            scores = math.sqrt(0.8) * shared + math.sqrt(0.2) * own + np.outer([1.0, 0.8], y)
            first, second = (np.stack([-s, s], axis=1) for s in scores)
            areas = delong.two_areas(y, first, second, Design.of(rng.lognormal(0, 1.5, size=n)))
            low, high = delong.interval(areas, confidence=0.95)
            missed += not low <= truth <= high
    assert missed <= 42


def test_the_factor_of_the_variance_makes_it_unbiased_for_weighted_rows():
    """Both negatives score 1, positives 0 or 2 by a coin: their placements are 0 or 1."""
    rng, weight = np.random.default_rng(0), np.array([8.0, 4, 2, 1, 1, 1, 1, 1])
    y, weights = np.repeat([1, 0], [8, 2]), np.concatenate([weight, [1.0, 1.0]])
    found = []
    for _ in range(4000):
        score = np.concatenate([rng.choice([0.0, 2.0], size=8), [1.0, 1.0]])
        found.append((delong.placements(y == 1, score, weights)[1][:8] ** 2).sum())
    share = weight / weight.sum()
    assert np.mean(found) == pytest.approx(0.25 * (share**2).sum(), rel=0.02)


def test_weights_by_which_rounding_errors_arise_do_not_narrow_perfect_separation():
    y = np.repeat([0, 1], 30)
    for seed in range(20):
        weight = np.random.default_rng(seed).lognormal(0, 1.5, size=60)
        found = delong.auroc_difference(
            y, np.eye(2)[y], np.eye(2)[y] * 0.9, design=Design.of(weight), confidence=0.95
        )
        assert found.low < -0.05
        assert found.high > 0.05


def test_two_models_that_separate_the_labels_perfectly_have_a_wide_interval_all_the_same():
    y = np.array([0] * 10 + [1] * 10)
    scores = np.eye(2)[y]
    found = delong.auroc_difference(y, scores, scores * 0.9 + 0.05, design=PLAIN, confidence=0.95)
    assert (found.value, found.p) == (0, 1)
    assert -0.5 < found.low < -0.2
    assert found.high == pytest.approx(-found.low)


def test_models_that_rank_alike_and_labels_of_one_row_have_no_interval():
    y, first, _ = two_models()
    same = delong.auroc_difference(y, first, first * 2, design=PLAIN, confidence=0.95)
    assert same.value == 0
    assert math.isnan(same.low)
    y, first, second = two_models()
    alone = np.zeros(len(y), dtype=int)
    alone[0] = 1
    assert math.isnan(delong.auroc_difference(alone, first, second, design=PLAIN,
                                              confidence=0.95).p)  # fmt: skip
    none = delong.auroc_difference(alone * 0, first, second, design=PLAIN, confidence=0.95)
    assert math.isnan(none.value)
