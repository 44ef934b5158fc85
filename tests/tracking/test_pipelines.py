import shutil

from plumbline.runs import dvc_files
from plumbline.tracking import pipelines, sync
from plumbline.verify import lineage
from tests.toy import Toy

# Stage runs of a toy pipeline are made by real `dvc repro`s; they are delivered here, afterwards.


def test_executed_stages_carry_their_lock_entry_and_unchanged_ones_refer_to_them(toy, view):
    toy.repro()
    sync.sync(toy.folder)
    assert view().origins() == {"train_fnn": ["executed"], "evaluate@fnn": ["executed"]}
    first = view().one("evaluate@fnn")
    entry = dvc_files.read_lock(toy.folder)["evaluate@fnn"]
    assert first.data.tags["dvc.stage_key"] == entry.fingerprint
    parent = next(r for r in view().runs() if "plumbline.pipeline" in r.data.tags)
    assert parent.data.metrics == {"fnn/test/auroc": 0.75}
    assert parent.data.tags["mlflow.note.content"] == "2 stages executed, 0 up to date"

    path = toy.folder / "pipelines/evaluate.py"
    path.write_text(path.read_text() + "# changed\n")
    toy.repro()
    sync.sync(toy.folder)
    assert view().origins() == {
        "train_fnn": ["executed", "unchanged"],
        "evaluate@fnn": ["executed", "executed"],
    }
    trained, referred = view().runs("train_fnn")
    assert referred.data.tags["dvc.source_run"] == trained.info.run_id
    assert referred.data.tags["dvc.stage_key"] == trained.data.tags["dvc.stage_key"]
    assert (referred.outputs.model_outputs, view().artifacts(referred)) == ([], set())
    before = view().everything()
    sync.sync(toy.folder, rebuild=True)
    assert view().everything() == before


def test_stages_of_a_lab_are_delivered_below_its_name_and_refer_to_their_runs(home, view):
    lab = Toy(home, lab=True)
    lab.repro("-P")
    sync.sync(lab.folder)
    (run,) = view().runs("toy/mitigate@none")
    entry = dvc_files.read_lock(lab.folder)["mitigate@none"]
    assert run.data.tags["dvc.stage"] == "mitigate@none"
    assert run.data.tags["dvc.stage_key"] == entry.fingerprint
    assert run.data.params == {"seed": "42", "mitigate.strength": "0.5"}
    path = lab.folder / "studies/toy/params.yaml"
    path.write_text(path.read_text().replace("0.5", "1.0"))
    lab.repro("studies/toy/dvc.yaml:mitigate@none")
    sync.sync(lab.folder)
    assert view().origins() == {
        "train_fnn": ["executed", "unchanged"],
        "evaluate@fnn": ["executed", "unchanged"],
        "toy/mitigate@none": ["executed", "executed"],
        "toy/mitigate@drop": ["executed"],  # its parameters changed, and it was not asked for
    }
    assert lineage.examine(lab.folder).breaks == []


def test_a_clone_with_results_in_git_publishes_them_from_their_files(toy, view):
    toy.repro()
    shutil.rmtree(toy.folder / ".plumbline")  # as in a clone: files and lock, no records
    path = toy.folder / "pipelines/evaluate.py"
    path.write_text(path.read_text() + "# changed\n")
    toy.repro()
    sync.sync(toy.folder)
    assert view().origins() == {"train_fnn": ["first-published"], "evaluate@fnn": ["executed"]}
    run = view().one("train_fnn")
    assert [row[:2] for row in view().history(run, "train/loss")] == [(0, 1), (1, 0.5), (2, 0.25)]
    assert [row[:2] for row in view().history(run, "val/loss")] == [(2, 0.75)]
    assert view().artifacts(run) == {"reports/history/fnn.csv"}
    assert len(run.outputs.model_outputs) == 1
    assert run.data.params["seed"] == "42"


def test_names_of_pipeline_runs(gone):
    first = {"pipeline": gone, "pid": 1, "stage": "gate", "tags": {"git.commit": "abcdefghij"}}
    assert pipelines._name(first) == "dvc repro abcdefg"
    assert pipelines._name({**first, "pid": gone["pid"]}) == "gate by hand abcdefg"
    tags = {"dvc.exp_name": "wide"}
    assert pipelines._name({**first, "tags": tags}) == "wide"


def test_a_pipeline_overtaken_by_the_next_before_a_sync_keeps_its_lock_entries(toy, view):
    toy.repro()
    before = dvc_files.read_lock(toy.folder)["train_fnn"]
    toy.seed(7)
    toy.repro()
    after = dvc_files.read_lock(toy.folder)["train_fnn"]
    sync.sync(toy.folder)
    tags = [run.data.tags["dvc.stage_key"] for run in view().runs("train_fnn")]
    assert tags == [before.fingerprint, after.fingerprint]
