import json
import shutil

from plumbline.runs import record_files
from plumbline.tracking import sync

# Model runs of a real pipeline of two stages; its report says 0.75 [0.5, 1.0].


def test_a_model_run_shows_parameters_metrics_hashes_and_data_of_one_pipeline(toy, view):
    toy.repro()
    sync.sync(toy.folder)
    (run,) = view().model_runs()
    tags, lock = run.data.tags, toy.lock
    commit = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    assert run.info.run_name == f"fnn · {commit[:7]}"
    assert run.data.params["hidden"] == "[64, 32]"
    assert (run.data.params["lr"], run.data.params["seed"]) == ("0.001", "42")
    assert run.data.metrics["test/auroc"] == 0.75  # of the undefined accuracy there is none
    assert set(run.data.metrics) == {"test/auroc", "train_seconds", "parameters"}
    assert (tags["model"], tags["main metric"]) == ("fnn", "auroc 0.750 [0.500, 1.000]")
    assert (tags["verdict"], tags["gate"], tags["changed"]) == ("no audit", "not run", "–")
    assert (tags["commit"], tags["git.commit"]) == (commit[:7], commit)
    assert tags["pretrained"] == "package x 1.0, licence not stated, sha256 abababababab"
    assert f"md5: {tags['dvc.model']}" in lock
    assert f"md5: {tags['dvc.predictions']}" in lock
    assert len(run.outputs.model_outputs) == 1
    assert view().artifacts(run) == {"metrics.csv", "metrics/fnn.json", "history/fnn.csv"}
    path = view().client.download_artifacts(run.info.run_id, "metrics.csv")
    with open(path) as stream:
        assert stream.readlines() == [
            "metric,value,low,high,better\n", "accuracy,,,,more\n", "auroc,0.75,0.5,1,more\n",
            "reference majority_class,0.5,,,\n",
        ]  # fmt: skip


def test_a_rebuilt_store_holds_the_same_model_runs_and_a_second_sync_sends_none(toy, view):
    toy.repro()
    sync.sync(toy.folder)
    before = view().everything()
    sync.sync(toy.folder)
    sync.sync(toy.folder, rebuild=True)
    assert view().everything() == before
    for path in [*toy.folder.glob("mlflow.db*")]:
        path.unlink()
    shutil.rmtree(toy.folder / "mlartifacts")
    sync.sync(toy.folder, rebuild=True)
    again = view().everything()
    assert [each[0] for each in again] == [each[0] for each in before]
    assert [each[5:9] for each in again] == [each[5:9] for each in before]


def test_what_differs_from_the_run_before_is_named_and_an_untouched_model_gets_no_run(toy, view):
    toy.repro()
    toy.seed(7)
    toy.repro()
    sync.sync(toy.folder)
    first, second = view().model_runs()
    assert (first.data.tags["changed"], second.data.tags["changed"]) == ("–", "seed=7")
    (toy.folder / "dvc.yaml").write_text(
        (toy.folder / "dvc.yaml").read_text()
        + "  note: {cmd: python -c 1, params: [trainer], deps: [pipelines/train.py]}\n"
    )
    toy.repro("note")
    toy.repro("--force", "evaluate@fnn")  # it ran, whatever it found
    sync.sync(toy.folder)
    assert [run.data.tags["changed"] for run in view().model_runs()] == ["–", "seed=7", "–"]


def test_a_restored_model_gets_a_run_since_the_newest_shows_another(toy, view):
    toy.repro()
    toy.seed(7)
    toy.repro()
    sync.sync(toy.folder)
    toy.seed(42)
    toy.repro()  # from DVC's cache
    sync.sync(toy.folder)
    assert [run.data.tags["changed"] for run in view().model_runs()] == ["–", "seed=7", "seed=42"]
    first, _, third = view().model_runs()
    assert third.data.tags["dvc.model"] == first.data.tags["dvc.model"]
    assert third.data.metrics == first.data.metrics  # the seconds of the training, too


def test_an_experiment_is_compared_with_its_baseline(toy, view):
    toy.repro()
    toy.commit()
    toy.run("dvc", "exp", "run", "--name", "wide", "-S", "train_fnn.hidden=[128,64]")
    sync.sync(toy.folder)
    _, wide = view().model_runs()
    assert wide.info.run_name == "fnn · wide"
    assert wide.data.tags["changed"] == "hidden=[128, 64]"
    assert (wide.data.tags["experiment"], wide.data.params["hidden"]) == ("wide", "[128, 64]")


def test_one_damaged_report_is_named_and_stops_its_own_values_only(toy, view):
    toy.repro()
    (folder,) = [f for f in record_files.read_all(toy.folder) if "evaluate" in f.name]
    (folder / "files/reports/metrics/fnn.json").write_text("{")
    outcome = sync.sync(toy.folder)
    (run,) = view().model_runs()
    assert run.data.params["hidden"] == "[64, 32]"
    assert set(run.data.metrics) == {"train_seconds", "parameters"}
    assert outcome.refused
    pipeline = next(r for r in view().runs() if "plumbline.pipeline" in r.data.tags)
    assert "fnn: reports/metrics/fnn.json" in pipeline.data.tags["plumbline.refused"]


def test_one_bad_value_of_a_report_stops_that_value_only(toy, view):
    toy.repro()
    (folder,) = [f for f in record_files.read_all(toy.folder) if "evaluate" in f.name]
    path = folder / "files/reports/metrics/fnn.json"
    report = json.loads(path.read_text())
    report["metrics"]["brier"] = {"value": "much", "low": None, "high": None}
    path.write_text(json.dumps(report))
    sync.sync(toy.folder)
    (run,) = view().model_runs()
    assert run.data.metrics["test/auroc"] == 0.75
    assert "test/brier" not in run.data.metrics
