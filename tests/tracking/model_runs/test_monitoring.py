"""Monitoring reports are runs, and a logged model finds what the pipeline measured of it."""

import time

import pytest

from plumbline import artifacts, names
from plumbline.cli.main import main
from plumbline.errors import ArtifactError
from plumbline.monitoring import pages, training
from plumbline.tracking import models, store
from plumbline.tracking.model_runs import monitoring
from plumbline.tracking.model_runs.delivery import _MARK
from tests.serving import folders
from tests.tracking.test_pyfunc import log_model


def monitored(home):
    opened = store.client_of(home)
    experiment = opened.get_experiment_by_name(monitoring.EXPERIMENT)
    return opened, opened.search_runs([experiment.experiment_id])


def model_run(home, digest):
    """Log a model run as a pipeline does: its audit, its metrics, and the hash of the model."""
    opened = store.connect(home)
    tags = {"dvc.model": digest, "model": "fnn", _MARK: "key/fnn"}
    run = opened.client.create_run(opened.models, start_time=int(time.time() * 1000), tags=tags)
    metrics = {"curves": {"classes": ["low", "high"], "confusion": [[30, 5], [5, 60]]}, "n": 100}
    audit = {"model": "fnn", "attributes": ["sex"], "rows": [
        {"attribute": "sex", "group": "male", "metric": "accuracy", "n": 50, "value": 0.8,
         "low": 0.7, "high": 0.9, "verdict": None}]}  # fmt: skip
    opened.client.log_dict(run.info.run_id, metrics, "metrics/fnn.json")
    opened.client.log_dict(run.info.run_id, audit, "audits/fnn.json")


def test_a_logged_model_brings_its_training_summary_and_its_reports(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (home / "dvc.yaml").write_text("stages: {}\n")
    folder, data = folders.fnn(home)
    want = training.summarise(data)
    rows = folders.raw_rows(data, names.TRAIN)
    rows.to_csv("new.csv", index=False)
    model_id, files = log_model(home, folder)
    assert training.read(files / "prepared") == want
    downloaded = models.download(home, f"models:/{model_id}", where="monitor")
    assert monitoring.fetch_reports(home, downloaded, where="monitor") is None
    digest = store.client_of(home).get_logged_model(model_id).tags["plumbline.digest"]
    model_run(home, digest)
    for file in (*data.iterdir(), *folder.iterdir()):
        file.unlink()  # the work tree's own data and model
    assert main(["monitor", f"models:/{model_id}", "new.csv", "--root", str(home)]) in (0, 1)
    found = artifacts.read_json(tmp_path / "monitoring" / pages.DATA)
    assert (found["training_rows"], found["test_rows"]) == (60, 100)
    decided = [line for line in found["lines"] if line["part"] == "decision"]
    assert {line["name"]: line["reference"] for line in decided} == {"low": 0.35, "high": 0.65}
    client, (run,) = monitored(home)
    assert run.info.run_name == "fnn · new.csv"
    assert run.info.status == "FINISHED"
    assert run.data.tags["model.address"] == f"models:/{model_id}"
    assert run.data.metrics["rows"] == 60
    assert run.data.metrics["distribution/raw weight"] == 0.0
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {
        pages.PAGE, pages.DATA, pages.FIGURE,
    }  # fmt: skip
    client.create_registered_model("patients")
    place = client.get_logged_model(model_id).artifact_location
    version = client.create_model_version("patients", place)
    client.set_registered_model_alias("patients", "champion", version.version)
    for address in (f"models:/patients/{version.version}", "models:/patients@champion"):
        assert models.download(home, address, where="monitor") == downloaded
    out = tmp_path / "predicted.parquet"
    asked = ["predict", f"models:/{model_id}", "new.csv", "--root", str(home), "--out", str(out)]
    assert main([*asked, "--reliability"]) == 0


def test_a_store_that_has_no_such_model_is_an_error(home, tmp_path):
    store.connect(home)
    (tmp_path / "MLmodel").write_text("model_id: m-none\n")
    with pytest.raises(ArtifactError, match="monitor: reports of m-none must be in the store"):
        monitoring.fetch_reports(home, tmp_path, where="monitor")
