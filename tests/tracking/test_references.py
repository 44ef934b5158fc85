import pytest

from plumbline.runs import record_files
from plumbline.tracking import references, sync


@pytest.fixture
def after(gone):
    """Make a later ``dvc`` process that has ended."""
    return lambda key: {**gone, "started": 2.0, "key": key}


def test_a_pipeline_that_only_took_from_the_cache_is_shown_as_references(toy, view, after):
    toy.repro()
    sync.sync(toy.folder)
    gone = after("restored-only")
    assert references.note_restored(toy.folder, gone) == 2
    assert references.note_restored(toy.folder, gone) == 0
    sync.sync(toy.folder)
    assert view().origins() == {
        "train_fnn": ["executed", "unchanged"],
        "evaluate@fnn": ["executed", "unchanged"],
    }
    assert [r.data.metrics.get("test/auroc") for r in view().runs("evaluate@fnn")] == [0.75, 0.75]


def test_a_stage_that_is_not_up_to_date_is_not_referred_to(toy, after):
    toy.repro()
    path = toy.folder / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("confidence: 0.95", "confidence: 0.9"))
    assert references.note_restored(toy.folder, after("a")) == 1  # train_fnn
    path.write_text(text)
    (toy.folder / "reports/metrics/fnn.json").write_text("{}")
    assert references.note_restored(toy.folder, after("b")) == 1
    (toy.folder / "code/library.py").write_text("other = 1\n")
    assert references.note_restored(toy.folder, after("c")) == 0


def test_what_plain_dvc_only_restored_is_noted_by_the_next_sync_once(toy, view):
    """A, B, A by ``dvc repro`` alone: the third starts no stage."""
    for seed in (42, 7, 42):
        toy.seed(seed)
        toy.repro()
        sync.sync(toy.folder)
    assert view().origins() == {
        "train_fnn": ["executed", "executed", "restored"],
        "evaluate@fnn": ["executed", "executed", "restored"],
    }
    first, _, again = view().runs("train_fnn")
    assert again.data.tags["dvc.source_run"] == first.info.run_id
    parent = view().client.get_run(again.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name.startswith("restored ")
    assert parent.data.metrics == {"fnn/test/auroc": 0.75}
    before = len(view().runs())
    sync.sync(toy.folder)
    sync.sync(toy.folder)
    assert len(view().runs()) == before


def test_nothing_is_caught_up_while_a_pipeline_is_not_settled(toy):
    toy.repro()
    assert references.catch_up(toy.folder) == 0


def test_a_lock_entry_whose_files_are_not_there_is_not_caught_up(toy):
    toy.repro()
    sync.sync(toy.folder)
    path = toy.folder / "dvc.lock"
    good = record_files.read_record(record_files.read_all(toy.folder)[0])["outs"]["data/models/fnn"]
    path.write_text(path.read_text().replace(good, "0" * 32 + ".dir"))
    assert references.catch_up(toy.folder) == 0
