"""Curves against scikit-learn's."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc
from sklearn.metrics import confusion_matrix as sklearn_matrix
from sklearn.metrics import roc_curve as sklearn_roc

from plumbline.metrics.intervals.shares import share_interval
from plumbline.metrics.intervals.survey_design import Design
from plumbline.metrics.scores import curves


def made(rows, *, ties=False, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.uniform(size=rows)
    score = np.round(score, 1) if ties else score
    return rng.uniform(size=rows) < score, score


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_roc_curve_is_scikit_learns_at_its_corners(ties, weighted):
    positive, score = made(150, ties=ties)
    weight = np.random.default_rng(1).uniform(0.5, 2, size=150) if weighted else None
    fpr, tpr = curves.roc_curve(positive, score, weight=weight)
    every = sklearn_roc(positive, score, sample_weight=weight, drop_intermediate=False)[:2]
    points = {(round(x, 9), round(y, 9)) for x, y in zip(*every, strict=True)}
    assert {(round(x, 9), round(y, 9)) for x, y in zip(fpr, tpr, strict=True)} <= points
    assert len(fpr) <= len(points)
    assert auc(fpr, tpr) == pytest.approx(auc(*every), abs=1e-12)


def test_a_long_curve_has_few_points_and_nearly_the_same_area():
    positive, score = made(20_000)
    fpr, tpr = curves.roc_curve(positive, score)
    every = sklearn_roc(positive, score)[:2]
    assert len(fpr) == curves.ROC_POINTS
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert auc(fpr, tpr) == pytest.approx(auc(*every), abs=1e-3)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("rows", [89, 400])
def test_reliability_bins_are_scikit_learns_quantile_bins(ties, rows):
    outcome, predicted = made(rows, ties=ties)
    found = curves.reliability_curve(outcome, predicted, confidence=0.95)
    observed, mean = calibration_curve(
        outcome, predicted, n_bins=curves.RELIABILITY_BINS, strategy="quantile"
    )
    np.testing.assert_allclose(found["observed"], observed)
    np.testing.assert_allclose(found["predicted"], mean)
    assert sum(found["n"]) == rows
    low, high = share_interval(observed * found["n"], found["n"], confidence=0.95)
    np.testing.assert_allclose(found["low"], low, atol=1e-12)
    np.testing.assert_allclose(found["high"], high, atol=1e-12)


def test_rows_of_double_weight_count_as_two_rows():
    outcome, predicted = made(60)
    twice = np.arange(60) % 2 + 1
    weighted = curves.reliability_curve(
        outcome, predicted, confidence=0.9, bins=1, design=Design.of(twice.astype(float))
    )
    plain = curves.reliability_curve(
        np.repeat(outcome, twice), np.repeat(predicted, twice), confidence=0.9, bins=1
    )
    assert weighted["observed"] == pytest.approx(plain["observed"])
    assert weighted["predicted"] == pytest.approx(plain["predicted"])
    assert weighted["low"][0] < plain["low"][0]  # 60 rows tell less than 90


def test_the_confusion_matrix_is_scikit_learns_also_of_a_class_without_rows():
    rng = np.random.default_rng(0)
    true, decided = rng.integers(0, 3, size=(2, 100))
    found = curves.confusion_matrix(true, decided, classes=4)
    assert found.tolist() == sklearn_matrix(true, decided, labels=range(4)).tolist()


def test_a_classifier_of_two_classes_has_all_three_curves_and_of_many_no_roc():
    positive, score = made(80)
    two = np.stack([1 - score, score], axis=1)
    options = {"confidence": 0.95}
    found = curves.classifier_curves(positive * 1, score > 0.5, two, positive=1, **options)
    assert set(found) == {"confusion", "reliability", "roc"}
    assert np.sum(found["confusion"]) == 80
    found = curves.classifier_curves(positive * 1, score > 0.5, two, positive=None, **options)
    assert set(found) == {"confusion", "reliability"}
    assert min(found["reliability"]["predicted"]) >= 0.5  # of the largest probability
    one = np.zeros(80, dtype=int)
    assert "roc" not in curves.classifier_curves(one, one, two, positive=1, **options)
