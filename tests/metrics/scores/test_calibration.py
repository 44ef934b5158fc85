"""Expected calibration error: its bins, by hand, and how often its interval holds."""

import numpy as np
import pytest
from scipy.special import expit

from plumbline.errors import MetricError
from plumbline.metrics.scores import calibration


def error_of(score, outcome, **options):
    ones = np.ones(len(score))
    sums = calibration.bin_sums(
        calibration.score_bins(score), score, outcome, weight=ones, weight2=ones, **options
    )
    return calibration.calibration_error(sums, confidence=0.95)


def test_bins_are_closed_below():
    scores = [0, 1 / 15, np.nextafter(1 / 15, 0), 0.2, 0.6, 14 / 15, 1.0]
    assert calibration.score_bins(scores).tolist() == [0, 1, 0, 3, 9, 14, 14]


def test_unfit_input_is_named():
    with pytest.raises(MetricError) as error:
        calibration.score_bins([1.5])
    assert str(error.value) == "calibration: scores must be in [0, 1], got values outside of it"


def test_the_event_is_the_positive_class_of_two_and_the_likeliest_of_more():
    y = np.array([0, 1, 2])
    two = np.array([[0.7, 0.3], [0.4, 0.6]])
    for positive, expected in ((None, ([0.3, 0.6], [0, 1])), (0, ([0.7, 0.4], [1, 0]))):
        score, outcome = calibration.scored_event(y[:2], two, positive=positive)
        assert (score.tolist(), outcome.tolist()) == expected
    three = np.array([[0.5, 0.3, 0.2], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]])
    score, outcome = calibration.scored_event(y, three)
    assert score.tolist() == [0.5, 0.5, 0.6]
    assert outcome.tolist() == [True, False, True]


def test_the_error_by_hand():
    """Scores 0.05 (1 of 4 positive) and 0.95 (4 of 4): (4·0.20 + 4·0.05) / 8 = 0.125."""
    score, outcome = np.repeat([0.05, 0.95], 4), np.array([1, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    value, low, high = error_of(score, outcome)
    assert value == pytest.approx(0.125)
    assert low == 0  # three calibrated rows of ten show as much
    assert high > value


def test_one_bin_has_the_interval_of_its_mean():
    """400 scores of 0.5, 300 positive: 0.25 ± 1.96 · 0.5 / 20, but for Wilson's small addition."""
    score, outcome = np.full(400, 0.5), np.arange(400) < 300
    value, low, high = error_of(score, outcome)
    assert (value, low, high) == pytest.approx((0.25, 0.25 - 0.049, 0.25 + 0.049), abs=1e-3)


def test_rows_that_stand_four_times_say_no_more_than_once():
    rng = np.random.default_rng(0)
    score = rng.random(300)
    outcome = rng.random(300) < score**2
    four = error_of(np.tile(score, 4), np.tile(outcome, 4), unit=np.tile(np.arange(300), 4))
    assert four == pytest.approx(error_of(score, outcome))


@pytest.mark.no_cover
@pytest.mark.parametrize("slope", [1.0, 0.3])
@pytest.mark.parametrize("shift", [0.0, -3.0])
def test_the_interval_holds_the_error_of_all_rows(slope, shift):
    """Calibrated scores and overconfident ones; the truth is the error of the probabilities."""
    rng = np.random.default_rng(1)

    def drawn(n):
        logit = shift + 1.5 * rng.normal(size=n)
        return expit(logit), expit(slope * logit)

    score, probability = drawn(400_000)
    place = calibration.score_bins(score)
    truth = np.abs(np.bincount(place, score - probability)).sum() / len(score)
    held = 0
    for _ in range(300):
        score, probability = drawn(400)
        _, low, high = error_of(score, rng.random(400) < probability)
        held += low <= truth <= high
    assert held / 300 >= 0.93
