"""A run that was stopped and goes on is one run, below the pipeline in which it ended."""

import os

import pytest

from plumbline.runs import processes, records
from plumbline.tracking import sync


@pytest.fixture
def second(gone) -> dict:
    """A later ``dvc`` process that has ended, too."""
    return {**gone, "key": "second", "started": 2.0}


def parent_of(view, run) -> str:
    return view().client.get_run(run.data.tags["mlflow.parentRunId"])


def finish(book) -> None:
    book.metrics({"train/loss": 1.0}, step=0)  # is there already
    book.metrics({"train/loss": 0.25}, step=2)
    book.close(records.FINISHED)


def begin(record, gone) -> records.RunRecord:
    record("prepare", pipeline=gone).close(records.FINISHED)
    book = record(pipeline=gone)
    book.metrics({"train/loss": 1.0}, step=0)
    book.metrics({"train/loss": 0.5}, step=1)
    return book


@pytest.mark.parametrize("delivered", [True, False], ids=["delivered between", "later"])
def test_it_is_the_same_run_with_every_step_once(home, record, view, gone, second, delivered):
    book = begin(record, gone)
    book.close(records.KILLED, "stopped: interrupted")
    if delivered:
        sync.sync(home)
        before = view().one("train_fnn")
        assert (before.info.status, before.data.tags["error"]) == ("KILLED", "stopped: interrupted")
    again = records.RunRecord.reopen(book.folder)
    again.update(pipeline=second)
    finish(again)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    run = view().one("train_fnn")
    if delivered:
        assert run.info.run_id == before.info.run_id
    assert run.info.status == "FINISHED"
    assert run.info.end_time == again.fields["ended"]
    history = view().history(run, "train/loss")
    assert [row[:2] for row in history] == [(0, 1.0), (1, 0.5), (2, 0.25)]
    assert "error" not in run.data.tags
    assert run.data.tags["plumbline.attempts"] == "2"
    assert run.data.tags["plumbline.stopped.1"] == "KILLED: stopped: interrupted"
    assert parent_of(view, run).data.tags["plumbline.pipeline"] == "second"
    parents = {
        r.data.tags["plumbline.pipeline"]: r for r in view().runs()
        if "plumbline.pipeline" in r.data.tags
    }  # fmt: skip
    assert parents[gone["key"]].info.status == "KILLED"
    assert parents["second"].info.status == "FINISHED"
    assert parents[gone["key"]].data.tags["plumbline.went_on.train_fnn"] == book.fields["key"]
    everything = view().everything()
    sync.sync(home)
    assert view().everything() == everything


def test_a_sync_at_work_sees_the_run_go_on(home, record, view, gone, second):
    book = begin(record, gone)
    book.close(records.KILLED, "stopped")
    watcher = sync.Sync(home)
    watcher.run_once()
    assert view().one("train_fnn").info.status == "KILLED"
    again = records.RunRecord.reopen(book.folder)
    again.update(pipeline={**second, **processes.pipeline_of(os.getpid()), "key": "second"})
    again.metrics({"train/loss": 0.25}, step=2)
    watcher.run_once()
    run = view().one("train_fnn")
    assert (run.info.status, run.data.metrics["train/loss"]) == ("RUNNING", 0.25)
    again.update(pipeline=second)
    again.close(records.FINISHED)
    assert watcher.run_once().live == 0
    assert view().one("train_fnn").info.status == "FINISHED"
    assert len(view().runs("train_fnn")) == 1


def test_a_run_stopped_in_two_pipelines_closes_both(home, record, view, gone, second):
    book = begin(record, gone)
    book.close(records.KILLED, "one")
    sync.sync(home)
    again = records.RunRecord.reopen(book.folder)
    again.update(pipeline=second)
    again.close(records.FAILED, "two")
    sync.sync(home)
    third = records.RunRecord.reopen(book.folder)
    third.update(pipeline={**second, "key": "third", "started": 3.0})
    finish(third)
    sync.sync(home)
    run = view().one("train_fnn")
    assert run.data.tags["plumbline.attempts"] == "3"
    assert run.data.tags["plumbline.stopped.2"] == "FAILED: two"
    statuses = [r.info.status for r in view().runs() if "plumbline.pipeline" in r.data.tags]
    assert sorted(statuses) == ["FAILED", "FINISHED", "KILLED"]
