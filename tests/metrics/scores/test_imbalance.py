"""Weights of classes and thresholds of decisions, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.utils.class_weight import compute_class_weight

from plumbline import names
from plumbline.artifacts import Decision, decide
from plumbline.errors import MetricError, ParamsError
from plumbline.metrics.scores import imbalance

CLASSES = ("no", "yes")
SKLEARN = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1": f1_score,
    "f1_macro": lambda y, d, **more: f1_score(y, d, average="macro", **more),
}


@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_weights_are_those_of_scikit_learn(weighted):
    rng = np.random.default_rng(0)
    y = rng.choice(3, size=500, p=[0.85, 0.11, 0.04])
    weights = rng.exponential(size=500) if weighted else None
    found = imbalance.class_weights(
        "balanced", y, classes=("a", "b", "c"), weights=weights, where="x"
    )
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y, sample_weight=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_balanced_weights_by_hand_and_without_rows_of_a_class():
    y = np.array([0] * 8 + [1] * 2)
    # n / (K · n_k): 10 / (2 · 8) and 10 / (2 · 2).
    found = imbalance.class_weights("balanced", y, classes=CLASSES, where="x")
    assert found.tolist() == [0.625, 2.5]
    found = imbalance.class_weights("balanced", y, classes=(*CLASSES, "rare"), where="x")
    assert found.tolist() == [0.625, 2.5, 0.0]


def test_declared_weights_keep_their_ratio_and_have_a_mean_of_one_over_the_rows():
    y = np.array([0] * 8 + [1] * 2)
    found = imbalance.class_weights({"yes": 6.0, "no": 2.0}, y, classes=CLASSES, where="x")
    # (8 · 2 + 2 · 6) / 10 = 2.8 would be the mean.
    assert found == pytest.approx([2 / 2.8, 6 / 2.8])
    assert found[y].mean() == pytest.approx(1)


def test_no_weights_are_none():
    assert imbalance.class_weights("none", np.zeros(3, int), classes=CLASSES, where="x") is None


@pytest.mark.parametrize(
    ("rule", "classes", "message"),
    [
        (
            "balanced", (),
            "train_fnn: classification.class_weights must be none for a target that is a number, "
            "got 'balanced'",
        ),
        (
            {"no": 1.0, "ja": 2.0}, CLASSES,
            "train_fnn: classification.class_weights must be a weight for each of the classes "
            "'no', 'yes', got {'no': 1.0, 'ja': 2.0}; name each class once, as the data do",
        ),
        (
            {"yes": 2.0}, CLASSES,
            "train_fnn: classification.class_weights must be a weight for each of the classes "
            "'no', 'yes', got {'yes': 2.0}; name each class once, as the data do",
        ),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_the_classes_are_refused(rule, classes, message):
    with pytest.raises(ParamsError) as error:
        imbalance.class_weights(rule, np.array([0, 1]), classes=classes, where="train_fnn")
    assert str(error.value) == message


def test_the_metrics_are_those_that_parameters_name():
    assert set(imbalance.METRICS) == set(names.THRESHOLD_METRICS) == set(SKLEARN)


@pytest.mark.no_cover
@pytest.mark.parametrize("metric", sorted(SKLEARN))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("digits", [2, 9])  # tied scores, and none
def test_no_threshold_is_better_and_the_value_is_that_of_scikit_learn(metric, weighted, digits):
    rng = np.random.default_rng(digits)
    positive = rng.random(200) < 0.11
    score = np.clip(rng.normal(0.2 + 0.2 * positive, 0.15), 0, 1).round(digits)
    weights = rng.exponential(size=200) if weighted else None
    threshold, value = imbalance.choose_threshold(score, positive, metric=metric, weights=weights)

    def measured(cut):
        return SKLEARN[metric](positive, score >= cut, sample_weight=weights)

    every = [measured(cut) for cut in np.linspace(0.005, 0.995, 100)]
    assert measured(threshold) == pytest.approx(value, abs=1e-12)
    assert value >= max(every) - 1e-12
    assert 0 < threshold < 1


def test_a_threshold_by_hand():
    score = np.array([0.1, 0.2, 0.3, 0.4])
    positive = np.array([False, True, False, True])
    # F1 by the number of rows from above: 2/3, 1/2, 4/5, 2/3.
    found = imbalance.choose_threshold(score, positive, metric="f1")
    assert found == (pytest.approx(0.15), pytest.approx(0.8))


def test_of_equal_thresholds_the_one_nearest_to_a_half_is_taken_then_the_smaller():
    score, positive = np.array([0.2, 0.45, 0.7]), np.array([False, True, False])
    # Accuracy by threshold: 1/3 at 0.1, 2/3 at 0.325, 1/3 at 0.575, 2/3 at 0.85.
    found = imbalance.choose_threshold(score, positive, metric="accuracy")
    assert found == (pytest.approx(0.325), pytest.approx(2 / 3))
    # 0.375 and 0.625, each an eighth from 1/2 and both exact: 3 of 4 are right with either.
    symmetric = imbalance.choose_threshold(
        np.array([0.25, 0.5, 0.5, 0.75]),
        np.array([False, True, False, True]),
        metric="accuracy",
    )
    assert symmetric == (0.375, 0.75)


def test_always_and_never_selecting_are_candidates():
    score, positive = np.array([0.4, 0.6]), np.array([True, False])
    everything = imbalance.choose_threshold(score, positive, metric="f1")
    assert everything == (pytest.approx(0.2), pytest.approx(2 / 3))
    nothing = imbalance.choose_threshold(
        score, positive, metric="accuracy", weights=np.array([1.0, 3.0])
    )
    assert nothing == (pytest.approx(0.8), pytest.approx(0.75))


def test_rows_of_one_class_choose_no_threshold():
    with pytest.raises(MetricError, match="rows that it is chosen on must be of both classes"):
        imbalance.choose_threshold(np.array([0.2]), np.array([True]), metric="f1")


@pytest.mark.parametrize(
    ("rule", "classes", "y", "message"),
    [
        (
            "f1", ("a", "b", "c"), [0, 1, 2],
            "train_cnn: classification.decision must be argmax for 3 classes, got 'f1'; a "
            "threshold divides two classes",
        ),
        (
            0.3, (), [0.5, 1.5],
            "train_cnn: classification.decision must be argmax for a target that is a number, got "
            "0.3; a threshold divides two classes",
        ),
        (
            "f1", CLASSES, [0, 0],
            "train_cnn: classification.decision must be argmax or a threshold in (0, 1) where the "
            "validation rows are of one class, got 'f1'; use more validation rows",
        ),
    ],
)  # fmt: skip
def test_decisions_that_do_not_fit_are_refused_before_the_fit(rule, classes, y, message):
    with pytest.raises(ParamsError) as error:
        imbalance.check_decision(rule, np.array(y), classes=classes, where="train_cnn")
    assert str(error.value) == message
    imbalance.check_decision("argmax", np.array(y), classes=classes, where="train_cnn")


def test_the_rules_of_a_decision():
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    y = np.array([0, 1, 1])

    def fitted(rule):
        return imbalance.fit_decision(rule, scores, y, classes=CLASSES)

    assert fitted("argmax") is None
    assert fitted(0.3) == Decision(0.3, "yes")
    chosen = fitted("f1")
    # 0.25 and all selected but the first; every threshold in (0.1, 0.4] decides so.
    assert chosen == Decision(0.25, "yes", chosen_for="f1", reached=1.0, rows=3)
    assert decide(scores, chosen).tolist() == [0, 1, 1]
    assert decide(scores, None).tolist() == [0, 0, 1]
