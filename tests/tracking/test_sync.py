import errno
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

from plumbline.errors import ArtifactError
from plumbline.runs import processes, records
from plumbline.stage import background_sync
from plumbline.tracking import store, sync


def lines(record) -> None:
    book = record()
    book.metrics({"train/loss": 1.0}, step=0)
    book.metrics({"train/loss": 0.5}, step=1)
    book.close(records.FINISHED)
    record("evaluate@fnn").close(records.FAILED, "why")


@pytest.fixture
def dead(monkeypatch):
    """A server that is down, found out quickly: a port that is held and does not listen."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        for name in ("MAX_RETRIES", "BACKOFF_FACTOR"):
            monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", "0")
        yield uri


def test_a_second_sync_adds_nothing(home, record, view):
    lines(record)
    sync.sync(home)
    before = view().everything()
    assert len(before) == 3
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    assert view().everything() == before


def test_lost_delivery_notes_cost_nothing(home, record, view):
    lines(record)
    sync.sync(home)
    before = view().everything()
    for note in (home / ".plumbline").rglob("sync.json"):
        note.unlink()
    sync.sync(home)
    assert view().everything() == before
    for note in (home / ".plumbline").rglob("sync.json"):
        note.write_text('{"torn')
    sync.sync(home)
    assert view().everything() == before


@pytest.mark.parametrize("content", ["", '{"key": "torn', "[]"])
def test_a_damaged_record_or_note_delays_no_other_run(home, record, view, caplog, content):
    lines(record)
    damaged = record("train_cnn")
    damaged.close(records.FINISHED)
    (damaged.folder / "run.json").write_text(content)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    assert damaged.folder.name in caplog.text
    before = view().everything()
    assert len(before) == 3
    (note,) = (home / ".plumbline/pipelines").glob("*/pipeline.json")
    note.write_text(content)
    assert sync.sync(home, rebuild=True) == sync.Outcome(0, 0, 0)
    assert view().everything() == before


def test_values_of_another_type_keep_nothing_else_out_of_the_store(home, record, view, caplog):
    lines(record)
    book = record("train_cnn")
    book.metrics({"train/loss": 1.0}, step=0)
    with (book.folder / "metrics.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(f'{{"k": "a", "v": 1, "s": {2**63}, "t": 0}}\n')
        stream.write('{"k": ["a"], "v": "much", "s": 0, "t": -5}\n')
    book.metrics({"train/loss": 0.5}, step=1)
    book.close(records.FINISHED)
    wrong = record("train_rnn")
    wrong.close(records.FINISHED)
    wrong.update(started="yesterday")
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    assert [run.info.run_name for run in view().runs() if "train_rnn" in run.info.run_name] == []
    run = view().one("train_cnn")
    assert [value for _, value, _ in view().history(run, "train/loss")] == [1.0, 0.5]
    assert "started: Input should be a valid integer" in caplog.text


def test_rebuild_in_a_store_that_has_the_runs_changes_nothing(home, record, view):
    lines(record)
    sync.sync(home)
    before = view().everything()
    sync.sync(home, rebuild=True)
    assert view().everything() == before


def test_a_lost_store_is_made_again_from_the_records_alone(
    home, record, view, template, monkeypatch
):
    lines(record)
    sync.sync(home)
    before = view().everything()
    shutil.copy(template, home / "new.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/new.db")
    assert view().everything() == []
    sync.sync(home, rebuild=True)
    assert view().everything() == before


def test_delivery_that_stops_anywhere_goes_on_without_doubling(home, record, view, monkeypatch):
    lines(record)
    calls = {"left": 0}
    opened = store.connect(home)
    real = type(opened.client)
    for name in ("create_run", "log_batch", "log_inputs", "set_terminated"):
        method = getattr(real, name)

        def flaky(self, *args, _method=method, **more):
            calls["left"] -= 1
            if calls["left"] == 0:
                raise ConnectionError("the line is cut")
            return _method(self, *args, **more)

        monkeypatch.setattr(real, name, flaky)
    for cut in range(1, 16):
        calls["left"] = cut
        sync.sync(home)
    calls["left"] = 0
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    found = view().everything()
    assert [row[0] for row in found].count("train_fnn") == 1
    history = view().history(view().one("train_fnn"), "train/loss")
    assert [row[:2] for row in history] == [(0, 1.0), (1, 0.5)]
    assert view().one("evaluate@fnn").info.status == "FAILED"


def test_an_error_of_one_pipeline_delays_no_other(home, record, view, gone, monkeypatch):
    """A disk error at the files of the first pipeline, which is not a refusal of the store."""
    first = record(pipeline={**gone, "key": "first"})
    record("gate", pipeline={**gone, "key": "second"}).close(records.FINISHED)
    first.close(records.FINISHED)
    real = type(store.connect(home).client)
    method, broken = real.create_run, {"first": True}

    def flaky(self, *args, **more):
        if broken["first"] and more["tags"].get("plumbline.pipeline") == "first":
            raise OSError(errno.EIO, "the disk fails")
        return method(self, *args, **more)

    monkeypatch.setattr(real, "create_run", flaky)
    outcome = sync.sync(home)
    assert (outcome.waiting, outcome.refused) == (1, 0)
    assert outcome.down == "OSError: [Errno 5] the disk fails"
    assert view().one("gate").info.status == "FINISHED"
    assert len(view().runs()) == 2
    broken["first"] = False
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    assert view().one("train_fnn").info.status == "FINISHED"
    assert len(view().runs()) == 4


def test_a_dead_server_is_told_once_and_later_gets_everything(
    home, record, view, dead, caplog, monkeypatch
):
    lines(record)
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="plumbline"):
        outcome = sync.follow(home, poll=0.01)
    assert time.monotonic() - began < 50
    assert outcome.waiting == 1
    assert "Max retries exceeded" in outcome.down
    (message,) = [entry.message for entry in caplog.records if entry.name.startswith("plumbline")]
    assert message == (
        f"sync: store must answer, got {outcome.down} from {dead}; runs stay in .plumbline/runs "
        "and `plumbline sync` delivers them"
    )
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    sync.sync(home)
    assert len(view().runs()) == 3


def test_a_run_that_somebody_deleted_is_refused_and_the_others_arrive(home, record, view, gone):
    here = processes.pipeline_of(os.getpid())
    book = record(pipeline=here)
    watcher = sync.Sync(home)
    watcher.run_once()
    view().client.delete_run(view().one("train_fnn").info.run_id)
    record("gate", pipeline=gone).close(records.FINISHED)
    book.metrics({"a": 1}, step=0)
    book.close(records.FINISHED)
    outcome = watcher.run_once()
    assert (outcome.refused, outcome.down) == (1, "")
    assert view().one("gate").info.status == "FINISHED"


def far(pid: int = 7) -> dict:
    """A ``dvc`` process of another host."""
    return {**processes.pipeline_of(os.getpid()), "host": "another", "key": f"far{pid}", "pid": pid}


def silence(book: records.RunRecord, seconds: float = 3600) -> None:
    """Let the last sign of life of a run be so old, and nobody have seen it come."""
    processes._seen.clear()
    for path in book.folder.iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def test_a_run_of_another_host_that_died_costs_no_time(home, record, view):
    book = record(pipeline=far())
    silence(book)
    began = time.monotonic()
    assert sync.follow(home, poll=0.01) == sync.Outcome(0, 0, 0)
    assert time.monotonic() - began < 60  # a host has 120 to show life
    run = view().one("train_fnn")
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", records.DIED)
    began = time.monotonic()
    assert background_sync.wait(home)
    assert time.monotonic() - began < 30


def test_a_run_that_was_taken_for_dead_and_goes_on_ends_with_its_true_status(home, record, view):
    book = record(pipeline=far())
    book.metrics({"a": 1.0}, step=0)
    silence(book)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    assert {run.info.status for run in view().runs()} == {"FAILED"}
    (book.folder / "heartbeat").touch()
    assert sync.sync(home) == sync.Outcome(1, 1, 0)
    assert {run.info.status for run in view().runs()} == {"RUNNING"}
    book.metrics({"a": 2.0}, step=1)
    book.close(records.FINISHED)
    late = record("gate", pipeline=far())  # the next stage of that pipeline
    assert sync.sync(home) == sync.Outcome(1, 1, 0)
    late.close(records.FINISHED)
    for one in (book, late):
        silence(one)
    assert sync.sync(home) == sync.Outcome(0, 0, 0)
    assert [run.info.status for run in view().runs()] == ["FINISHED"] * 3
    run = view().one("train_fnn")
    assert "error" not in run.data.tags
    assert [row[:2] for row in view().history(run, "a")] == [(0, 1.0), (1, 2.0)]
    before = view().everything()
    sync.sync(home)
    assert view().everything() == before


def test_nobody_waits_for_the_pipeline_of_somebody_else(home, record, view, gone):
    living = record(pipeline=far())
    (living.folder / "heartbeat").touch()
    told = []
    follower = threading.Thread(target=lambda: told.append(sync.follow(home, poll=0.05)))
    follower.start()
    try:
        record("gate", pipeline=gone).close(records.FINISHED)
        began = time.monotonic()
        assert background_sync.wait(home, seconds=60)
        assert time.monotonic() - began < 50
        assert view().one("gate").info.status == "FINISHED"
        assert view().one("train_fnn").info.status == "RUNNING"
        assert sync.sync(home) == sync.Outcome(1, 1, 0)  # what the other process says
        with pytest.raises(ArtifactError) as caught:
            sync.sync(home, rebuild=True)
        assert str(caught.value) == (
            "sync: MLflow must be filled by one process at a time, got another that follows a "
            "running pipeline (see .plumbline/sync.log); wait for its end"
        )
    finally:
        silence(living)
        follower.join(30)
    assert told == [sync.Outcome(0, 0, 0)]


def test_only_one_process_works_at_a_time(home, record):
    with background_sync.lock(home):
        assert sync.follow(home) is None


def test_a_request_that_comes_while_a_sync_ends_is_noticed(home, record, view, monkeypatch, gone):
    record().close(records.FINISHED)
    once = sync._follow
    asked = []

    def follow_then_be_asked(watcher, **more):
        outcome = once(watcher, **more)
        if not asked:
            asked.append(background_sync.request(home))
            other = {**gone, "key": "another", "started": 2.0}
            record("late", pipeline=other).close(records.FINISHED)
        return outcome

    monkeypatch.setattr(sync, "_follow", follow_then_be_asked)
    sync.follow(home)
    assert asked == [False]
    assert view().one("late").info.status == "FINISHED"


def test_a_sync_follows_until_the_pipeline_has_ended(home, record, view):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as dvc:
        book = record(pipeline=processes.pipeline_of(dvc.pid))
        told = []
        follower = threading.Thread(target=lambda: told.append(sync.follow(home, poll=0.05)))
        follower.start()
        book.metrics({"a": 1}, step=0)
        book.close(records.FINISHED)
        time.sleep(0.5)
        assert follower.is_alive()
        dvc.communicate(b"\n")
    follower.join(20)
    assert told == [sync.Outcome(0, 0, 0)]
    assert {run.info.status for run in view().runs()} == {"FINISHED"}


@pytest.mark.parametrize("folder", ["metrics", "audits"])
@pytest.mark.parametrize("content", ["", "[1]", '{"metrics": 3, "gaps": {"a": 1}}'])
def test_a_damaged_copy_of_a_report_keeps_nothing_else_out(home, record, view, folder, content):
    damaged = record("evaluate@fnn")
    kept = damaged.folder / f"files/reports/{folder}/fnn.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(content)
    damaged.update(artifacts=[f"reports/{folder}/fnn.json"])
    damaged.metrics({"test/accuracy": 0.5}, step=0)
    damaged.close(records.FINISHED)
    record("train_rnn").close(records.FINISHED)
    outcome = sync.sync(home)
    assert (outcome.live, outcome.waiting, outcome.down) == (0, 0, "")
    assert outcome.refused > 0
    assert {run.info.status for run in view().runs()} == {"FINISHED"}
    assert view().one("evaluate@fnn").data.metrics["test/accuracy"] == 0.5
    assert view().one("train_rnn")
