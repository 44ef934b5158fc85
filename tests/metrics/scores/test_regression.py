"""Regression metrics against scikit-learn."""

import numpy as np
import pytest

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.intervals import proportions
from plumbline.metrics.scores import regression


def test_every_metric_equals_scikit_learn_for_every_column_of_weights():
    from sklearn import metrics as peer

    rng = np.random.default_rng(0)
    y_true = 1e3 + rng.normal(size=50)
    y_pred = y_true + rng.normal(size=50)
    weights = proportions.resample_weights(50, replicates=20, seed=2)
    ours = regression.weighted_metrics(y_true, y_pred, weights=weights)
    for b in range(20):
        w = weights[:, b]
        expected = {
            names.RMSE: peer.root_mean_squared_error(y_true, y_pred, sample_weight=w),
            names.MAE: peer.mean_absolute_error(y_true, y_pred, sample_weight=w),
            names.R2: peer.r2_score(y_true, y_pred, sample_weight=w),
        }
        for name, value in expected.items():
            assert ours[name][b] == pytest.approx(value, rel=1e-9), name


def test_where_the_truth_does_not_vary_r_squared_is_undefined():
    metrics = regression.weighted_metrics([3.0, 3.0], [2.0, 4.0])
    assert np.isnan(metrics[names.R2][0])
    assert metrics[names.RMSE][0] == 1


def test_lengths_must_agree():
    with pytest.raises(MetricError) as error:
        regression.weighted_metrics([1.0], [1.0, 2.0])
    expected = "regression: y_true and y_pred must have one length >= 1, got 1 and 2"
    assert str(error.value) == expected
