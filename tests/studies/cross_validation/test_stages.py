"""The stages of the folds, driven by DVC, against scikit-learn's own cross-validation."""

import json
import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from plumbline.classical.tabular import GRIDS
from plumbline.studies.cross_validation.parts import Scheme, fold_parts
from tests.clone import Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FOLDS = 5
LAB = "studies/fairness"
TARGET = f"{LAB}/dvc.yaml:cross_validate"
# Those that draw no random numbers, each with where its settings stand in a pipeline.
ESTIMATORS = {
    "logistic_regression": (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), "logisticregression__"
    ),
    "svm": (
        CalibratedClassifierCV(make_pipeline(StandardScaler(), SVC()), ensemble=False, cv=5),
        "estimator__svc__",
    ),
    "gradient_boosting": (HistGradientBoostingClassifier(max_iter=100, early_stopping=False), ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def folded(root, tmp_path_factory):
    """A clone in which ``dvc repro cross_validate`` was run."""
    made = Clone(root, tmp_path_factory.mktemp("folded") / "plumbline")
    made.run(f"dvc repro {TARGET}")
    return made


@pytest.fixture(scope="module")
def table(folded):
    return pd.read_parquet(folded.folder / "data/prepared/tabular/table.parquet")


def read(folded, name):
    return json.loads((folded.folder / "reports" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("model", ESTIMATORS)
def test_the_aggregate_is_that_of_scikit_learn_on_the_same_folds(folded, table, model):
    schema = json.loads((folded.folder / "data/prepared/tabular/schema.json").read_text())
    x, y = table[schema["features"]].to_numpy(), table["y"].to_numpy()
    estimator, prefix = ESTIMATORS[model]
    grid = {prefix + name: list(values) for name, values in GRIDS[model].items()}
    values, ratios = [], []
    for fold in range(FOLDS):
        scheme = Scheme("stratified", FOLDS)
        parts = fold_parts(
            table,
            scheme,
            fold,
            classes=schema["classes"],
            salt=schema["source"],
            features=schema["features"],
        )
        search = GridSearchCV(
            estimator, grid, scoring="roc_auc", cv=[(parts.fitted, parts.chosen_on)], refit=False
        ).fit(x, y)
        best = estimator.set_params(**search.best_params_)
        split = [(parts.fitted, parts.held_out)]
        values.append(cross_val_score(best, x, y, scoring="roc_auc", cv=split)[0])
        ratios.append(len(parts.held_out) / len(parts.fitted))
        theirs = {name.removeprefix(prefix): value for name, value in search.best_params_.items()}
        assert read(folded, f"folds/{fold}.json")["models"][model]["settings"] == theirs
    found = read(folded, "cross_validation.json")["models"][model]
    assert found["folds"] == pytest.approx(values, abs=1e-9)
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-9)
    assert found["standard_deviation"] == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    half = t.ppf(0.975, FOLDS - 1) * np.sqrt((1 / FOLDS + np.mean(ratios)) * np.var(values, ddof=1))
    wanted = [np.mean(values) - half, min(np.mean(values) + half, 1)]
    assert found["interval"] == pytest.approx(wanted, abs=1e-9)


def test_each_row_that_is_no_test_row_is_held_out_by_one_stage(folded, table):
    rows = read(folded, "cross_validation.json")["rows"]
    assert sum(rows["held_out"]) == (table["split"] != "test").sum()
    for sizes in zip(*rows.values(), strict=True):
        assert sum(sizes) == sum(rows["held_out"])


def test_a_fold_is_a_stage_of_its_own_and_none_is_run_again_without_cause(folded):
    told = folded.run(f"dvc repro {TARGET}")
    assert "Running stage" not in told
    (folded.folder / "reports/folds/3.json").unlink()
    told = folded.run(f"dvc repro --no-run-cache --force {LAB}/dvc.yaml:fold@3")
    assert told.count(f"Running stage '{LAB}/dvc.yaml:fold@") == 1
    assert "Running stage" not in folded.run(f"dvc repro {TARGET}")  # the same bytes again


def test_folds_that_no_stage_makes_stop_the_stages_and_leave_what_was_there(folded):
    path, lock = (
        folded.folder / LAB / "params.yaml",
        (folded.folder / LAB / "dvc.lock").read_bytes(),
    )
    kept = path.read_text(encoding="utf-8")
    path.write_text(kept.replace(f"folds: {FOLDS}", "folds: 4"), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != kept
    try:
        done = subprocess.run(
            ["dvc", "repro", TARGET], cwd=folded.folder, env=folded.env, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
    finally:
        path.write_text(kept, encoding="utf-8")
    assert done.returncode != 0
    assert (
        "dvc.yaml: folds of stage fold must be 0…3 (cross_validation.folds is 4), got 0, 1, 2, 3, "
        "4; change the list or the parameter"
    ) in done.stderr
    assert (folded.folder / LAB / "dvc.lock").read_bytes() == lock
