"""The whole pipeline in a fresh clone, on reduced parameters, as a newcomer would run it."""

import json
import math
import resource
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_digits

from plumbline import artifacts, catalog, names, stage
from plumbline.artifacts import Predictions
from plumbline.cli.main import main
from plumbline.compat import torchvision
from plumbline.monitoring import pages
from plumbline.runs import dvc_files
from plumbline.tracking import store
from tests.clone import Clone
from tests.serving.server import AppServer, Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def mlflow_runs(clone: Clone, experiment: str = "plumbline") -> list:
    client = store.client(f"sqlite:///{clone.folder / 'mlflow.db'}")
    ids = [e.experiment_id for e in client.search_experiments() if e.name == experiment]
    assert len(ids) == 1
    return client.search_runs(ids, max_results=1000)


def default_pipeline(clone: Clone) -> list[dvc_files.StageSpec]:
    return [spec for spec in dvc_files.stages(clone.folder).values() if not spec.lab]


def processor_seconds() -> float:
    """What all processes that were waited for have used: a busy machine adds little to it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_first_run_leaves_every_output_and_prints_every_model(clone):
    for spec in default_pipeline(clone):
        for out in spec.outs:
            assert (clone.folder / out).exists(), out
    for model in catalog.models():
        assert model in clone.first
        assert (clone.folder / names.CARDS / f"{model}.md").exists()
        assert (clone.folder / names.AUDITS / f"{model}.json").exists()
    assert "reports/index.html" in clone.first


def test_mlflow_holds_a_pipeline_run_and_a_child_run_per_stage(clone):
    clone.run("plumbline sync")  # on a busy machine repro does not wait for all of it
    runs = mlflow_runs(clone)
    parents = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    children = [r for r in runs if "mlflow.parentRunId" in r.data.tags]
    assert len(parents) == 1
    assert {r.info.run_name for r in children} == {spec.name for spec in default_pipeline(clone)}
    assert {r.info.status for r in runs} == {"FINISHED"}


def test_mlflow_holds_a_run_per_model_with_its_main_metric(clone):
    runs = mlflow_runs(clone, "plumbline models")
    assert sorted(r.info.run_name.partition(" ")[0] for r in runs) == sorted(catalog.models())
    for run in runs:
        model = run.info.run_name.partition(" ")[0]
        assert run.info.status == "FINISHED"
        assert f"test/{catalog.model(model).main_metric}" in run.data.metrics


def outputs(clone: Clone) -> int:
    return sum(len(spec.outs) for spec in default_pipeline(clone))


def test_a_clean_clone_gives_the_same_bits_and_stays_clean(clone, tmp_path):
    """In another folder, with another hash seed and time zone; `make verify` is tried elsewhere."""
    copy = clone.snapshot(tmp_path / "copy")
    elsewhere = {"PYTHONPATH": str(copy / "src"), "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}
    told = clone.run(f"make -C {copy} repro", **elsewhere)
    line = "{0} outputs: {0} identical to dvc.lock".format(outputs(clone))
    assert line in told.splitlines()
    assert clone.run(f"git -C {copy} status --porcelain") == ""
    assert (copy / "data/models/gan/model.safetensors").exists()


def test_a_second_run_with_nothing_changed_is_quick_and_makes_no_run(clone):
    assert f"{outputs(clone)} outputs: no dvc.lock to compare with" in clone.first
    before = len(mlflow_runs(clone))
    started = processor_seconds()
    told = clone.run("make repro")
    assert processor_seconds() - started < 15  # the bar of 10 s, and room for a slower machine
    assert "{0} outputs: {0} identical to dvc.lock".format(outputs(clone)) in told
    assert len(mlflow_runs(clone)) == before


@pytest.mark.parametrize(
    ("path", "stale"),
    [
        (
            "src/plumbline/metrics/generative/frechet.py",
            {"data_audit", "evaluate", "compare", "audit"},
        ),
        ("src/plumbline/data/fetch/archives.py", set()),
        ("src/plumbline/cli/main.py", set()),
        ("src/plumbline/audit/build.py", {"audit"}),
        ("src/plumbline/reporting/site/page.py", {"data_audit", "card", "report"}),
        ("src/plumbline/models/rnn.py", {"train@rnn", "evaluate", "sample"}),
    ],
)
def test_a_comment_in_a_file_makes_stale_what_the_file_can_change(clone, path, stale):
    """DVC itself says it; tests/test_pipeline.py asks the same of every package without DVC."""
    file = clone.folder / path
    kept = file.read_text(encoding="utf-8")
    file.write_text(f"{kept}# a comment\n", encoding="utf-8")
    try:
        told = json.loads(clone.run("dvc status --json"))
    finally:
        file.write_text(kept, encoding="utf-8")
    changed = {
        name
        for name, found in told.items()
        if ":" not in name  # stages of laboratories have addresses
        for each in found
        if any(dep.startswith("src/") for dep in each.get("changed deps", {}))
    }
    expected = {
        spec.name
        for spec in default_pipeline(clone)
        if {spec.name, spec.name.partition("@")[0]} & stale
    }
    assert changed == expected


def test_the_fairness_laboratory_runs_on_the_models_of_the_pipeline(clone):
    clone.run("plumbline repro studies/fairness/dvc.yaml")
    stages = dvc_files.stages(clone.folder).values()
    for spec in (spec for spec in stages if spec.lab == "fairness"):
        for out in spec.outs:
            assert (clone.folder / out).exists(), out
    ran = {run.info.run_name for run in mlflow_runs(clone)}
    assert {"fairness/mitigate@none", "fairness/study_report"} <= ran


def test_metrics_are_numbers_of_the_test_split(clone):
    for model in catalog.models():
        found = json.loads((clone.folder / names.METRICS_DIR / f"{model}.json").read_text())
        quantity = catalog.model(model).main_metric
        assert found["split"] == "test"
        assert found["metrics"][quantity]["value"] is not None, model


@pytest.mark.parametrize("model", catalog.models())
def test_torchmetrics_agrees_with_the_report_of_every_model(clone, model):
    torchvision.install()
    import torch
    import torchmetrics
    from torchmetrics import functional

    predictions = Predictions.read(clone.folder / names.PREDICTIONS / f"{model}.parquet")
    table = predictions.table[predictions.table["split"] == names.TEST]
    report = json.loads((clone.folder / names.METRICS_DIR / f"{model}.json").read_text())
    ours = {name: cell["value"] for name, cell in report["metrics"].items()}
    if predictions.kind == names.LANGUAGE:
        mean = torchmetrics.MeanMetric().set_dtype(torch.float64)
        characters = torch.tensor(table["characters"].to_numpy())
        mean.update(torch.tensor(table["nll"].to_numpy()) / characters, characters)
        assert ours[names.BITS_PER_CHARACTER] == pytest.approx(mean.compute().item() / math.log(2))
        assert ours[names.PERPLEXITY] == pytest.approx(mean.compute().exp().item())
        return
    true, decided = (torch.tensor(table[name].to_numpy()) for name in ("y_true", "y_pred"))
    counted = {"num_classes": len(predictions.classes), "average": "micro"}
    share = functional.classification.multiclass_accuracy(decided, true, **counted).item()
    if predictions.kind == names.GENERATOR:
        assert ours[names.CLASS_AGREEMENT] == pytest.approx(share)
        return
    assert ours[names.ACCURACY] == pytest.approx(share)
    counted["average"] = "macro"
    f1 = functional.classification.multiclass_f1_score(decided, true, **counted).item()
    scores = torch.tensor(predictions.scores())
    area = functional.classification.multiclass_auroc(scores[: len(true)], true, **counted).item()
    assert ours[names.F1_MACRO] == pytest.approx(f1, abs=1e-6)
    assert ours[names.AUROC] == pytest.approx(area, abs=1e-6)


def test_the_other_commands_of_the_readme_work(clone):
    assert "finetune_full" in clone.run("plumbline summary")
    clone.run("plumbline sync")
    clone.run("plumbline sync --rebuild")
    clone.run("plumbline doctor")
    clone.run("dvc metrics show")
    clone.run("dvc metrics diff")
    clone.run("dvc repro train@finetune_full")
    clone.run("dvc repro")


def test_a_parameter_out_of_range_stops_the_run_with_exit_code_2_before_anything_is_lost(clone):
    path = clone.folder / "params.yaml"
    kept, lock = path.read_text(), (clone.folder / "dvc.lock").read_bytes()
    path.write_text(kept.replace("latent_dim: 32", "latent_dim: 0"))
    try:
        done = subprocess.run(
            ["plumbline", "repro"],
            cwd=clone.folder,
            env=clone.env,
            check=False,
            capture_output=True,
            text=True,
        )
    finally:
        path.write_text(kept)
    assert done.returncode == 2
    assert "params.yaml: train_gan.latent_dim must be >= 1, got 0" in done.stdout + done.stderr
    assert (clone.folder / "dvc.lock").read_bytes() == lock
    assert (clone.folder / "data/models/gan/model.safetensors").exists()


def test_clean_removes_data_and_keeps_reports(root, tmp_path):
    clone = Clone(root, tmp_path / "plumbline")
    (clone.folder / "data/models").mkdir(parents=True)
    clone.run("make clean")
    assert not (clone.folder / "data").exists()
    assert (clone.folder / "reports/metrics/fnn.json").exists()


def raw_samples(clone: Clone, model: str) -> pd.DataFrame:
    """Return the test samples of a model as its source has them."""
    dataset = catalog.model(model).dataset
    data = clone.folder / names.PREPARED / dataset
    if dataset == names.TEXT:
        return held_out(artifacts.read_split_table(data, name="documents.parquet"))[["text"]]
    if model == "gan":
        labels = np.load(clone.folder / names.SAMPLES / "gan" / names.IMAGE_SAMPLES)["labels"]
        return pd.DataFrame({"class": [str(label) for label in labels]})
    table = artifacts.read_split_table(data)
    rows = held_out(table)["sample_id"]
    if dataset == names.GLYPHS:  # they are drawn: there is nothing raw before the pixels
        pixels = artifacts.read_images(data, 32, rows=len(table))[table["split"] == names.TEST]
        return pd.DataFrame({"image": pixels[:, 0].tolist()})
    numbers = rows.str.rpartition("-")[2].astype(int)
    if dataset == names.IMAGES:
        return pd.DataFrame({"image": load_digits().images[numbers].tolist()})
    raw = load_diabetes(as_frame=True, scaled=False).data.iloc[numbers]
    return raw.drop(columns=["age", "sex"]).reset_index(drop=True)


def held_out(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["split"] == names.TEST].reset_index(drop=True)


def assert_predicted(clone: Clone, model: str, found: pd.DataFrame, *, atol: float) -> None:
    """Check results against the table that the pipeline wrote."""
    if model == "gan":
        images = np.load(clone.folder / names.SAMPLES / "gan" / names.IMAGE_SAMPLES)["images"]
        np.testing.assert_array_equal(np.array(found["image"].tolist()), images[:, 0])
        return
    written = Predictions.read(clone.folder / names.PREDICTIONS / f"{model}.parquet")
    if written.kind == names.LANGUAGE:
        by_document = written.table.groupby("document_id", sort=False)["nll"].sum()
        np.testing.assert_allclose(found["nll"], by_document, rtol=1e-9)
        return
    scores = found[[f"score_{name}" for name in written.classes]].to_numpy()
    np.testing.assert_allclose(scores, written.scores(), rtol=0, atol=atol)
    decided = np.array(written.classes, dtype=object)[written.table["y_pred"]]
    assert found["decision"].tolist() == decided.tolist()


def logged_model(clone: Clone, model: str) -> tuple[str, str]:
    """Return the address of a logged model, and that of its store."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{clone.folder / 'mlflow.db'}")
    ids = [e.experiment_id for e in client.search_experiments()]
    logged = client.search_logged_models(ids, filter_string=f"name = '{model}'")[0]
    return f"models:/{logged.model_id}", client.tracking_uri


@pytest.mark.filterwarnings("ignore:.*Any type hint")  # MLflow about its own classes
@pytest.mark.parametrize("model", catalog.models())
def test_every_model_loads_from_mlflow_and_is_served_on_raw_samples(clone, model):
    import mlflow

    address, store = logged_model(clone, model)
    mlflow.set_tracking_uri(store)
    restored = mlflow.pyfunc.load_model(address)
    samples = raw_samples(clone, model)
    seed = stage.derive_seed(42, "evaluate@gan")
    params = {"seed": seed} if model == "gan" else {}
    assert_predicted(clone, model, restored.predict(samples, params=params), atol=1e-7)
    with AppServer(restored) as server:
        body = {"dataframe_split": samples.to_dict("split"), "params": params}
        status, answer = server.ask(body)
        assert status == 200, answer
        assert_predicted(clone, model, pd.DataFrame(answer["predictions"]), atol=1e-6)
        status, answer = server.ask({"dataframe_records": [{"other": 1}]})
        assert status == 400
        assert f"{model}: columns must include" in answer["message"]


@pytest.mark.parametrize("model", ["baseline", "fnn"])
def test_a_logged_model_brings_what_its_test_rows_are_monitored_with(clone, tmp_path, model):
    """The address alone leads to the training rows' summary, and to the metrics of its run."""
    address, _ = logged_model(clone, model)
    raw_samples(clone, model).to_parquet(tmp_path / "new.parquet")
    asked = ["monitor", address, str(tmp_path / "new.parquet"), "--no-mlflow"]
    assert main([*asked, "--root", str(clone.folder), "--out", str(tmp_path / "out")]) == 0
    found = artifacts.read_json(tmp_path / "out" / pages.DATA)
    table = artifacts.read_split_table(clone.folder / names.PREPARED / names.TABULAR)
    assert found["training_rows"] == (table["split"] == names.TRAIN).sum()
    assert found["test_rows"] == found["rows"] == (table["split"] == names.TEST).sum()
    assert {line["change"] for line in found["lines"] if line["part"] == "decision"} == {0.0}


@pytest.mark.parametrize(
    ("model", "wrong_type"),
    [("fnn", "'bmi' must be numeric in every row"), ("cnn", "image 0 must be base64")],
)
def test_a_server_of_mlflow_answers_rows_of_a_parquet_file_as_the_pipeline_did(
    clone, tmp_path, model, wrong_type
):
    address, store = logged_model(clone, model)
    raw_samples(clone, model).to_parquet(tmp_path / "rows.parquet")
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    split = json.loads(rows.to_json(orient="split", index=False))
    # A server that may use one processor, as in a small container.
    with Server(
        address, tmp_path / "server.log", MLFLOW_TRACKING_URI=store, PLUMBLINE_THREADS="1"
    ) as server:
        for body in ({"dataframe_split": split}, {"inputs": dict(split_columns(split))}):
            status, answer = server.ask(body)
            assert status == 200, answer
            assert_predicted(clone, model, pd.DataFrame(answer["predictions"]), atol=1e-6)
        faults = {
            "columns must include": {"columns": ["other"], "data": [[1]]},
            "input must have a row, got none": {**split, "data": []},
            wrong_type: {**split, "data": [["heavy", *split["data"][0][1:]]]},
        }
        for message, wrong in faults.items():
            status, answer = server.ask({"dataframe_split": wrong})
            assert (status, message in answer["message"]) == (400, True), answer


def split_columns(split: dict) -> list[tuple[str, list]]:
    """Return the columns of a table in MLflow's orientation ``split``."""
    return list(zip(split["columns"], map(list, zip(*split["data"], strict=True)), strict=True))
