import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from plumbline.runs import dvc_files, experiments
from plumbline.runs.experiments import Times
from plumbline.stage import background_sync
from plumbline.verify import lineage
from tests.toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


def test_changed_params_are_those_that_differ_from_the_baseline(toy):
    baseline = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    assert experiments.changed_params(toy.folder, toy.folder, baseline) == {}
    path = toy.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["seed"] = 7
    values["train_fnn"]["hidden"] = [8]
    values["extra"] = {"new": 1}
    del values["evaluate"]
    path.write_text(yaml.safe_dump(values))
    changed = experiments.changed_params(toy.folder, toy.folder, baseline)
    gone = {name for name in changed if name.startswith("evaluate.")}
    assert {name: changed[name] for name in changed if name not in gone} == {
        "seed": 7, "train_fnn.hidden": [8], "extra.new": 1,
    }  # fmt: skip
    assert gone
    assert {changed[name] for name in gone} == {None}
    assert experiments.changed_params(toy.folder, toy.folder, "") == {}


def test_an_experiment_is_found_by_name_and_baseline(toy):
    head = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/wide"
    toy.run("git", "update-ref", ref, head)
    assert experiments.find(toy.folder, "wide") == head
    assert experiments.find(toy.folder, "wide", head) == head
    assert experiments.find(toy.folder, "wide", "0" * 40) == ""
    made = float(toy.run("git", "log", "-1", "--format=%ct").stdout)
    assert experiments.find(toy.folder, "wide", since=made + 0.5) == head  # of the same second
    assert experiments.find(toy.folder, "wide", since=made + 1) == ""
    assert experiments.find(toy.folder, "narrow") == ""
    assert experiments.find(toy.folder, "") == ""


def test_an_experiment_from_before_its_start_is_found_by_what_it_holds(toy):
    """As after a clock was set back between the two."""
    toy.repro()
    keys = {entry.fingerprint for entry in dvc_files.read_lock(toy.folder).values()}
    toy.commit()
    head = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    toy.run("git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/wide", head)
    later = time.time() + 3600
    assert len(keys) == 2
    assert experiments.find(toy.folder, "wide", since=later, stage_keys=keys) == head
    assert experiments.find(toy.folder, "wide", since=later, stage_keys={keys.pop()}) == head
    assert experiments.find(toy.folder, "wide", since=later, stage_keys={*keys, "other"}) == ""
    assert experiments.find(toy.folder, "wide", since=later) == ""


def test_the_tree_of_an_experiment_is_its_folder_or_else_its_commit(toy):
    head = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    toy.run("git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/wide", head)
    tags = {"dvc.exp_name": "wide", "dvc.exp_baseline": head}
    any_time = Times(0, 0)
    with experiments.result_tree(toy.folder, toy.folder, {}, any_time) as tree:
        assert tree == toy.folder
    gone = toy.folder / ".dvc/tmp/exps/standalone/tmpgone"
    with experiments.result_tree(toy.folder, gone, tags, any_time) as tree:
        assert (tree / "dvc.yaml").read_bytes() == (toy.folder / "dvc.yaml").read_bytes()
        assert tree != toy.folder
    assert not tree.exists()
    lost = {"dvc.exp_name": "lost"}
    with experiments.result_tree(toy.folder, gone, lost, any_time) as tree:
        assert tree is None
    gone.mkdir(parents=True)
    (gone / "dvc.yaml").touch()
    with experiments.result_tree(toy.folder, gone, lost, any_time) as tree:
        assert tree == gone


def test_links_out_of_the_commit_of_an_experiment_are_left_out_and_named(toy, tmp_path, caplog):
    """Git keeps the target of a link as it is; extracting an absolute one is refused by tarfile."""
    (tmp_path / "elsewhere").write_text("not a report", encoding="utf-8")
    (toy.folder / "absolute").symlink_to(tmp_path / "elsewhere")
    (toy.folder / "outside").symlink_to("../elsewhere")
    (toy.folder / "inside").symlink_to("dvc.yaml")
    toy.commit()
    head = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    toy.run("git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/wide", head)
    tags = {"dvc.exp_name": "wide", "dvc.exp_baseline": head}
    with experiments.result_tree(toy.folder, tmp_path / "gone", tags, Times(0, 0)) as tree:
        assert (tree / "inside").read_bytes() == (toy.folder / "dvc.yaml").read_bytes()
        assert not (tree / "absolute").is_symlink()
        assert not (tree / "outside").is_symlink()
    assert "absolute" in caplog.text
    assert "outside" in caplog.text


def test_an_experiment_that_dvc_may_be_collecting_is_left_alone_for_a_while(toy):
    head = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    folder = toy.folder / ".dvc/tmp/exps/tmpq"
    now = Times(int(time.time() * 1000), int(time.time() * 1000))
    tags = {"dvc.exp_name": "wide"}

    def waits(root=folder, times=now) -> bool:
        return experiments.may_be_collected(toy.folder, root, tags, times)

    assert not waits()  # deleted already
    folder.mkdir(parents=True)
    assert waits()
    assert not waits(root=toy.folder)
    assert not waits(times=Times(0, 1000))
    assert not waits(times=Times(0, int(time.time() * 1000) + 3_600_000))  # clock set back
    toy.run("git", "commit", "-q", "--allow-empty", "-m", "experiment")
    new = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    toy.run("git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/wide", new)
    assert not waits()


def plumbline_runs(toy: Toy) -> list:
    from plumbline.tracking import store

    opened = store.connect(toy.folder)
    return opened.client.search_runs([opened.experiment], order_by=["start_time ASC"])


@pytest.mark.slow
def test_experiments_of_every_kind_log_to_the_store_of_the_main_work_tree(toy):
    """In the work tree, in a temporary folder, and queued with two workers at a time."""
    dvc = [sys.executable, "-m", "dvc"]
    on = {"PLUMBLINE_TRACKING": "on"}
    toy.repro(**on)
    toy.commit()
    kinds = {"here": [], "apart": ["--temp"], "first": ["--queue"], "second": ["--queue"]}
    seeds = {name: str(7 + index) for index, name in enumerate(kinds)}
    for name, words in kinds.items():
        toy.run(*dvc, "exp", "run", "-n", name, "-S", f"seed={seeds[name]}", *words, **on)
    toy.run("git", "checkout", "-q", "params.yaml", "dvc.lock", "reports")
    partly = ["-n", "partly", "-S", "evaluate.confidence=0.9", "--temp"]
    toy.run(*dvc, "exp", "run", *partly, **on)
    toy.run(*dvc, "queue", "start", "-j", "2", **on)
    until = time.monotonic() + 150
    while (
        "Running" in (told := toy.run(*dvc, "queue", "status").stdout)
        or "Queued" in told
        or "0 active, 0 idle" not in told
    ):
        assert time.monotonic() < until, told
        time.sleep(1)
    assert told.count("Success") == 2
    assert background_sync.wait(toy.folder)

    runs = plumbline_runs(toy)
    assert {run.info.status for run in runs} == {"FINISHED"}
    parents = {run.info.run_name: run for run in runs if "plumbline.pipeline" in run.data.tags}
    for name, seed in seeds.items():
        parent = parents[name]
        assert (parent.data.tags["dvc.exp_name"], parent.data.params) == (name, {"seed": seed})
        assert parent.data.metrics == {"fnn/test/auroc": 0.75}
    assert parents["partly"].data.params == {"evaluate.confidence": "0.9"}
    told = {}
    for run in runs:
        tags = run.data.tags
        if "dvc.stage" in tags:
            key = (tags.get("dvc.exp_name"), tags["dvc.stage"])
            told[key] = (tags["dvc.origin"], len(tags["dvc.stage_key"]))
    executed = ("executed", 64)
    assert told.pop(("partly", "train_fnn")) == ("restored", 64)
    assert set(told.values()) == {executed}
    assert len(told) == 2 * 5 + 1
    assert not list((toy.folder / ".dvc/tmp/exps").rglob("mlflow.db"))

    toy.run(*dvc, "exp", "apply", "apart", **on)
    toy.run(sys.executable, "-m", "plumbline.cli", "sync")
    newest = max(
        (run for run in plumbline_runs(toy) if run.info.run_name == "train_fnn"),
        key=lambda run: run.info.start_time,
    )
    source = next(run for run in runs if run.info.run_id == newest.data.tags["dvc.source_run"])
    assert (newest.data.tags["dvc.origin"], newest.data.params["seed"]) == ("restored", "8")
    assert source.data.tags["dvc.exp_name"] == "apart"
    assert lineage.examine(toy.folder).breaks == []
    assert workers_of(toy.folder) == []


def workers_of(folder: Path) -> list[list[str]]:
    """Return the command lines of DVC's queue workers that run in a folder."""
    running = psutil.process_iter(["cmdline", "cwd"])  # None for those of another user
    return [
        process.info["cmdline"]
        for process in running
        if "queue-worker" in (process.info["cmdline"] or [])
        and process.info["cwd"] == str(folder.resolve())
    ]
