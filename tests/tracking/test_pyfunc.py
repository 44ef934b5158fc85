from types import SimpleNamespace

import numpy as np
import pytest
import torch

from plumbline import artifacts, models
from plumbline.classical.folders import fit_baseline
from plumbline.errors import ArtifactError
from plumbline.inference.classical import predict_baseline
from plumbline.params.models import BaselineParams
from plumbline.runs import processes
from plumbline.tracking import pyfunc
from tests.prepared_folders import BASELINE, write_table_folder

INPUTS = ({"name": "features", "dtype": "float32", "shape": [-1, 3]},)
OUTPUTS = ({"name": "logits", "dtype": "float32", "shape": [-1, 2]},)


def config(**more) -> artifacts.ModelConfig:
    fields = {"inputs": INPUTS, "outputs": OUTPUTS, **more}
    return artifacts.ModelConfig("fnn", "fnn", {}, "classification", "tabular", "toy", **fields)


def saved(folder, **more):
    arguments = {
        "inputs": 3, "outputs": 2, "hidden": [4], "activation": "relu", "dropout": 0.5,
        "norm": "none", "init": "default",
    }  # fmt: skip
    torch.manual_seed(0)
    network = models.build("fnn", **arguments).eval()
    fields = {"inputs": INPUTS, "outputs": OUTPUTS, **more}
    described = artifacts.ModelConfig(
        "fnn", "fnn", arguments, "classification", "tabular", "toy", **fields
    )
    artifacts.save_model(folder, network.state_dict(), described)
    return network


def test_an_array_goes_in_and_comes_out_as_the_network_computes_it(tmp_path):
    network = saved(tmp_path / "fnn")
    model = pyfunc._load_pyfunc(str(tmp_path / "fnn"))
    x = np.arange(6.0).reshape(2, 3)  # float64: the signature's type is made
    got = model.predict(x)
    with torch.inference_mode():
        want = network(torch.from_numpy(x).float()).numpy()
    np.testing.assert_array_equal(got, want)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(model.predict({"features": x}, params={}), got)


def test_features_that_are_inputs_of_their_own_become_the_columns_of_one_array(tmp_path):
    inputs = tuple({"name": n, "dtype": "float32", "shape": [-1]} for n in ("a", "b", "c"))
    network = saved(tmp_path / "fnn", inputs=inputs)
    x = np.arange(6, dtype="float32").reshape(2, 3)
    got = pyfunc._load_pyfunc(str(tmp_path / "fnn")).predict(
        {"c": x[:, 2], "a": x[:, 0], "b": x[:, 1]}
    )
    with torch.inference_mode():
        np.testing.assert_array_equal(got, network(torch.from_numpy(x)).numpy())


def fit_classical(root, task, decision="argmax"):
    data = write_table_folder(root / "tabular", task=task)
    parameters = BaselineParams(
        tabular=("logistic_regression", "gradient_boosting"),
        **{**BASELINE, "classification": {"class_weights": "none", "decision": decision}},
        ngram_orders=(2,),
    )  # fmt: skip
    fitted = fit_baseline(parameters, data=data, context=SimpleNamespace(seed=0))
    fitted.save(root / "baseline")
    return data


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_classical_models_predict_from_their_features(tmp_path, task):
    data = fit_classical(tmp_path, task)
    predictions = predict_baseline(tmp_path / "baseline", data)
    rows = artifacts.read_split_table(data).query("split == 'test'")
    inputs = {name: rows[name].to_numpy() for name in ("height", "weight")}
    got = pyfunc._load_pyfunc(str(tmp_path / "baseline")).predict(inputs)
    binary = task == "binary"
    want = predictions.scores() if binary else predictions.table["y_pred"].to_numpy()
    np.testing.assert_array_equal(got, want)


def test_several_inputs_and_outputs_go_by_name():
    pair = tuple({"name": name, "dtype": "float32", "shape": [-1, 2]} for name in ("a", "b"))
    outputs = ({"name": "sum", "dtype": "float32"}, {"name": "dot", "dtype": "float32"})
    model = pyfunc.ArrayModel(
        lambda a, b: (a + b, (a * b).sum(axis=1)), config(inputs=pair, outputs=outputs)
    )
    got = model.predict({"b": np.array([[1, 2]]), "a": np.array([[3, 4]])})
    np.testing.assert_array_equal(got["sum"], [[4, 6]])
    np.testing.assert_array_equal(got["dot"], [11])
    with pytest.raises(ArtifactError) as caught:
        model.predict({"a": np.zeros((1, 2))})
    assert str(caught.value) == "fnn: inputs must include ['b'], got ['a']"


def restored_by_mlflow(root, folder):
    """Log a model folder, and load it as a user does: from the store's address and its id alone."""
    import mlflow

    from plumbline.runs import records
    from plumbline.tracking import store, sync

    described = artifacts.ModelConfig.read(folder)
    signature = {"inputs": list(described.inputs), "outputs": list(described.outputs)}
    gone = {**processes.pipeline_of(2**22), "started": 1.0}
    path = f"data/models/{folder.name}"
    model = {"path": path, "signature": signature}
    book = records.open_record(root, f"train@{folder.name}", pipeline=gone, model=model)
    book.keep(folder, path)
    book.close(records.FINISHED)
    assert sync.sync(root) == sync.Outcome(0, 0, 0)
    opened = store.connect(root)
    (logged,) = opened.client.search_logged_models([opened.experiment])
    mlflow.set_tracking_uri(store.address(root))
    return mlflow.pyfunc.load_model(f"models:/{logged.model_id}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint")  # MLflow about its own classes
def test_a_logged_network_is_restored_by_mlflow_and_predicts_the_same(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    network = saved(tmp_path / "fnn")
    restored = restored_by_mlflow(tmp_path, tmp_path / "fnn")
    x = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
    with torch.inference_mode():
        want = network(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(restored.predict(x), want)
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"[Ss]hape"):
        restored.predict(np.zeros((4, 5), "float32"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint")  # MLflow about its own classes
@pytest.mark.parametrize("decision", ["argmax", 0.9])
def test_logged_classical_models_predict_from_rows_of_the_table(tmp_path, monkeypatch, decision):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    data = fit_classical(tmp_path, "binary", decision)
    restored = restored_by_mlflow(tmp_path, tmp_path / "baseline")
    rows = artifacts.read_split_table(data).query("split == 'test'")
    rows = rows.reset_index(drop=True)  # MLflow reads the row of index 0
    want = predict_baseline(tmp_path / "baseline", data)
    got = restored.predict(rows[["height", "weight"]])
    if decision != "argmax":
        assert set(got) == {"probabilities", "decision"}
        np.testing.assert_array_equal(got["decision"], want.table["y_pred"])
        got = got["probabilities"]
    np.testing.assert_array_equal(got, want.scores())
