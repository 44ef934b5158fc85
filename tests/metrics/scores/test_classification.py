"""Classification metrics against scikit-learn and torchmetrics, and under resampling."""

import numpy as np
import pytest

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.intervals import proportions
from plumbline.metrics.scores import classification


def sample(classes, n=200, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(classes, size=n)
    logits = rng.normal(size=(n, classes)) + 1.5 * (np.arange(classes) == y_true[:, None])
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        scores = np.round(scores * 8) / 8
        scores[:, 0] += 1 - scores.sum(axis=1)
        scores = np.clip(scores, 0, None) / np.clip(scores, 0, None).sum(axis=1, keepdims=True)
    return y_true, scores.argmax(axis=1), scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_every_metric_equals_scikit_learn(classes, ties):
    from sklearn import metrics as peer

    y_true, y_pred, scores = sample(classes, ties=ties)
    ours = classification.weighted_metrics(y_true, y_pred, scores)
    area = (
        peer.roc_auc_score(y_true, scores[:, 1])
        if classes == 2
        else peer.roc_auc_score(y_true, scores, multi_class="ovr", average="macro")
    )
    expected = {
        names.ACCURACY: peer.accuracy_score(y_true, y_pred),
        names.BALANCED_ACCURACY: peer.balanced_accuracy_score(y_true, y_pred),
        names.F1_MACRO: peer.f1_score(y_true, y_pred, average="macro"),
        names.AUROC: area,
        names.BRIER: peer.brier_score_loss(
            y_true, scores[:, 1] if classes == 2 else scores, scale_by_half=True
        ),
    }
    if not ties:  # a probability of 0 is clipped elsewhere in scikit-learn
        expected[names.LOG_LOSS] = peer.log_loss(y_true, scores)
    for name, value in expected.items():
        assert ours[name] == pytest.approx([value], abs=1e-12), name


def test_area_and_calibration_equal_torchmetrics():
    from plumbline.compat import torchvision

    torchvision.install()
    import torch
    from torchmetrics.functional.classification import (
        multiclass_auroc,
        multiclass_calibration_error,
    )

    y_true, y_pred, scores = sample(5, n=400)
    ours = classification.weighted_metrics(y_true, y_pred, scores)
    given = torch.from_numpy(scores), torch.from_numpy(y_true)
    assert ours[names.AUROC][0] == pytest.approx(float(multiclass_auroc(*given, 5)), abs=1e-6)
    error = float(multiclass_calibration_error(*given, 5, n_bins=15))
    assert ours[names.ECE][0] == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_column_of_weights_equals_the_metric_of_the_repeated_rows(classes):
    y_true, y_pred, scores = sample(classes, n=60, ties=True)
    weights = proportions.resample_weights(60, replicates=25, seed=5)
    resampled = classification.weighted_metrics(y_true, y_pred, scores, weights=weights)
    for column in range(25):
        rows = np.repeat(np.arange(60), weights[:, column].astype(int))
        alone = classification.weighted_metrics(y_true[rows], y_pred[rows], scores[rows])
        for name, value in alone.items():
            assert resampled[name][column] == pytest.approx(value[0], abs=1e-12), name


def test_metrics_know_no_row_order():
    y_true, y_pred, scores = sample(3, ties=True)
    order = np.random.default_rng(1).permutation(len(y_true))
    before = classification.weighted_metrics(y_true, y_pred, scores)
    after = classification.weighted_metrics(y_true[order], y_pred[order], scores[order])
    for name in before:
        assert before[name] == pytest.approx(after[name], abs=1e-13), name


def test_without_one_of_two_classes_the_area_is_undefined():
    ones = np.ones(5, dtype=int)
    scores = np.full((5, 2), 0.5)
    metrics = classification.weighted_metrics(ones, ones, scores)
    assert np.isnan(metrics[names.AUROC][0])
    assert metrics[names.BALANCED_ACCURACY][0] == 1


def test_the_area_counts_ties_as_half():
    """Positives 0.8, 0.5; negatives 0.5, 0.2: of four pairs three are right and one is tied."""
    positive, score = np.array([True, True, False, False]), np.array([0.8, 0.5, 0.5, 0.2])
    area = classification.binary_auroc(positive, score, weights=np.ones((4, 1)))
    assert area == pytest.approx([3.5 / 4])


def test_the_brier_score_is_between_0_and_1():
    """Scores 0.8 of a 1 and 0.4 of a 0: (0.04 + 0.16) / 2; of three classes half of the sum."""
    ones = np.ones((2, 1))
    two = np.array([[0.2, 0.8], [0.6, 0.4]])
    assert classification.brier(np.array([1, 0]), two, weights=ones) == pytest.approx([0.1])
    sure = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    assert classification.brier(np.array([0, 2]), sure, weights=ones) == [1.0]
    three = np.array([[0.2, 0.8, 0.0], [0.5, 0.4, 0.1]])
    found = classification.brier(np.array([1, 0]), three, weights=ones)
    assert found == pytest.approx([(0.08 / 2 + 0.42 / 2) / 2])


def test_a_sure_mistake_has_a_finite_log_loss():
    scores = np.array([[1.0, 0.0]])
    loss = classification.log_loss(np.array([1]), scores, weights=np.ones((1, 1)))
    assert loss == pytest.approx([-np.log(np.finfo(float).tiny)])


@pytest.mark.parametrize(
    ("y_true", "y_pred", "scores", "message"),
    [
        ([], [], np.zeros((0, 2)), "classification: table must have a row, got none"),
        (
            [0, 1], [0, 1], np.ones((3, 2)) / 2,
            "classification: y_true, y_pred and scores must have one length, got 2, 2 and (3, 2)",
        ),
        (
            [0, 2], [0, 1], np.ones((2, 2)) / 2,
            "classification: y_true must be a code in 0…1, got 0…2",
        ),
    ],
)  # fmt: skip
def test_unfit_input_is_named(y_true, y_pred, scores, message):
    with pytest.raises(MetricError) as error:
        classification.weighted_metrics(y_true, y_pred, scores)
    assert str(error.value) == message
