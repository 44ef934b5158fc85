"""One fold of real models: held-out rows have no say in what scores them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from plumbline import artifacts
from plumbline.classical.tabular import SvmSize
from plumbline.studies.cross_validation.parts import Scheme, fold_parts
from plumbline.studies.cross_validation.scoring import fold_scores
from tests.prepared_folders import write_table_folder

SCHEME = Scheme("stratified", 4)
SVM = SvmSize(5000, 300, 5000)


def test_a_value_is_that_of_scikit_learn_on_the_held_out_rows(tmp_path):
    folder = write_table_folder(tmp_path / "tabular")
    table = pd.read_parquet(folder / "table.parquet")
    table["y"] = (table["height"] > 170).astype("int64") ^ (np.arange(100) % 7 == 0)
    artifacts.write_table(folder / "table.parquet", table)
    found = fold_scores(folder, SCHEME, 1, models=["logistic_regression"], svm=SVM, seed=0)
    parts = fold_parts(table, SCHEME, 1, classes=("low", "high"), salt="made_up")
    assert found["rows"] == {"fitted": 45, "chosen_on": 15, "held_out": 20}
    model = found["models"]["logistic_regression"]
    x, y = table[["weight", "height"]].to_numpy(), table["y"].to_numpy()
    mine = make_pipeline(StandardScaler(), LogisticRegression(**model["settings"], max_iter=2000))
    mine.fit(x[parts.fitted], y[parts.fitted])
    scores = mine.predict_proba(x[parts.held_out])[:, 1]
    assert model["value"] == pytest.approx(roc_auc_score(y[parts.held_out], scores), abs=1e-12)
    assert 0.5 < model["value"] < 1.0


def test_other_held_out_labels_change_the_value_and_not_the_settings(tmp_path):
    folder = write_table_folder(tmp_path / "tabular")
    table = pd.read_parquet(folder / "table.parquet")
    scheme = Scheme("k_fold", 4)
    parts = fold_parts(table, scheme, 0, classes=("low", "high"), salt="made_up")
    before = fold_scores(folder, scheme, 0, models=["decision_tree"], svm=SVM, seed=0)
    table.loc[parts.held_out, "y"] = 1 - table.loc[parts.held_out, "y"]
    artifacts.write_table(folder / "table.parquet", table)
    after = fold_scores(folder, scheme, 0, models=["decision_tree"], svm=SVM, seed=0)
    old, new = (found["models"]["decision_tree"] for found in (before, after))
    assert (old["settings"], old["chosen_at"]) == (new["settings"], new["chosen_at"])
    assert new["value"] == pytest.approx(1 - old["value"])
    assert old["value"] > 0.9


def test_class_weights_and_a_bound_on_rows_hold_in_a_fold(tmp_path):
    folder = write_table_folder(tmp_path / "tabular")
    table = pd.read_parquet(folder / "table.parquet")
    table["y"] = ((table["height"] > 170.5) ^ (np.arange(100) % 5 == 0)).astype("int64")
    artifacts.write_table(folder / "table.parquet", table)
    how = {"models": ["logistic_regression"], "svm": SVM, "seed": 0}
    found = fold_scores(folder, SCHEME, 1, **how, class_weights="balanced")
    model = found["models"]["logistic_regression"]
    parts = fold_parts(table, SCHEME, 1, classes=("low", "high"), salt="made_up")
    x, y = table[["weight", "height"]].to_numpy(), table["y"].to_numpy()
    mine = make_pipeline(
        StandardScaler(),
        LogisticRegression(**model["settings"], max_iter=2000, class_weight="balanced"),
    )
    mine.fit(x[parts.fitted], y[parts.fitted])
    scores = mine.predict_proba(x[parts.held_out])[:, 1]
    assert model["value"] == pytest.approx(roc_auc_score(y[parts.held_out], scores), abs=1e-12)
    assert "drawn" not in model
    bounded = fold_scores(folder, SCHEME, 1, **how, max_rows=30)
    assert bounded["rows"]["fitted"] == 45
    assert bounded["models"]["logistic_regression"]["drawn"] == 30


def test_a_number_is_scored_by_r_squared(tmp_path):
    folder = write_table_folder(tmp_path / "tabular", task="regression")
    found = fold_scores(
        folder, Scheme("k_fold", 4), 0, models=["logistic_regression"], svm=SVM, seed=0
    )
    assert found["quantity"] == "r_squared"
    assert found["models"]["ridge_regression"]["value"] > 0.99  # the target is linear


def test_weights_count_and_entities_are_said(tmp_path):
    folder = write_table_folder(tmp_path / "tabular")
    table = pd.read_parquet(folder / "table.parquet")
    table["y"] = (table["height"] > 170).astype("int64") ^ (np.arange(100) % 7 == 0)
    table["entity"] = [f"{split}-{k // 10}" for k, split in enumerate(table["split"])]
    table["sample_weight"] = 1.0 + np.arange(100) % 5
    artifacts.write_table(folder / "table.parquet", table)
    found = fold_scores(folder, SCHEME, 1, models=["logistic_regression"], svm=SVM, seed=0)
    assert (found["entities"], found["weighted"]) == (20, True)  # ten of either split
    parts = fold_parts(table, SCHEME, 1, classes=("low", "high"), salt="made_up")
    model = found["models"]["logistic_regression"]
    x, y = table[["weight", "height"]].to_numpy(), table["y"].to_numpy()
    w = table["sample_weight"].to_numpy()
    fitted = w[parts.fitted]
    scaler = StandardScaler().fit(x[parts.fitted])
    mine = LogisticRegression(**model["settings"], max_iter=2000)
    mine.fit(scaler.transform(x[parts.fitted]), y[parts.fitted], fitted / fitted.mean())
    scores = mine.predict_proba(scaler.transform(x[parts.held_out]))[:, 1]
    area = roc_auc_score(y[parts.held_out], scores, sample_weight=w[parts.held_out])
    assert model["value"] == pytest.approx(area, abs=1e-9)
