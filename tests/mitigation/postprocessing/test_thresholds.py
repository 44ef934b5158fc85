"""What is done after training: thresholds, calibration and rejection by group, on known scores."""

import numpy as np
import pytest

from plumbline.mitigation.inprocessing.linear import sigmoid
from plumbline.mitigation.postprocessing import thresholds
from plumbline.mitigation.problem import Rows


def rows(y, group):
    y, group = np.asarray(y), np.asarray(group)
    return Rows(np.zeros((len(y), 1)), y, group)


def test_thresholds_equalise_true_positive_rates_by_hand():
    """6 of 8 positives reach 1/2: 3 of 4 of each group, at thresholds nearest to 1/2."""
    score = np.array([0.615, 0.715, 0.815, 0.915, 0.315, 0.415, 0.515, 0.565])
    made = rows([1] * 8, [0] * 4 + [1] * 4)
    cut = thresholds.equal_opportunity_thresholds(made, score)
    rates = [(score[made.group == g] >= cut[g]).mean() for g in (0, 1)]
    assert rates == [0.75, 0.75]
    assert cut == pytest.approx([0.62, 0.41])


def test_a_group_calibration_finds_the_sigmoid_that_was_planted():
    rng = np.random.default_rng(0)
    n = 40000
    group, z = rng.integers(0, 2, n), rng.normal(size=n)
    slope, intercept = np.array([2.0, 0.5]), np.array([-0.5, 1.0])
    truth = sigmoid(slope[group] * z + intercept[group])
    made = rows((rng.random(n) < truth).astype(int), group)
    fitted = thresholds.calibrate_groups(made, sigmoid(z))
    np.testing.assert_allclose(fitted.slope, slope, atol=0.1)
    np.testing.assert_allclose(fitted.intercept, intercept, atol=0.06)
    np.testing.assert_allclose(fitted(sigmoid(z), group), truth, atol=0.03)


def test_platts_targets_keep_a_separable_group_finite():
    made = rows([0, 0, 1, 1], [0, 0, 0, 0])
    fitted = thresholds.calibrate_groups(made, np.array([0.1, 0.2, 0.8, 0.9]))
    assert np.isfinite(fitted.slope).all()
    assert 0 < fitted(np.array([0.9]), np.array([0]))[0] < 1


def test_the_reject_option_raises_the_group_selected_less_often_near_the_boundary():
    score = np.array([0.9, 0.6, 0.55, 0.1, 0.9, 0.45, 0.4, 0.1])
    made = rows([1] * 8, [0] * 4 + [1] * 4)
    option = thresholds.fit_reject_option(made, score)
    assert option.raised.tolist() == [0, 1]
    decided = option(score, made.group)
    rates = [decided[made.group == g].mean() for g in (0, 1)]
    assert rates == [0.5, 0.5]  # before: 3 of 4 and 1 of 4
    assert decided[[0, 4]].tolist() == [1, 1]
    assert decided[[3, 7]].tolist() == [0, 0]


def test_without_a_gap_nothing_is_rejected():
    score = np.array([0.6, 0.4, 0.6, 0.4])
    made = rows([1, 0, 1, 0], [0, 0, 1, 1])
    option = thresholds.fit_reject_option(made, score)
    assert option.margin == 0.5
    assert option(score, made.group).tolist() == [1, 0, 1, 0]


def test_with_a_threshold_of_the_model_groups_are_brought_together_around_it():
    """As above with every score a third: 6 of 8 positives reach 1/6."""
    score = np.array([0.615, 0.715, 0.815, 0.915, 0.315, 0.415, 0.515, 0.565]) / 3
    made = rows([1] * 8, [0] * 4 + [1] * 4)
    cut = thresholds.equal_opportunity_thresholds(made, score, threshold=1 / 6)
    assert [(score[made.group == g] >= cut[g]).mean() for g in (0, 1)] == [0.75, 0.75]
    assert cut == pytest.approx([0.21, 0.13])  # between 0.205 and 0.238, and 0.105 and 0.138


def test_the_reject_option_with_a_threshold_is_that_of_odds_divided_by_those_of_the_threshold():
    score = np.array([0.9, 0.6, 0.55, 0.1, 0.9, 0.45, 0.4, 0.1])
    made = rows([1] * 8, [0] * 4 + [1] * 4)
    odds = score / (1 - score) / 4  # the odds of 1/5
    low = odds / (1 + odds)
    plain = thresholds.fit_reject_option(made, score)
    moved = thresholds.fit_reject_option(made, low, threshold=0.2)
    assert (moved.margin, moved.raised.tolist()) == (plain.margin, plain.raised.tolist())
    assert moved(low, made.group).tolist() == plain(score, made.group).tolist()
