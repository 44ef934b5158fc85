"""Files of estimators: equal bytes, equal predictions, and nothing of a forged file is run."""

import os
import pickle
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops

from plumbline.classical.estimators import load_estimator, save_estimator
from plumbline.classical.tabular import GRIDS, SvmSize, fit_models
from plumbline.errors import ArtifactError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(90, 3))
CODES = (X @ [1.0, -1.0, 0.5] > 0).astype(int) + (X[:, 0] > 1)
TRAIN, VAL = np.arange(60), np.arange(60, 90)


def fitted(*, regression, max_rows, weighted):
    y = X @ [1.0, -1.0, 0.5] if regression else CODES
    weights = RNG.uniform(1, 2, size=90)
    return fit_models(
        tuple(GRIDS), train=(X[TRAIN], y[TRAIN]), val=(X[VAL], y[VAL]), regression=regression,
        seed=1, svm=SvmSize(max_rows, 20, max_rows + 1000),
        weights=(weights[TRAIN], weights[VAL]) if weighted else None,
    )  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("max_rows", [1000, 10])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_model_predicts_the_same_after_reading(tmp_path, regression, max_rows, weighted):
    for model in fitted(regression=regression, max_rows=max_rows, weighted=weighted):
        path = tmp_path / f"{model.name}.skops"
        save_estimator(path, model.estimator)
        found = type(model)(model.name, load_estimator(path))
        np.testing.assert_array_equal(found.scores(X), model.scores(X))


WRITE = """
import sys
from pathlib import Path
import numpy as np
from plumbline.classical.estimators import save_estimator
from plumbline.classical.tabular import GRIDS, SvmSize, fit_models
x = np.random.default_rng(0).normal(size=(60, 2))
y = (x.sum(axis=1) > 0).astype(int)
for model in fit_models(tuple(GRIDS), train=(x[:40], y[:40]), val=(x[40:], y[40:]),
                        regression=False, seed=1, svm=SvmSize(100, 10, 100)):
    save_estimator(Path(sys.argv[1]) / model.name, model.estimator)
"""


def test_two_processes_write_the_same_bytes(tmp_path, monkeypatch):
    """Objects lie elsewhere in memory, strings hash otherwise, and a zip archive's clock shows
    two seconds later.
    """
    monkeypatch.setattr(sys, "argv", ["here", str(tmp_path / "one")])
    exec(WRITE, {})
    time.sleep(2.1)
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path / "two")], check=True, env=environment
    )
    for model in GRIDS:
        one, two = (tmp_path / name / model for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_file_that_names_another_function_is_refused(tmp_path):
    forged = FunctionTransformer(os.mkdir)
    path = tmp_path / "baseline" / "svm.skops"
    save_estimator(path, forged)
    with pytest.raises(ArtifactError) as caught:
        load_estimator(path)
    assert str(caught.value) == (
        f"baseline/svm.skops: types must be those of the classical models, got {os.name}.mkdir; "
        "do not use a file of unknown origin"
    )
    # The file is not refused for another reason: skops reads it if told to trust the function.
    skops.loads(path.read_bytes(), trusted=[f"{os.name}.mkdir"])


class Pickled:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    marker, path = tmp_path / "made", tmp_path / "svm.skops"
    path.write_bytes(pickle.dumps(Pickled(str(marker))))
    with pytest.raises(ArtifactError, match=r"svm\.skops: content must be a skops file, got: "):
        load_estimator(path)
    assert not marker.exists()


def test_an_archive_without_a_schema_is_refused(tmp_path):
    path = tmp_path / "svm.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.json", "{}")
    with pytest.raises(ArtifactError, match=r"svm\.skops: content must be a skops file, got: "):
        load_estimator(path)
