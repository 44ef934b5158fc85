"""Logged models take raw samples through MLflow, in a process and over HTTP."""

import json

import numpy as np
import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.inference.classify import predict_classifier
from plumbline.monitoring import training
from plumbline.runs import dvc_files, lineage, processes, records
from plumbline.tracking import models, pyfunc, store, sync
from tests.serving import folders
from tests.serving.server import Server


def log_model(root, folder):
    """Log a model folder as a stage does, and return its id and the folder of its files."""
    gone = {**processes.pipeline_of(2**22), "started": 1.0}
    book = records.open_record(root, f"train@{folder.name}", pipeline=gone)
    out = (names.MODEL_DIR / folder.name).as_posix()
    spec = dvc_files.StageSpec(book.fields["stage"], "", (), {}, (out,))
    lineage.keep_outputs(book, spec, root, root)
    dataset = ModelConfig.read(folder).dataset
    training.keep(book, [(names.PREPARED / dataset).as_posix()], root)
    book.update(outs={out: dvc_files.content_hash(root / out)})
    book.close(records.FINISHED)
    assert sync.sync(root) == sync.Outcome(0, 0, 0)
    opened = store.connect(root)
    (logged,) = opened.client.search_logged_models(
        [opened.experiment], filter_string=f"name = '{folder.name}'"
    )
    return logged.model_id, root / "mlartifacts/models" / logged.model_id / "artifacts"


def test_errors_of_the_predictor_have_the_code_that_a_server_answers_with_status_400(tmp_path):
    from mlflow.exceptions import MlflowException

    model = pyfunc._load_pyfunc(str(folders.fnn(tmp_path)[0]))
    with pytest.raises(MlflowException) as caught:
        model.predict(pd.DataFrame({"raw weight": [1.0]}), params={})
    assert caught.value.get_http_status_code() == 400
    assert caught.value.message == (
        "fnn: columns must include ['raw height'], got ['raw weight']; names are case-sensitive"
    )


def test_logged_models_bring_encoding_signature_example_and_no_pickle(home):
    from mlflow.models import Model

    for make in folders.ALL.values():
        folder, data = make(home)
        _, files = log_model(home, folder)
        assert DatasetSchema.read(files / "prepared") == DatasetSchema.read(data)
        described = Model.load(str(files))
        assert set(described.signature.inputs.input_names()) == set(described.metadata["inputs"])
        found = pyfunc._load_pyfunc(str(files)).predict(described.load_input_example(str(files)))
        assert list(found) == described.signature.outputs.input_names()
        pins = f"\n{(files / 'requirements.txt').read_text()}"
        assert all(f"\n{name}==" in pins for name in ("torch", "skops", "safetensors", "mlflow"))
        own = {p.relative_to(files).as_posix() for p in files.rglob("*") if p.is_file()}
        kept = {name for name in own if not models.is_description(name)}
        assert kept == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert {name.rpartition(".")[2] for name in own} <= {
            "MLmodel", "txt", "yaml", "json", "safetensors", "skops",
        }  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint")  # MLflow about its own classes
def test_mlflow_loads_a_logged_model_that_takes_whole_numbers_for_numbers(home):
    import mlflow

    folder, data = folders.fnn(home)
    model_id, _ = log_model(home, folder)
    mlflow.set_tracking_uri(store.address(home))
    restored = mlflow.pyfunc.load_model(f"models:/{model_id}")
    rows = folders.raw_rows(data)
    found = restored.predict(rows)
    want = predict_classifier(folder, data).scores()
    np.testing.assert_array_equal(found[["score_low", "score_high"]].to_numpy(), want)
    pd.testing.assert_frame_equal(restored.get_raw_model().predict(rows), found)
    whole = restored.predict(rows.round()[["raw weight", "raw height"]].astype("int64"))
    assert len(whole) == len(rows)
    with pytest.raises(mlflow.exceptions.MlflowException, match="columns must include"):
        restored.predict(rows[["raw weight"]])
    downloaded = models.download(home, f"models:/{model_id}", where="predict")
    assert ModelConfig.read(downloaded) == ModelConfig.read(folder)


@pytest.mark.slow
def test_a_served_model_predicts_raw_rows_and_answers_faults_with_status_400(home, tmp_path):
    folder, data = folders.baseline(home)
    _, files = log_model(home, folder)
    rows = folders.raw_rows(data)[["raw weight", "raw height"]]
    want = pyfunc._load_pyfunc(str(files)).predict(rows)
    with Server(files, tmp_path / "server.log") as server:
        for status, answer in (
            server.ask({"dataframe_split": json.loads(rows.to_json(orient="split"))}),
            server.ask({"dataframe_records": rows.to_dict("records")}),
            server.ask({"inputs": rows.to_dict("list")}),
            server.ask(rows.to_parquet(index=False), "application/vnd.apache.parquet"),
        ):
            assert status == 200, answer
            found = pd.DataFrame(answer["predictions"])
            assert found["decision"].tolist() == want["decision"].tolist()
            np.testing.assert_allclose(found["score_high"], want["score_high"], atol=1e-6)
        faults = {
            "columns must include ['raw height']": [{"raw weight": 1}],
            "'raw weight' must be numeric": [{"raw weight": "heavy", "raw height": 1}],
            "'raw height' must have a value": [{"raw weight": 1, "raw height": None}],
            "columns must include": [],
        }
        for message, records_ in faults.items():
            status, answer = server.ask({"dataframe_records": records_})
            assert status == 400, answer
            assert message in answer["message"]
        empty = {"columns": list(rows), "data": []}
        status, answer = server.ask({"dataframe_split": empty})
        assert (status, "input must have a row, got none" in answer["message"]) == (400, True)
    assert artifacts.digest(files / "config.json") == artifacts.digest(folder / "config.json")
