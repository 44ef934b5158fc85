import json
from datetime import UTC, datetime

import pytest

from plumbline.runs import dvc_files, record_files
from plumbline.tracking import references, sync
from plumbline.verify import lineage
from tests.clone import own_settings
from tests.tracking.conftest import View


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


def test_a_moved_work_tree_neither_loses_nor_doubles_its_runs(toy, tmp_path):
    toy.repro()
    sync.sync(toy.folder)
    toy.folder = toy.folder.rename(tmp_path / "moved")
    toy.env |= own_settings(toy.folder)
    assert references.catch_up(toy.folder) == 0
    before = len(View(toy.folder).runs())
    sync.sync(toy.folder)
    assert len(View(toy.folder).runs()) == before
    path = toy.folder / "pipelines/evaluate.py"
    path.write_text(path.read_text() + "# changed\n")
    toy.repro()
    sync.sync(toy.folder)
    assert View(toy.folder).origins() == {
        "train_fnn": ["executed", "unchanged"],
        "evaluate@fnn": ["executed", "executed"],
    }
    assert lineage.examine(toy.folder).breaks == []


def test_a_clock_that_was_set_back_loses_no_references(toy, view):
    """The first pipeline is an hour in the future of the second."""
    toy.repro()
    for folder in record_files.read_all(toy.folder):
        record = record_files.read_record(folder)
        for name in ("started", "begun", "ended"):
            record[name] += 3_600_000
        later = datetime.fromtimestamp(record["started"] / 1000, UTC)
        record["key"] = f"{later:%Y%m%dT%H%M%S%f}-{folder.name.partition('-')[2]}"
        (folder / "run.json").write_text(json.dumps(record))
        folder.rename(folder.with_name(record["key"]))
    sync.sync(toy.folder)
    path = toy.folder / "pipelines/evaluate.py"
    path.write_text(path.read_text() + "# changed\n")
    toy.repro()
    stages = [folder.name.split("-")[1] for folder in record_files.read_all(toy.folder)]
    assert stages == ["train_fnn", "evaluate", "evaluate"]
    sync.sync(toy.folder)
    found = view().origins()
    assert sorted(found["train_fnn"]) == ["executed", "unchanged"]
    assert found["evaluate@fnn"] == ["executed", "executed"]
    assert references.catch_up(toy.folder) == 0


def test_the_order_of_pipelines_is_that_of_their_numbers_and_without_one_of_the_clock(
    home, record, gone
):
    for key, started in (("c", 300), ("b", 200)):  # of an earlier version
        book = record(pipeline={**gone, "key": key})
        del book.fields["number"]
        book.update(started=started, begun=started)
    for key, started in (("d", 100), ("a", 50)):
        record(pipeline={**gone, "key": key}).update(started=started, begun=started)
    assert references.pipelines_of(home, home) == ["b", "c", "d", "a"]
    assert references.latest(home, home) == "a"
    assert references.latest(home, home, before="d") == "c"


def test_nothing_is_caught_up_while_a_pipeline_is_not_settled(toy):
    toy.repro()
    assert references.catch_up(toy.folder) == 0


def test_a_lock_is_parsed_once_to_find_nothing_to_catch_up(toy, monkeypatch):
    toy.repro()
    sync.sync(toy.folder)
    assert references.catch_up(toy.folder) == 0
    parse, parsed = dvc_files.lock, []
    monkeypatch.setattr(dvc_files, "lock", lambda text: parsed.append(text) or parse(text))
    assert references.catch_up(toy.folder) == 0
    assert parsed == []
    path = toy.folder / "dvc.lock"
    path.write_text(path.read_text() + "\n")
    assert references.catch_up(toy.folder) == 0
    assert len(parsed) == 1


def test_a_lock_entry_whose_files_are_not_there_is_not_caught_up(toy):
    toy.repro()
    sync.sync(toy.folder)
    path = toy.folder / "dvc.lock"
    good = record_files.read_record(record_files.read_all(toy.folder)[0])["outs"]["data/models/fnn"]
    path.write_text(path.read_text().replace(good, "0" * 32 + ".dir"))
    assert references.catch_up(toy.folder) == 0
