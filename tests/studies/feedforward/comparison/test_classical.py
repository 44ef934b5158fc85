"""Classical models: what is chosen, and how operations are counted."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import ensemble, linear_model, neighbors, svm, tree

from plumbline.studies.feedforward.comparison import classical
from plumbline.studies.feedforward.comparison.fitted import Split

OPTIONS = SimpleNamespace(trees=5, rounds=4)
X = np.random.default_rng(0).normal(size=(120, 3))


def split(targets, classes):
    parts = [(X[part], targets[part]) for part in (slice(60), slice(60, 90), slice(90, 120))]
    return Split(*parts, ("a", "b", "c"), classes, standardise=True, mean=0.0, scale=1.0)


@pytest.mark.parametrize("classes", [0, 2])
@pytest.mark.parametrize("name", classical.GRIDS)
def test_every_model_learns_from_its_training_rows_alone(name, classes):
    values = 2 * X[:, 0] - X[:, 1]
    data = split((values > 0).astype(int) if classes else values, classes)
    assert len(classical.GRIDS[name]) == 3
    setting = classical.GRIDS[name][1]
    (found,) = classical.fit(name, setting, data, [np.arange(50)], OPTIONS, [3])
    x, y = data.test
    assert np.mean((found.predict(x) - y) ** 2) < np.mean((np.mean(y) - y) ** 2)
    assert np.corrcoef(found.outputs(x), values[90:])[0, 1] > 0.5
    assert found.size > 500
    assert found.predict_operations > 0


def test_operations_of_models_with_a_closed_form():
    y = (X[:, 0] > 0).astype(int)
    steps = (logistic := linear_model.LogisticRegression().fit(X, y)).n_iter_[0]
    assert classical.operations(logistic, 120, 3) == (4 * steps * 120 * 3, 2 * 3)
    ridge = linear_model.Ridge().fit(X, X[:, 0])
    assert classical.operations(ridge, 120, 3) == (2 * 120 * 9 + 9, 6)
    near = neighbors.KNeighborsClassifier().fit(X, y)
    assert classical.operations(near, 120, 3) == (0, 3 * 120 * 3)


def test_operations_of_a_tree_sort_the_rows_of_its_inner_nodes():
    stump = tree.DecisionTreeClassifier(max_depth=1).fit(X, X[:, 0] > 0)
    assert classical.operations(stump, 120, 3) == (120 * math.log2(120) * 3, 1)
    forest = ensemble.RandomForestClassifier(
        4, max_depth=1, bootstrap=False, max_features=1.0, random_state=0
    ).fit(X, X[:, 0] > 0)
    fit, row = classical.operations(forest, 120, 3)
    assert fit == pytest.approx(4 * 120 * math.log2(120) * 3)
    assert row == 4


def test_operations_of_boosting_add_two_numbers_for_each_row_feature_and_inner_node():
    boosted = ensemble.HistGradientBoostingRegressor(
        max_iter=5, max_leaf_nodes=2, early_stopping=False
    ).fit(X, X[:, 0])
    assert classical.operations(boosted, 120, 3) == (2 * 5 * 120 * 3, 5)


def test_a_machine_predicts_from_its_support_vectors_and_has_a_pair_per_two_classes():
    codes = np.arange(120) % 3
    machine = svm.SVC().fit(X, codes)
    fit, row = classical.operations(machine, 120, 3)
    assert row == 3 * 3 * len(machine.support_)
    columns = np.minimum(2 * machine.n_iter_, 80)  # two of three classes have 80 rows
    assert fit == pytest.approx((columns * 80 * 9 + machine.n_iter_ * 80 * 4).sum())
