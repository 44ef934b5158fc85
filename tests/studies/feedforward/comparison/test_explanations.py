"""Explanations: sums by hand, closed forms, and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from plumbline.models.fnn import FeedForward
from plumbline.studies.feedforward.comparison import explanations
from plumbline.studies.feedforward.comparison.fitted import r_squared

RNG = np.random.default_rng(5)


def test_permutation_importance_of_two_rows_by_hand(monkeypatch):
    """Swapping the first column of two rows turns R² from 1 to -3; the second one is not used."""

    class Swap:
        def permutation(self, values):
            return values[::-1]

    monkeypatch.setattr(explanations.np.random, "default_rng", lambda seed: Swap())
    x = np.array([[0.0, 7.0], [2.0, 8.0]])
    found = explanations.permutation_importance(
        lambda rows: rows[:, 0], lambda values: r_squared(x[:, 0], values), x, repeats=3, seed=1
    )
    assert found.tolist() == [4.0, 0.0]


def test_permutation_importance_is_that_of_scikit_learn():
    x = RNG.normal(size=(400, 3))
    y = x @ [2.0, 1.0, 0.0] + RNG.normal(size=400)
    model = Ridge().fit(x, y)
    found = explanations.permutation_importance(
        model.predict, lambda values: r_squared(y, values), x, repeats=50, seed=1
    )
    other = permutation_importance(model, x, y, n_repeats=50, random_state=2)
    assert found == pytest.approx(other.importances_mean, abs=0.03)
    assert found[2] == pytest.approx(0, abs=1e-3)


def test_the_area_under_the_curve_is_that_of_scikit_learn_with_ties():
    codes, values = RNG.integers(2, size=50), RNG.integers(6, size=(3, 50)).astype(float)
    expected = [roc_auc_score(codes, each) for each in values]
    assert explanations.auroc(codes, values) == pytest.approx(expected)


@pytest.mark.parametrize("outputs", [1, 2])
def test_attributions_of_a_network_start_at_the_mean_row_and_sum_to_what_they_explain(outputs):
    torch.manual_seed(1)
    network = FeedForward(
        inputs=4, outputs=outputs, hidden=[12, 12], activation="silu", dropout=0.0, norm="none",
        init="he_normal",
    )  # fmt: skip
    train, x = 3 + 5 * RNG.normal(size=(50, 4)), 3 + 5 * RNG.normal(size=(20, 4))
    network.standardise.fit(torch.from_numpy(train))
    found = explanations.attribute(network, x, nodes=64)
    exact = network.double().eval()
    with torch.no_grad():
        ends = [exact(torch.from_numpy(rows)) for rows in (x, train.mean(0, keepdims=True))]
    explained = [end[:, -1] - end[:, 0] if outputs == 2 else end[:, 0] for end in ends]
    torch.testing.assert_close(
        found.values.sum(1), explained[0] - explained[1], rtol=0, atol=1e-5
    )  # the mean is kept in single precision
    assert found.gap.abs().max() < 1e-8


@pytest.mark.parametrize("model", [Ridge(), LogisticRegression()])
def test_integrated_gradients_of_a_linear_model_are_weight_times_step(model):
    x = RNG.normal(size=(60, 3))
    fitted = make_pipeline(StandardScaler(), model).fit(x, (x[:, 0] > 0).astype(int))
    assert explanations.linear_error(fitted, x) < 1e-12


def test_rules_of_a_tree_have_the_limits_of_the_features_and_find_every_row():
    x = np.array([[1.0, 0.0], [2.0, 0.0], [11.0, 5.0], [12.0, 9.0]])
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    fitted = make_pipeline(StandardScaler(), tree).fit(x[:, :1], [0.0, 0.0, 3.0, 8.0])
    found = [(text, float(value[0]), rows) for text, value, rows in
             explanations.rules(fitted, ("age",))]  # fmt: skip
    assert found == [
        ("age ≤ 11.5 and age ≤ 6.5", 0.0, 2),
        ("age ≤ 11.5 and age > 6.5", 3.0, 1),
        ("age > 11.5", 8.0, 1),
    ]
