import numpy as np
import pytest
import torch

from plumbline import artifacts, models
from plumbline.errors import ArtifactError
from plumbline.runs import processes
from plumbline.tracking import pyfunc

INPUTS = ({"name": "features", "dtype": "float32", "shape": [-1, 3]},)
OUTPUTS = ({"name": "logits", "dtype": "float32", "shape": [-1, 2]},)


def config(**more) -> artifacts.ModelConfig:
    fields = {"inputs": INPUTS, "outputs": OUTPUTS, **more}
    return artifacts.ModelConfig("fnn", "fnn", {}, "classification", "tabular", "toy", **fields)


class TwoOutputs(torch.nn.Module):
    def forward(self, a, b):
        return a + b, (a * b).sum(1)


def test_an_array_goes_in_and_comes_out_as_the_network_computes_it():
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2).eval()
    x = np.arange(6.0).reshape(2, 3)  # float64: the signature's type is made
    got = pyfunc.ArrayModel(network, config()).predict(x)
    want = x @ network.weight.detach().numpy().T + network.bias.detach().numpy()
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)  # float32 sums of size 1
    assert got.dtype == np.float32
    np.testing.assert_array_equal(
        pyfunc.ArrayModel(network, config()).predict({"features": x}, params={}), got
    )


def test_several_inputs_and_outputs_go_by_name():
    pair = tuple({"name": name, "dtype": "float32", "shape": [-1, 2]} for name in ("a", "b"))
    outputs = ({"name": "sum", "dtype": "float32"}, {"name": "dot", "dtype": "float32"})
    model = pyfunc.ArrayModel(TwoOutputs(), config(inputs=pair, outputs=outputs))
    got = model.predict({"b": np.array([[1, 2]]), "a": np.array([[3, 4]])})
    np.testing.assert_array_equal(got["sum"], [[4, 6]])
    np.testing.assert_array_equal(got["dot"], [11])
    with pytest.raises(ArtifactError) as caught:
        model.predict({"a": np.zeros((1, 2))})
    assert str(caught.value) == "fnn: inputs must include ['b'], got ['a']"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint")  # MLflow about its own classes
def test_a_logged_model_is_restored_by_mlflow_and_predicts_the_same(tmp_path, monkeypatch):
    """The way a user has it: from the store's address and the model's id alone."""
    from plumbline.runs import records
    from plumbline.tracking import store, sync

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    arguments = {
        "inputs": 3, "outputs": 2, "hidden": [4], "activation": "relu", "dropout": 0.5,
        "norm": "none", "init": "default",
    }  # fmt: skip
    network = models.build("fnn", **arguments).eval()
    described = artifacts.ModelConfig(
        "fnn", "fnn", arguments, "classification", "tabular", "toy", inputs=INPUTS, outputs=OUTPUTS
    )
    artifacts.save_model(tmp_path / "fnn", network.state_dict(), described)
    signature = {"inputs": list(INPUTS), "outputs": list(OUTPUTS)}
    gone = {**processes.pipeline_of(2**22), "started": 1.0}
    model = {"path": "data/models/fnn", "signature": signature}
    book = records.open_record(tmp_path, "train_fnn", pipeline=gone, model=model)
    book.keep(tmp_path / "fnn", "data/models/fnn")
    book.close(records.FINISHED)
    assert sync.sync(tmp_path) == sync.Outcome(0, 0, 0)
    opened = store.connect(tmp_path)
    (logged,) = opened.client.search_logged_models([opened.experiment])
    import mlflow

    mlflow.set_tracking_uri(store.address(tmp_path))
    restored = mlflow.pyfunc.load_model(f"models:/{logged.model_id}")
    x = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
    with torch.inference_mode():
        want = network(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(restored.predict(x), want)
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"[Ss]hape"):
        restored.predict(np.zeros((4, 5), "float32"))
