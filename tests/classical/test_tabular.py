import re

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from plumbline.classical.rows import drawn_rows, training_weights
from plumbline.classical.tabular import (
    GRIDS,
    FittedModel,
    SvmSize,
    choose_best,
    fit_models,
    linear_parameters,
    validation_value,
)

rng = np.random.default_rng(0)
X, Y = load_diabetes(return_X_y=True)
BINARY = (np.median(Y) < Y).astype(int)
ORDER = rng.permutation(len(X))
TRAIN, VAL = ORDER[:260], ORDER[260:]
EXACT = SvmSize(max_rows=260, landmarks=100, approximate_rows=20_000)
APPROXIMATE = SvmSize(max_rows=259, landmarks=129, approximate_rows=1000)


def fit(wanted, y, *, features=X, train=TRAIN, val=VAL, regression=False, svm=EXACT):
    return fit_models(
        wanted,
        train=(features[train], y[train]),
        val=(features[val], y[val]),
        regression=regression,
        seed=1,
        svm=svm,
    )


@pytest.fixture(scope="module")
def binary():
    return fit(list(GRIDS), BINARY)


def test_every_model_beats_chance_on_new_rows(binary):
    assert [model.name for model in binary] == list(GRIDS)
    for model in binary:
        scores = model.scores(X[VAL])
        assert scores.shape == (len(VAL), 2)
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        assert model.value == roc_auc_score(BINARY[VAL], scores[:, 1])
        assert model.value > 0.7


def test_a_second_fit_gives_the_same_bits(binary):
    for first, second in zip(binary, fit(list(GRIDS), BINARY), strict=True):
        assert first.settings == second.settings
        np.testing.assert_array_equal(first.scores(X[VAL]), second.scores(X[VAL]))


def test_the_settings_kept_are_the_best_of_the_grid(binary):
    from sklearn.tree import DecisionTreeClassifier

    values = {
        (depth, leaf): roc_auc_score(
            BINARY[VAL],
            DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=1)
            .fit(X[TRAIN], BINARY[TRAIN])
            .predict_proba(X[VAL])[:, 1],
        )
        for depth in (2, 3, 4, 6)
        for leaf in (5, 15)
    }
    tree = next(model for model in binary if model.name == "decision_tree")
    kept = (tree.settings["max_depth"], tree.settings["min_samples_leaf"])
    assert values[kept] == max(values.values()) == tree.value


def test_coefficients_and_intercepts_of_linear_models_are_counted(binary):
    counts = {model.name: linear_parameters(model) for model in binary}
    assert counts == dict.fromkeys(GRIDS, 0) | {"logistic_regression": X.shape[1] + 1}
    (ridge,) = fit(["logistic_regression"], Y, regression=True)
    assert linear_parameters(ridge) == X.shape[1] + 1
    x, y = load_iris(return_X_y=True)
    order = rng.permutation(150)
    (multi,) = fit(["logistic_regression"], y, features=x, train=order[:90], val=order[90:])
    assert linear_parameters(multi) == 3 * (4 + 1)


def test_several_classes_are_scored_by_the_mean_of_one_against_the_rest():
    x, y = load_iris(return_X_y=True)
    order = rng.permutation(150)
    models = fit(list(GRIDS), y, features=x, train=order[:90], val=order[90:])
    for model in models:
        scores = model.scores(x[order[90:]])
        one_by_one = [roc_auc_score(y[order[90:]] == k, scores[:, k]) for k in range(3)]
        np.testing.assert_allclose(model.value, np.mean(one_by_one))
        assert model.value > 0.9


def test_numbers_are_predicted_by_the_regressors_of_the_same_kinds():
    models = fit(list(GRIDS), Y, regression=True)
    assert [m.name for m in models] == [
        "ridge_regression", "decision_tree", "svm", "gradient_boosting",
    ]  # fmt: skip
    for model in models:
        predicted = model.scores(X[VAL])
        assert predicted.shape == (len(VAL), 1)
        assert model.value == r2_score(Y[VAL], predicted[:, 0])
        assert model.value > 0.2


def test_the_first_of_equally_good_models_is_chosen():
    models = [FittedModel(n, None, {}, v) for n, v in (("a", 0.1), ("b", 0.3), ("c", 0.3))]
    assert choose_best(models).name == "b"


def test_a_perfect_order_has_value_one():
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    assert validation_value(scores, np.array([0, 1, 1]), regression=False) == 1.0


@pytest.mark.parametrize("regression", [False, True])
def test_above_its_limit_of_rows_a_machine_with_many_landmarks_decides_like_the_exact_one(
    regression,
):
    y = Y if regression else BINARY
    (exact,) = fit(["svm"], y, regression=regression)
    (near,) = fit(["svm"], y, regression=regression, svm=APPROXIMATE)
    assert "landmarks" not in exact.settings
    assert near.settings["landmarks"] == 129
    # The margin errors are squared in one of them only: alike, not equal.
    assert near.value == pytest.approx(exact.value, abs=0.05)
    ours, theirs = near.scores(X[VAL])[:, -1], exact.scores(X[VAL])[:, -1]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95


def test_the_kernel_is_the_gaussian_of_the_exact_machine():
    from sklearn.kernel_approximation import Nystroem
    from sklearn.metrics.pairwise import rbf_kernel

    (near,) = fit(["svm"], BINARY, svm=APPROXIMATE)
    _, features, _ = near.estimator.calibrated_classifiers_[0].estimator
    assert isinstance(features, Nystroem)
    mapped, landmarks = features.transform(features.components_), features.components_
    wide = rbf_kernel(landmarks, gamma=1 / X.shape[1])  # what gamma="scale" is on unit variances
    np.testing.assert_allclose(mapped @ mapped.T, wide, atol=1e-8)


@pytest.mark.no_cover
def test_a_machine_on_many_rows_learns_a_ring_in_seconds_and_twice_the_same():
    many = np.random.default_rng(3).normal(size=(20_000, 4))
    ring = ((many[:, 0] ** 2 + many[:, 1] ** 2) > 1.4).astype(int)
    svm = SvmSize(max_rows=5000, landmarks=100, approximate_rows=20_000)
    rows = {"features": many, "train": np.arange(15_000), "val": np.arange(15_000, 20_000)}
    (first,), (second,) = (fit(["svm"], ring, **rows, svm=svm) for _ in range(2))
    assert first.value > 0.98
    np.testing.assert_array_equal(first.scores(many), second.scores(many))


@pytest.mark.no_cover
@pytest.mark.parametrize("svm", [EXACT, APPROXIMATE])
@pytest.mark.parametrize("regression", [False, True])
def test_equal_weights_are_no_weights_and_none_is_without_effect(regression, svm):
    y = Y if regression else BINARY
    options = {
        "train": (X[TRAIN], y[TRAIN]), "val": (X[VAL], y[VAL]), "regression": regression,
        "seed": 1, "svm": svm,
    }  # fmt: skip
    wanted = list(GRIDS) if svm is EXACT else ["svm"]
    ones = (np.full(len(TRAIN), 3.0), np.full(len(VAL), 0.5))
    plain, same = (fit_models(wanted, **options, weights=w) for w in (None, ones))
    for one, other in zip(plain, same, strict=True):
        assert one.settings == other.settings
        np.testing.assert_allclose(one.scores(X[VAL]), other.scores(X[VAL]), rtol=1e-3)
        assert one.value == pytest.approx(other.value, abs=1e-6)
    # Half of the training targets are turned round; rows of weight 0 teach nothing.
    wrong, turned = np.arange(len(TRAIN)) % 2 == 0, y[TRAIN].copy()
    turned[wrong] = turned.max() + turned.min() - turned[wrong]
    options["train"] = (X[TRAIN], turned)
    without = (np.where(wrong, 0.0, 1.0), np.ones(len(VAL)))
    misled, told = (fit_models(wanted, **options, weights=w) for w in (None, without))
    for one, other in zip(misled, told, strict=True):
        assert other.value > one.value + 0.05, one.name


def test_weights_are_those_of_scikit_learn():
    weight = np.random.default_rng(3).exponential(size=len(TRAIN))
    val = np.random.default_rng(4).exponential(size=len(VAL))
    linear, tree = fit_models(
        ["logistic_regression", "decision_tree"],
        train=(X[TRAIN], BINARY[TRAIN]),
        val=(X[VAL], BINARY[VAL]),
        regression=False,
        seed=1,
        svm=EXACT,
        weights=(weight, val),
    )
    centre, spread = X[TRAIN].mean(axis=0), X[TRAIN].std(axis=0)
    mine = LogisticRegression(**linear.settings, max_iter=2000)
    mine.fit((X[TRAIN] - centre) / spread, BINARY[TRAIN], sample_weight=weight / weight.mean())
    scores = mine.predict_proba((X[VAL] - centre) / spread)
    np.testing.assert_allclose(linear.scores(X[VAL]), scores, atol=1e-6)
    mine = DecisionTreeClassifier(**tree.settings, random_state=1)
    mine.fit(X[TRAIN], BINARY[TRAIN], sample_weight=weight)
    np.testing.assert_allclose(tree.scores(X[VAL]), mine.predict_proba(X[VAL]))
    area = roc_auc_score(BINARY[VAL], tree.scores(X[VAL])[:, 1], sample_weight=val)
    assert tree.value == area


def test_validation_values_of_several_classes_and_of_numbers_are_weighted():
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], size=60)
    y, weight = np.arange(60) % 3, 1.0 + np.arange(60) % 4
    rows = np.repeat(np.arange(60), weight.astype(int))  # weight 3 is three equal rows
    for regression in (False, True):
        assert validation_value(scores, y, regression=regression, weights=weight) == pytest.approx(
            validation_value(scores[rows], y[rows], regression=regression)
        )


def test_class_weights_are_those_of_scikit_learn():
    rare = (np.quantile(Y, 0.89) < Y).astype(int)
    own, facts = training_weights("balanced", rare[TRAIN], classes=("no", "yes"), weights=None)
    linear, tree = fit_models(
        ["logistic_regression", "decision_tree"],
        train=(X[TRAIN], rare[TRAIN]), val=(X[VAL], rare[VAL]), regression=False, seed=1,
        svm=EXACT, weights=(own, None),
    )  # fmt: skip
    centre, spread = X[TRAIN].mean(axis=0), X[TRAIN].std(axis=0)
    mine = LogisticRegression(**linear.settings, max_iter=2000, class_weight="balanced")
    mine.fit((X[TRAIN] - centre) / spread, rare[TRAIN])
    scores = mine.predict_proba((X[VAL] - centre) / spread)
    np.testing.assert_allclose(linear.scores(X[VAL]), scores, atol=1e-6)
    mine = DecisionTreeClassifier(**tree.settings, random_state=1, class_weight="balanced")
    mine.fit(X[TRAIN], rare[TRAIN])
    np.testing.assert_allclose(tree.scores(X[VAL]), mine.predict_proba(X[VAL]))
    counts = np.bincount(rare[TRAIN])
    expected = dict(zip(("no", "yes"), (len(TRAIN) / (2 * counts)).tolist(), strict=True))
    assert facts == {"class_weights": pytest.approx(expected)}


def test_a_bound_on_rows_is_a_fit_to_the_drawn_rows_which_are_counted_and_said(caplog):
    caplog.set_level("INFO")
    options = {"val": (X[VAL], BINARY[VAL]), "regression": False, "seed": 1}
    weight = np.random.default_rng(3).exponential(size=len(TRAIN))
    (bounded,) = fit_models(
        ["decision_tree"], train=(X[TRAIN], BINARY[TRAIN]), svm=EXACT, max_rows=100,
        weights=(weight, None), **options,
    )  # fmt: skip
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "decision_tree: fitting to 100 of 260 training rows"
    assert re.fullmatch(r"decision_tree: validation auroc 0\.\d+, \d+ s", lines[1])
    assert len(lines) == 2
    rows = drawn_rows(BINARY[TRAIN], 100, regression=False, seed=1)
    (same,) = fit_models(
        ["decision_tree"], train=(X[TRAIN][rows], BINARY[TRAIN][rows]), svm=EXACT,
        weights=(weight[rows], None), **options,
    )  # fmt: skip
    assert (bounded.rows, same.rows) == (100, 100)
    np.testing.assert_array_equal(bounded.scores(X[VAL]), same.scores(X[VAL]))


def test_an_approximated_machine_has_a_bound_of_its_own():
    svm = SvmSize(max_rows=150, landmarks=50, approximate_rows=200)
    found = fit_models(
        ["svm", "decision_tree"], train=(X[TRAIN], BINARY[TRAIN]), val=(X[VAL], BINARY[VAL]),
        regression=False, seed=1, svm=svm,
    )  # fmt: skip
    assert [model.rows for model in found] == [200, 260]


def test_a_class_of_two_training_rows_does_not_stop_the_calibration_of_margins():
    few = BINARY[TRAIN].copy()
    few[:2] = 2
    (found,) = fit_models(
        ["svm"], train=(X[TRAIN], few), val=(X[TRAIN], few), regression=False, seed=1, svm=EXACT
    )
    assert found.scores(X[VAL]).shape == (len(X[VAL]), 3)


def test_a_machine_whose_drawn_rows_are_few_is_exact():
    """What counts is the number of rows that it is fitted to: 150, of 260."""
    svm = SvmSize(max_rows=150, landmarks=75, approximate_rows=200)
    (found,) = fit_models(
        ["svm"], train=(X[TRAIN], BINARY[TRAIN]), val=(X[VAL], BINARY[VAL]), regression=False,
        seed=1, svm=svm, max_rows=150,
    )  # fmt: skip
    assert found.rows == 150
    assert set(found.settings) == {"C"}


@pytest.mark.parametrize("svm", [EXACT, APPROXIMATE])
def test_balanced_weights_raise_the_scores_of_a_rare_class_in_every_model(svm):
    rare = (np.quantile(Y, 0.89) < Y).astype(int)
    own, _ = training_weights("balanced", rare[TRAIN], classes=("no", "yes"), weights=None)
    wanted = list(GRIDS) if svm is EXACT else ["svm"]
    plain, weighted = (
        fit_models(
            wanted, train=(X[TRAIN], rare[TRAIN]), val=(X[VAL], rare[VAL]), regression=False,
            seed=1, svm=svm, weights=(given, None),
        )
        for given in (None, own)
    )  # fmt: skip
    for one, other in zip(plain, weighted, strict=True):
        before, after = (model.scores(X[VAL])[:, 1].mean() for model in (one, other))
        assert before < 0.2, one.name
        assert after > before + 0.05, one.name
