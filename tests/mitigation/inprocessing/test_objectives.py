"""What is done in training: without strength it is logistic regression, with it gaps shrink."""

import numpy as np
import pytest

from plumbline.errors import TrainingError
from plumbline.mitigation.inprocessing import objectives
from plumbline.mitigation.inprocessing.linear import cells, fit_scores, log_loss
from plumbline.mitigation.problem import Rows


def logits(score):
    return np.log(score) - np.log1p(-score)


def odds_gap(rows, decision):
    return max(
        abs(np.subtract(*(decision[(rows.group == g) & (rows.y == y)].mean() for g in (0, 1))))
        for y in (0, 1)
    )


def test_a_regulariser_without_weight_is_the_logistic_regression_of_scikit_learn(problem):
    own = objectives.fit_regulariser(problem.train, weight=0.0)(problem.test.x)
    np.testing.assert_allclose(own, fit_scores(problem.train)(problem.test.x), atol=2e-3)


def test_a_heavy_regulariser_leaves_mean_logits_equal_within_each_label(problem):
    rows, apart = problem.train, {}
    for weight in (0.0, 1e4):
        z = logits(objectives.fit_regulariser(rows, weight=weight)(rows.x))
        means = [z[cells(rows) == cell].mean() for cell in range(4)]
        apart[weight] = [abs(means[y] - means[2 + y]) for y in (0, 1)]
    assert min(apart[0.0]) > 0.5
    assert max(apart[1e4]) < 0.01


def test_the_constraint_is_kept_on_the_rows_it_was_trained_on(problem):
    plain = fit_scores(problem.train)(problem.train.x) >= 0.5
    fitted = objectives.fit_constraint(problem.train, bound=0.05)
    shares = fitted._pmf_predict(problem.train.x)[:, 1]
    assert odds_gap(problem.train, plain) > 0.2
    for y in (0, 1):  # the bound is on each group's distance from all rows of a label
        own = problem.train.y == y
        rates = [shares[own & (problem.train.group == g)].mean() for g in (0, 1)]
        assert max(abs(rate - shares[own].mean()) for rate in rates) < 0.05 + 0.01
    score = objectives.mixture_scores(fitted, problem.train.x)
    assert ((score >= 0) & (score <= 1)).all()


def test_group_dro_lowers_the_loss_of_the_worst_cell(problem):
    rows = problem.train

    def worst(score):
        losses = log_loss(logits(score), rows.y)
        return max(losses[cells(rows) == cell].mean() for cell in range(4))

    robust = objectives.fit_group_dro(rows, step=0.1, rounds=500)(rows.x)
    assert worst(robust) < worst(fit_scores(rows)(rows.x)) - 0.1


def test_the_adversary_narrows_error_rates_and_alone_is_logistic_regression(problem):
    """The play of the two goes round without an end: half the gap is left in the median round."""
    rows = problem.train
    plain = fit_scores(rows)(rows.x) >= 0.5
    found = [
        odds_gap(rows, objectives.fit_adversarial(rows, weight=1.0, rounds=rounds)(rows.x) >= 0.5)
        for rounds in range(420, 501, 10)
    ]
    assert np.median(found) < odds_gap(rows, plain) / 2
    assert max(found) < odds_gap(rows, plain)
    one = Rows(rows.x, rows.y, np.zeros(len(rows), dtype=np.int64))  # nothing to be read
    alone = objectives.fit_adversarial(one, weight=1.0, rounds=500)(rows.x)
    np.testing.assert_allclose(alone, fit_scores(rows)(rows.x), atol=0.02)


def test_a_step_that_runs_away_is_refused(problem):
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="weights must be finite"):
        objectives._scores(np.array([np.nan, 1.0]), "group_dro")
