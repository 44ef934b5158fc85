"""Occlusion of features by the mean row."""

import numpy as np
import pytest

from plumbline import artifacts
from plumbline.classical.folders import restore_model
from plumbline.inference.explanations.explain import explain
from plumbline.inference.explanations.tables import occlude
from tests.serving import folders


def test_occlusion_of_a_linear_model_is_weight_times_step():
    weights, baseline = np.array([2.0, -0.5, 0.0]), np.array([1.0, 10.0, -3.0])
    rows = np.array([[0.0, 12.0, 5.0], [4.0, 10.0, -3.0]])
    found = occlude(lambda x: (x @ weights)[:, None], rows, baseline, np.zeros(2, dtype=int))
    assert found.tolist() == [[-2.0, -1.0, 0.0], [6.0, 0.0, 0.0]]


def test_classical_models_are_explained_by_probabilities_with_one_feature_at_its_mean(tmp_path):
    model, data = folders.baseline(tmp_path)
    found = explain(model, data)
    assert (found.method, found.output) == ("occlusion", "probability of high")
    fitted, _ = restore_model(model)
    table = artifacts.read_split_table(data)
    test = table[table["split"] == "test"][["weight", "height"]].to_numpy()
    changed = test.copy()
    changed[:, 0] = table.loc[table["split"] == "train", "weight"].mean()
    before, after = (fitted.scores(each)[:, 1] for each in (test, changed))
    assert found.table["weight"].to_numpy() == pytest.approx(before - after)
    assert found.table["probability"].to_numpy() == pytest.approx(before)
    assert np.isnan(found.gap)


def test_a_classical_regression_is_explained_by_its_value(tmp_path):
    model, data = folders.baseline(tmp_path, "regression")
    found = explain(model, data, max_rows=3)
    assert found.output == "value"
    assert found.table["weight"].abs().max() > 0
    assert found.table["probability"].isna().all()
