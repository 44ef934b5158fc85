"""Equalised odds: the rates agree exactly, and no lots are more accurate."""

import numpy as np
import pytest
from scipy.optimize import linprog

from plumbline.errors import MetricError
from plumbline.mitigation.inprocessing.linear import estimator
from plumbline.mitigation.postprocessing.equalised_odds import fit_randomized_thresholds, roc_hull


def people(n=600, groups=2, seed=0, digits=3):
    """Scores that tell the label better in some groups than in others, with ties."""
    rng = np.random.default_rng(seed)
    group = np.concatenate([np.tile(np.arange(groups), 4), rng.integers(groups, size=n)])
    y = np.concatenate([np.repeat([0, 1], 2 * groups), rng.integers(2, size=n)])
    score = 1 / (1 + np.exp(-(y - 0.5) * (1 + group) - rng.normal(size=len(y))))
    return score.round(digits), y, group


def rates(chance, y, group):
    """Return false and true positive rates by group."""
    return np.array(
        [[chance[(group == g) & (y == label)].mean() for label in (0, 1)] for g in np.unique(group)]
    )


def accuracy(chance, y):
    return np.where(y == 1, chance, 1 - chance).mean()


@pytest.mark.parametrize("groups", [1, 2, 5])
@pytest.mark.parametrize("seed", range(5))
def test_every_group_has_the_same_error_rates(groups, seed):
    score, y, group = people(groups=groups, seed=seed)
    chances = fit_randomized_thresholds(score, y, group)
    found = rates(chances(score, group), y, group)
    np.testing.assert_allclose(found, np.tile([chances.fpr, chances.tpr], (groups, 1)), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_no_lots_over_thresholds_are_more_accurate(groups, seed):
    """The optimum of the linear program over the chances of every threshold of every group."""
    score, y, group = people(n=150, groups=groups, seed=seed, digits=2)
    cuts = np.append(np.unique(score), 2.0)
    points = np.stack([rates((score >= cut).astype(float), y, group) for cut in cuts])
    width = len(cuts)
    sums = np.zeros((groups, groups * width + 2))
    equal = np.zeros((2 * groups, groups * width + 2))
    for g in range(groups):
        own = slice(g * width, (g + 1) * width)
        sums[g, own] = 1
        for side in range(2):
            equal[2 * g + side, own] = points[:, g, side]
            equal[2 * g + side, groups * width + side] = -1
    cost = np.append(np.zeros(groups * width), [(y == 0).sum(), -(y == 1).sum()])
    best = linprog(
        cost,
        A_eq=np.vstack([sums, equal]),
        b_eq=np.append(np.ones(groups), np.zeros(2 * groups)),
        bounds=(0, 1),
    )
    chances = fit_randomized_thresholds(score, y, group)
    expected = ((y == 0).sum() - best.fun) / len(y)
    assert accuracy(chances(score, group), y) == pytest.approx(expected, abs=1e-9)


def test_the_optimum_is_fairlearns_up_to_its_grid():
    from fairlearn.postprocessing import ThresholdOptimizer

    x, y, group = people(n=2000)
    fitted = estimator().fit(x[:, None], y)
    score = fitted.predict_proba(x[:, None])[:, 1]
    peer = ThresholdOptimizer(
        estimator=fitted, constraints="equalized_odds", objective="accuracy_score", prefit=True,
        predict_method="predict_proba", grid_size=10_000,
    )  # fmt: skip
    peer.fit(x[:, None], y, sensitive_features=group)
    chance = peer._pmf_predict(x[:, None], sensitive_features=group)[:, 1]
    chances = fit_randomized_thresholds(score, y, group)
    assert accuracy(chances(score, group), y) >= accuracy(chance, y) - 1e-12
    assert accuracy(chances(score, group), y) == pytest.approx(accuracy(chance, y), abs=1e-4)
    np.testing.assert_allclose(
        rates(chances(score, group), y, group), rates(chance, y, group), atol=2e-3
    )


def test_the_hull_by_hand():
    """Positives at .9, .6 and .5, negatives at .7 and .1: the hull skips the dent below .7."""
    hull = roc_hull(np.array([0.9, 0.7, 0.6, 0.5, 0.1]), np.array([1, 0, 1, 1, 0]))
    assert hull.fpr.tolist() == [0, 0.5, 1]
    assert hull.tpr == pytest.approx([1 / 3, 1, 1])
    assert hull.threshold[:2] == pytest.approx([0.8, 0.3])
    assert hull.threshold[2] == -np.inf


def test_scores_without_information_leave_the_coin():
    """One group's scores say nothing: nobody may be told apart, and most rows are positive."""
    y = np.array([0, 1, 1] * 2)
    chances = fit_randomized_thresholds(
        np.array([0.5] * 3 + [0.1, 0.8, 0.9]), y, np.repeat([0, 1], 3)
    )
    assert chances.fpr == chances.tpr
    assert accuracy(chances(np.full(6, 0.5), np.repeat([0, 1], 3)), y) == pytest.approx(2 / 3)


def test_neighbouring_doubles_are_told_apart():
    high = np.float64(0.7)
    low = np.nextafter(high, 0)
    score, y, group = np.array([low, high]), np.array([0, 1]), np.array([0, 0])
    assert fit_randomized_thresholds(score, y, group)(score, group).tolist() == [0, 1]


def test_a_group_with_one_label_is_refused():
    with pytest.raises(MetricError) as error:
        fit_randomized_thresholds(
            np.array([0.1, 0.2, 0.3]), np.array([0, 1, 1]), np.array([0, 0, 1])
        )
    assert str(error.value) == (
        "equalised odds: each group must have rows of both labels, got one without; leave it out, "
        "or join it with another"
    )
