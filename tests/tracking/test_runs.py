import json
import os
import platform

import numpy as np
import pytest

from plumbline import artifacts
from plumbline.runs import processes, record_files, records
from plumbline.tracking import runs, sync

REPORT = {
    "model": "fnn", "split": "test", "main_metric": "auroc",
    "metrics": {
        "auroc": {"value": 0.75, "low": 0.5, "high": 1.0},
        "accuracy": {"value": None, "low": None, "high": None},
    },
    "reference": {"majority_class": {"value": 0.5, "low": None, "high": None}},
}  # fmt: skip


def keep_report(book: records.RunRecord, path: str, value) -> None:
    artifacts.write_json(book.folder / "files" / path, value)
    book.update(artifacts=[path])


def test_a_stage_is_a_run_under_its_pipeline_run(home, record, view):
    block = {"hidden": [64, 32], "optimisation": {"lr": 0.1}}
    book = record(params={"seed": 42, "train_fnn": block},
                  tags={"git.commit": "0123456789", "git.dirty": "true"}, seed=7,
                  deps={"data/prepared/tabular": "a" * 32 + ".dir"},
                  inputs=[{"name": "tabular", "path": "data/prepared/tabular",
                           "digest": "a" * 32 + ".dir"}])  # fmt: skip
    book.metrics({"train/loss": 1.0, "val/loss": 2.0}, step=0)
    book.metrics({"train/loss": 0.5}, step=1)
    book.update(outs={"data/models/fnn": "b" * 32 + ".dir"})
    book.close(records.FINISHED, peak_memory=3 * 2**30)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    run, parent = view().one("train_fnn"), view().one("dvc repro 0123456")
    assert run.data.metrics["system/peak_memory_MiB"] == 3072
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (run.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    assert run.data.params == {
        "seed": "42",
        "train_fnn.hidden": "[64, 32]",
        "train_fnn.optimisation.lr": "0.1",
    }
    written = {line["k"]: line["t"] for line in record_files.read_metrics(book.folder)[0]}
    history = view().history(run, "train/loss")
    assert [row[:2] for row in history] == [(0, 1.0), (1, 0.5)]
    assert history[-1][2] == written["train/loss"]
    tags = run.data.tags
    assert (tags["git.commit"], tags["git.dirty"]) == ("0123456789", "true")
    assert (tags["dvc.stage"], tags["plumbline.seed"]) == ("train_fnn", "7")
    assert tags["dvc.origin"] == "executed"
    assert tags["dep.data/prepared/tabular"] == "a" * 32 + ".dir"
    assert tags["out.data/models/fnn"] == "b" * 32 + ".dir"
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("tabular", "a" * 32 + ".dir")
    assert json.loads(dataset.dataset.source) == {"uri": "data/prepared/tabular"}


def test_times_are_those_of_the_stage_not_of_the_sync(home, record, view):
    book = record()
    book.update(started=1000)
    book.close(records.FINISHED)
    book.update(ended=2000)
    sync.sync(home)
    run = view().one("train_fnn")
    assert (run.info.start_time, run.info.end_time) == (1000, 2000)


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_a_run_that_did_not_finish_says_why_and_so_does_its_pipeline(home, record, view, status):
    record("prepare@tabular").close(records.FINISHED)
    record().close(status, "train_fnn: loss must be finite, got nan")
    sync.sync(home)
    run = view().one("train_fnn")
    assert (run.info.status, run.data.tags["error"]) == (
        status,
        "train_fnn: loss must be finite, got nan",
    )
    assert view().one("dvc repro").info.status == status


def test_a_process_that_died_without_a_word_is_a_failed_run(home, record, view):
    book = record()
    book.metrics({"a": 1}, step=0)
    book.update(pid=2**22, pid_started=1.0)
    sync.sync(home)
    run = view().one("train_fnn")
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "process ended without a message (killed?)"
    assert run.data.metrics == {"a": 1.0}
    assert run.info.end_time >= run.info.start_time


def test_a_live_run_is_shown_while_it_goes_on(home, record, view):
    here = processes.pipeline_of(os.getpid())
    book = record(pipeline=here)
    book.metrics({"a": 1}, step=0)
    watcher = sync.Sync(home)
    assert watcher.run_once() == sync.Outcome(1, 1, 0)
    assert view().one("train_fnn").info.status == "RUNNING"
    book.metrics({"a": 2}, step=1)
    watcher.run_once()
    assert [row[:2] for row in view().history(view().one("train_fnn"), "a")] == [(0, 1), (1, 2)]
    book.close(records.FINISHED)
    watcher.run_once()
    assert view().one("train_fnn").info.status == "FINISHED"
    assert view().one("train_fnn").info.run_name in {r.info.run_name for r in view().runs()}


def test_undefined_values_are_left_out_and_counted(home, record, view):
    book = record()
    book.metrics({"val/loss": float("nan"), "train/loss": 1.0}, step=0)
    book.metrics({"val/loss": float("inf")}, step=1)
    book.close(records.FINISHED)
    sync.sync(home)
    run = view().one("train_fnn")
    assert run.data.metrics == {"train/loss": 1.0}
    assert run.data.tags["metrics.undefined"] == "2"


def test_a_long_history_arrives_whole(home, record, view):
    book = record()
    for step in range(1500):
        book.metrics({"a": step, "b": -step}, step=step)
    book.close(records.FINISHED)
    sync.sync(home)
    run = view().one("train_fnn")
    assert [row[:2] for row in view().history(run, "b")] == [(s, -float(s)) for s in range(1500)]


def test_many_params_and_tags_arrive_whole(home, record, view):
    book = record(params={f"p{i}": i for i in range(150)}, deps={f"d/{i}": "x" for i in range(150)})
    book.update(outs={f"o/{i}": "y" for i in range(150)})
    book.close(records.FINISHED)
    sync.sync(home)
    run = view().one("train_fnn")
    assert len(run.data.params) == 150
    assert sum(key.startswith(("dep.", "out.")) for key in run.data.tags) == 300


def test_what_is_too_long_for_a_field_is_remarked_and_kept_as_an_artifact(home, record, view):
    book = record(params={"long": "x" * 7000})
    book.close(records.FAILED, "e" * 9000)
    sync.sync(home)
    run = view().one("train_fnn")
    remark = " … [7000 characters; the whole is among the artifacts]"
    assert run.data.params["long"] == "x" * (6000 - len(remark)) + remark
    assert len(run.data.tags["error"]) == 8000
    assert view().artifacts(run) == {"params.json", "error.txt"}


def test_test_metrics_without_interval_ends_go_to_the_run_and_to_the_pipeline_run(
    home, record, view
):
    book = record("evaluate@fnn")
    keep_report(book, "reports/metrics/fnn.json", REPORT)
    book.close(records.FINISHED)
    sync.sync(home)
    assert view().one("evaluate@fnn").data.metrics == {
        "test/auroc": 0.75,
        "test_reference/majority_class": 0.5,
    }
    assert view().one("dvc repro").data.metrics == {"fnn/test/auroc": 0.75}


def test_a_metric_that_the_stage_logged_itself_is_not_doubled(home, record, view):
    book = record("evaluate@fnn")
    book.metrics({"test/auroc": 0.75}, step=0)
    keep_report(book, "reports/metrics/fnn.json", REPORT)
    book.close(records.FINISHED)
    sync.sync(home)
    assert len(view().history(view().one("evaluate@fnn"), "test/auroc")) == 1


def test_gaps_of_an_audit_are_metrics_where_they_are_defined(home, record, view):
    gap = {"attribute": "sex×age_band", "metric": "selection_rate", "comparison": "difference"}
    report = {
        "gaps": [
            {**gap, "value": 0.25},
            {**gap, "value": None, "metric": "accuracy"},
            {**gap, "comparison": "ratio", "value": 0.5, "metric": "accuracy"},
        ]
    }
    book = record("audit@fnn")
    keep_report(book, "reports/audits/fnn.json", report)
    book.close(records.FINISHED)
    sync.sync(home)
    run = view().one("audit@fnn")
    assert run.data.metrics == {"gap/sex x age_band/selection_rate": 0.25}
    assert view().artifacts(run) == {"reports/audits/fnn.json"}


def test_artifact_folders_are_logged_below_their_name(home, record, view):
    book = record("report")
    (home / "figures").mkdir()
    (home / "figures/a.svg").write_text("<svg/>")
    book.keep(home / "figures", "figures")
    book.update(artifacts=["figures", "gone.txt"])
    book.close(records.FINISHED)
    sync.sync(home)
    assert view().artifacts(view().one("report")) == {"figures/a.svg"}


def trained(home, record) -> records.RunRecord:
    config = artifacts.ModelConfig(
        model="fnn", architecture="fnn",
        arguments={"in_features": 2, "hidden": (), "out_features": 1},
        kind="classification", dataset="tabular", source="toy",
        inputs=({"name": "x", "dtype": "float32", "shape": [-1, 2]},),
        outputs=({"name": "y", "dtype": "float32", "shape": [-1, 1]},),
    )  # fmt: skip
    artifacts.save_model(home / "fnn", {"w": np.zeros((1, 2), "float32")}, config)
    book = record(model={"path": "data/models/fnn", "signature": {
        "inputs": list(config.inputs), "outputs": list(config.outputs)}})  # fmt: skip
    book.keep(home / "fnn", "data/models/fnn")
    book.update(outs={"data/models/fnn": "c" * 32 + ".dir"})
    book.close(records.FINISHED)
    return book


def test_a_model_is_logged_without_pickle_and_its_run_knows_it(home, record, view):
    trained(home, record)
    sync.sync(home)
    run = view().one("train_fnn")
    (output,) = run.outputs.model_outputs
    model = view().client.get_logged_model(output.model_id)
    assert (model.name, str(model.status), model.source_run_id) == (
        "fnn",
        "READY",
        run.info.run_id,
    )
    from mlflow.models import Model

    folder = home / "mlartifacts/models" / model.model_id / "artifacts"
    assert {path.name for path in folder.iterdir()} == {
        "MLmodel", "config.json", "model.safetensors", "python_env.yaml", "requirements.txt",
    }  # fmt: skip
    described = Model.load(str(folder))
    assert described.flavors["python_function"]["loader_module"] == "plumbline.tracking.pyfunc"
    assert described.signature is None  # nothing is known of raw samples: see test_pyfunc
    assert described.model_id == model.model_id
    pins = (folder / "requirements.txt").read_text()
    assert pins.startswith("plumbline==")
    assert platform.python_version() in (folder / "python_env.yaml").read_text()


def test_a_model_whose_delivery_was_cut_is_logged_whole_and_once(home, record, view):
    trained(home, record)
    sync.sync(home)
    for note in (home / ".plumbline").rglob("sync.json"):
        note.unlink()
    sync.sync(home)
    found = view().client.search_logged_models([view().store.experiment])
    assert [model.name for model in found] == ["fnn"]


def test_test_metrics_are_tied_to_the_model_they_measure(home, record, view):
    trained(home, record)
    book = record("evaluate@fnn", deps={"data/models/fnn": "c" * 32 + ".dir"})
    keep_report(book, "reports/metrics/fnn.json", REPORT)
    book.close(records.FINISHED)
    sync.sync(home)
    (output,) = view().one("train_fnn").outputs.model_outputs
    metrics = view().client.get_logged_model(output.model_id).metrics or ()
    assert {m.key: m.value for m in metrics}["test/auroc"] == 0.75


def test_a_failed_training_leaves_no_model(home, record, view):
    book = record(model={"path": "data/models/fnn", "signature": {"inputs": [], "outputs": []}})
    book.close(records.FAILED, "x")
    other = record("pretrain", model={"path": "gone", "signature": {"inputs": [], "outputs": []}})
    other.close(records.FINISHED)
    sync.sync(home)
    assert view().one("train_fnn").outputs.model_outputs == []
    assert view().one("pretrain").outputs.model_outputs == []


def test_a_name_becomes_one_that_mlflow_takes():
    assert runs.metric_name("gap/sex×age/60+") == "gap/sex x age/60 plus"
    assert runs.metric_name("test/fid/cnn") == "test/fid/cnn"


GROUPS = [
    "<30",
    ">30",
    "=30",
    ".",
    "..",
    "..x",
    "",
    "a//b",
    "b/",
    "x" * 300,
    "ü",
    "a×b",
    "a x b",
    "/",
    "\t",
]


def test_values_of_groups_of_any_name_arrive_each_under_its_own(home, record, view):
    book = record(params={"resample": {"age": dict.fromkeys(GROUPS, 0.5)}})
    book.metrics({f"gap/age {group}/tpr": n for n, group in enumerate(GROUPS)}, step=0)
    book.metrics({f"gap/{group}/tpr": n for n, group in enumerate(GROUPS)}, step=0)
    book.close(records.FINISHED)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    run = view().one("train_fnn")
    assert run.info.status == "FINISHED"
    assert sorted(run.data.metrics.values()) == sorted([*range(len(GROUPS))] * 2)
    assert len(run.data.params) == len(GROUPS)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", GROUPS)
def test_one_group_of_any_name_keeps_nothing_out(home, record, view, name):
    gap = {"attribute": name, "metric": "tpr", "comparison": "difference", "value": 0.25}
    other = {**gap, "attribute": f"age|{name}", "value": 0.5}
    book = record("audit@fnn", params={name: {"margin": 0.05}}, deps={f"data/{name}": "1" * 32},
                  inputs=[{"name": name, "path": f"data/{name}", "digest": "1" * 32}])  # fmt: skip
    book.metrics({f"test/{name}/auroc": 0.75, "test/auroc": 1.0}, step=0)
    keep_report(book, "reports/audits/fnn.json", {"gaps": [gap, other]})
    keep_report(book, "reports/metrics/fnn.json", {**REPORT, "dataset": name})
    book.close(records.KILLED, name)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    run = view().one("audit@fnn")
    assert run.info.status == "KILLED"
    assert sorted(run.data.metrics.values()) == [0.25, 0.5, 0.5, 0.75, 1.0]
    assert run.data.params == {runs.fit(f"{name}.margin"): "0.05", "model": "fnn", "dataset": name}
    assert [d.dataset.name for d in run.inputs.dataset_inputs] == [name]
    assert "1" * 32 in run.data.tags.values()


def test_params_are_flattened_to_their_leaves():
    nested = {"a": {"b": {"c": 1.5}, "d": True, "e": None}, "f": "text", "g": {}}
    assert dict(runs.flatten(nested)) == {
        "a.b.c": "1.5", "a.d": "true", "a.e": "null", "f": "text", "g": "{}",
    }  # fmt: skip
