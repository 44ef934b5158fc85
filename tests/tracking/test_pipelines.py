import shutil

import pytest

from plumbline import journal
from plumbline.tracking import mirror, pipelines
from tests.toy import Toy

# Stage runs of a toy pipeline are made by real `dvc repro`s; the mirror runs here, afterwards.


@pytest.fixture
def toy(tmp_path, home):
    made = Toy(tmp_path / "home")
    for name in ("mlflow.db", "mlflow.db-wal", "mlflow.db-shm"):
        assert not (made.folder / name).exists() or made.folder == home
    return made


def origins(view) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for run in view().runs():
        if "dvc.origin" in run.data.tags:
            found.setdefault(run.info.run_name, []).append(run.data.tags["dvc.origin"])
    return found


def test_executed_stages_carry_their_lock_entry_and_unchanged_ones_refer_to_them(toy, view):
    toy.repro()
    mirror.sync(toy.folder)
    assert origins(view) == {"train_fnn": ["executed"], "evaluate@fnn": ["executed"]}
    first = view().one("evaluate@fnn")
    assert first.data.tags["dvc.locked"] == "true"
    assert len(first.data.tags["dvc.stage_key"]) == 64
    parent = next(r for r in view().runs() if "plumbline.pipeline" in r.data.tags)
    assert parent.data.metrics == {"fnn/test/auroc": 0.75}
    assert parent.data.tags["mlflow.note.content"] == "2 stages executed, 0 up to date"

    path = toy.folder / "pipelines/evaluate.py"
    path.write_text(path.read_text() + "# changed\n")
    toy.repro()
    mirror.sync(toy.folder)
    assert origins(view) == {
        "train_fnn": ["executed", "restored"],
        "evaluate@fnn": ["executed", "executed"],
    }
    trained, referred = view().runs("train_fnn")
    assert referred.data.tags["dvc.source_run"] == trained.info.run_id
    assert referred.data.tags["dvc.stage_key"] == trained.data.tags["dvc.stage_key"]
    assert (referred.outputs.model_outputs, view().artifacts(referred)) == ([], set())
    before = view().everything()
    mirror.sync(toy.folder, rebuild=True)
    assert view().everything() == before


def test_a_clone_with_results_in_git_publishes_them_from_their_files(toy, view):
    toy.repro()
    shutil.rmtree(toy.folder / ".plumbline")  # as in a clone: files and lock, no journals
    path = toy.folder / "pipelines/evaluate.py"
    path.write_text(path.read_text() + "# changed\n")
    toy.repro()
    mirror.sync(toy.folder)
    assert origins(view) == {"train_fnn": ["first-published"], "evaluate@fnn": ["executed"]}
    run = view().one("train_fnn")
    assert [row[:2] for row in view().history(run, "train/loss")] == [(0, 1), (1, 0.5), (2, 0.25)]
    assert [row[:2] for row in view().history(run, "val/loss")] == [(2, 0.75)]
    assert view().artifacts(run) == {"reports/history/fnn.csv"}
    assert len(run.outputs.model_outputs) == 1
    assert run.data.params["seed"] == "42"


def test_a_pipeline_that_only_took_from_the_cache_is_shown_as_references(toy, view):
    toy.repro()
    mirror.sync(toy.folder)
    gone = {**journal.pipeline_of(2**22), "started": 2.0, "key": "restored-only"}
    assert pipelines.note_restored(toy.folder, gone) == 2
    assert pipelines.note_restored(toy.folder, gone) == 0
    mirror.sync(toy.folder)
    assert origins(view) == {
        "train_fnn": ["executed", "restored"],
        "evaluate@fnn": ["executed", "restored"],
    }
    assert [r.data.metrics.get("test/auroc") for r in view().runs("evaluate@fnn")] == [0.75, 0.75]


def test_a_stage_that_is_not_up_to_date_is_not_referred_to(toy):
    toy.repro()
    gone = {**journal.pipeline_of(2**22), "started": 2.0}
    path = toy.folder / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("confidence: 0.95", "confidence: 0.9"))
    assert pipelines.note_restored(toy.folder, {**gone, "key": "a"}) == 1  # train_fnn
    path.write_text(text)
    (toy.folder / "reports/metrics/fnn.json").write_text("{}")
    assert pipelines.note_restored(toy.folder, {**gone, "key": "b"}) == 1
    (toy.folder / "code/library.py").write_text("other = 1\n")
    assert pipelines.note_restored(toy.folder, {**gone, "key": "c"}) == 0


def test_a_lock_that_records_something_else_is_told(toy, view):
    toy.repro()
    path = toy.folder / "dvc.lock"
    good = journal.read_record(journal.read_all(toy.folder)[0])["outs"]["data/models/fnn"]
    path.write_text(path.read_text().replace(good, "0" * 32 + ".dir"))
    mirror.sync(toy.folder)
    assert view().one("train_fnn").data.tags["dvc.locked"] == "false"
    assert "dvc.stage_key" not in view().one("train_fnn").data.tags


def test_names_of_pipeline_runs(gone):
    first = {"pipeline": gone, "pid": 1, "stage": "gate", "tags": {"git.commit": "abcdefghij"}}
    assert pipelines._name(first) == "dvc repro abcdefg"
    assert pipelines._name({**first, "pid": gone["pid"]}) == "gate by hand abcdefg"
    tags = {"dvc.exp_name": "wide"}
    assert pipelines._name({**first, "tags": tags}) == "dvc exp wide"
