"""Refusals are real ones, of a real store: names, lengths and changes that MLflow does not take."""

import errno
import logging
import os
import shutil
import threading

import pytest

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.runs import processes, records
from plumbline.tracking import sending, sync, tags
from plumbline.tracking.pipelines import folder_of
from plumbline.tracking.sending import RunRefusedError, Sending

MARK = ("plumbline.key", "key")


@pytest.fixture
def served(home, monkeypatch):
    """MLflow's own server over HTTP, in this process, on the database of the work tree."""
    from mlflow.server import app, handlers
    from werkzeug.serving import make_server

    from plumbline.tracking import store

    place = (home / "served").as_uri()
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", store.address(home))
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", place)
    monkeypatch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
    for name in ("_tracking_store", "_artifact_repo"):
        monkeypatch.setattr(handlers, name, None)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    thread.join()


@pytest.fixture
def opened(view):
    """The sending of a new run, and the store."""
    found = view().store
    run = found.client.create_run(found.experiment, tags=dict([MARK]))
    return Sending(found, run.info.run_id, MARK, {}), found


def above(view, key: str):
    """The run of a pipeline."""
    (run,) = [run for run in view().runs() if run.data.tags.get("plumbline.pipeline") == key]
    return run


def metrics(names: list[str]) -> list:
    from mlflow.entities import Metric

    return [Metric(name, float(n), 1, 0) for n, name in enumerate(names)]


def test_refused_names_cost_no_other_value(opened):
    one, store = opened
    good = [f"m{n}" for n in range(100)]
    one.log(
        metrics=metrics([*good[:50], "a//b", *good[50:], ".", "x" * 300]),
        params={"p": "1", "b/": "2", "q": "3"},
        tags={"t": "1", "": "2", "u": None, "v" * 251: "3"},
    )
    one.finish("FAILED", 7)
    run = store.client.get_run(one.run_id)
    assert set(run.data.metrics) == set(good)
    assert run.data.params == {"p": "1", "q": "3"}
    assert run.data.tags["t"] == "1"
    assert (run.info.status, run.info.end_time) == ("FAILED", 7)
    kinds = sorted(name.split()[0] for name in one.refused)
    assert kinds == ["metric", "metric", "metric", "param", "tag", "tag"]
    assert all(reason.startswith("MlflowException: ") for reason in one.refused.values())
    named = [name for name in one.refused if name.startswith("metric x")]
    assert named == [tags.fit(f"metric {'x' * 300} at step 0")]  # by a digest
    assert run.data.tags[sending.REFUSED] == sending.summary(one.refused)


def test_the_tag_counts_all_and_names_the_first_ten():
    assert sending.summary({"a": "", "b": ""}) == "2: a, b"
    many = sending.summary(dict.fromkeys("abcdefghijkl", ""))
    assert many == "12: a, b, c, d, e, f, g, h, i, j, …"


def test_a_value_refused_before_is_not_sent_again(opened):
    one, store = opened
    one.log(metrics=metrics(["a//b"]))
    again = Sending(store, one.run_id, MARK, one.refused)
    calls = []
    items = metrics(["a//b", "c"])
    again.values(lambda m: f"metric {m.key} at step 0", items, lambda some: calls.append(len(some)))
    assert calls == [1]


def test_a_deleted_run_refuses_all(opened):
    one, store = opened
    store.client.delete_run(one.run_id)
    with pytest.raises(RunRefusedError, match="must be in the 'active' state"):
        one.log(metrics=metrics(["a"]))
    with pytest.raises(RunRefusedError):
        one.finish("FINISHED", 1)
    gone = Sending(store, "0" * 32, MARK, {})
    with pytest.raises(RunRefusedError, match="not found"):
        gone.log(metrics=metrics(["a"]))
    assert one.refused == gone.refused == {}


def test_a_deleted_experiment_is_a_store_that_is_down(opened):
    from mlflow.exceptions import MlflowException

    one, store = opened
    store.client.delete_experiment(store.experiment)
    with pytest.raises(MlflowException):
        one.log(metrics=metrics(["a"]))


def test_a_lost_table_is_a_store_that_is_down(opened, home):
    import sqlite3

    from mlflow.exceptions import MlflowException

    one, _ = opened
    with sqlite3.connect(home / "mlflow.db") as connection:
        connection.execute("alter table tags rename to lost")
    connection.close()
    with pytest.raises(MlflowException):
        one.log(params={"a": "1"}, tags={"b": "2"})
    assert one.refused == {}


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (OSError(errno.ENAMETOOLONG, ""), True),
        (OSError(errno.ENOTDIR, ""), True),
        (OSError(errno.ENOSPC, ""), False),
        (ConnectionError(), False),
        (ArtifactError("a report is damaged"), True),
    ],
)
def test_a_full_disk_is_no_refusal_but_an_impossible_name_is(error, refused):
    assert sending.refuses(error) is refused


REFUSED = ["artifact reports/cards/a.md", f"dataset {'n' * 501}", "param seed"]


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_a_run_of_which_something_is_refused_is_delivered_with_its_true_status(
    home, record, view, gone, caplog, status
):
    book = record(pipeline={**gone, "key": "other"}, stage="gate")
    book.close(records.FINISHED)
    stopped = {**processes.pipeline_of(2**22), "started": 1.0}
    one = record(
        params={"seed": 1, "other": 2},
        pipeline=stopped,
        inputs=[{"name": n, "path": "p", "digest": "d"} for n in ("one", "n" * 501, "two")],
    )
    one.update(pid=2**22, pid_started=1.0)
    sync.sync(home)
    run_id = view().one("train_fnn").info.run_id
    view().client.log_text(run_id, "a file of this name", "reports/cards")
    for name in ("cards/a.md", "pages/index.html"):
        artifacts.write_text(one.folder / "files/reports" / name, "text")
    one.update(
        params={"seed": 2, "new": 3}, artifacts=["reports/cards/a.md", "reports/pages/index.html"]
    )
    one.metrics({"loss": 1.0}, step=0)
    one.close(status, None if status == "FINISHED" else "why")
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="plumbline"):
        outcome = sync.sync(home, rebuild=True)
    assert outcome == sync.Outcome(0, 0, 3)

    run, parent = view().one("train_fnn"), above(view, gone["key"])
    assert run.info.run_id == run_id
    assert (run.info.status, parent.info.status) == (status, status)
    assert run.data.params == {"seed": "1", "other": "2", "new": "3"}
    assert run.data.metrics == {"loss": 1.0}
    assert {d.dataset.name for d in run.inputs.dataset_inputs} == {"one", "two"}
    assert view().artifacts(run) == {
        "params.json", "reports/cards", "reports/pages/index.html",
    }  # fmt: skip
    names = [tags.fit(name) for name in REFUSED]
    assert run.data.tags["plumbline.refused"] == f"3: {', '.join(names)}"
    below = ", ".join(f"train_fnn: {name}" for name in names)
    assert parent.data.tags["plumbline.refused"] == f"3: {below}"
    (message,) = [entry.message for entry in caplog.records if "refusal" in entry.message]
    assert message.startswith(
        f"sync: store must take all of pipeline {gone['key']}, got a refusal of 3: "
        "train_fnn: artifact reports/cards/a.md, "
    )
    assert "NotADirectoryError" in message
    assert sync.sync(home) == sync.Outcome(0, 0, 3)  # nothing is sent, and still said
    assert view().one("gate").info.status == "FINISHED"


def test_a_deleted_run_is_named_and_made_again_by_a_rebuild(home, record, view, gone):
    here = processes.pipeline_of(os.getpid())
    book, other = record(pipeline=here), record("gate", pipeline=here)
    watcher = sync.Sync(home)
    watcher.run_once()
    view().client.delete_run(view().one("train_fnn").info.run_id)
    for one in (book, other):
        one.close(records.FINISHED)
        one.update(pipeline={"started": 1.0})
    outcome = watcher.run_once()
    assert (outcome.waiting, outcome.refused, outcome.down) == (0, 1, "")
    assert view().one("gate").info.status == "FINISHED"
    parent = above(view, here["key"])
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["plumbline.refused"] == "1: train_fnn: the run"
    assert sync.sync(home, rebuild=True) == sync.Outcome(0, 0, 0)
    assert view().one("train_fnn").info.status == "FINISHED"
    assert "plumbline.refused" not in above(view, here["key"]).data.tags


def test_a_deleted_pipeline_run_keeps_no_stage_out(home, record, view, gone):
    here = processes.pipeline_of(os.getpid())
    book = record(pipeline=here)
    watcher = sync.Sync(home)
    watcher.run_once()
    view().client.delete_run(above(view, here["key"]).info.run_id)
    book.close(records.FINISHED)
    book.update(pipeline={"started": 1.0})
    outcome = watcher.run_once()
    assert (outcome.waiting, outcome.refused) == (0, 1)
    assert view().one("train_fnn").info.status == "FINISHED"


def test_an_experiment_deleted_meanwhile_is_restored_and_filled(home, record, view):
    book = record(pipeline=processes.pipeline_of(os.getpid()))
    watcher = sync.Sync(home)
    watcher.run_once()
    opened = view().store
    opened.client.delete_experiment(opened.experiment)
    book.metrics({"a": 1.0}, step=0)
    book.close(records.FINISHED)
    assert "must be in the 'active' state" in watcher.run_once().down
    assert watcher.run_once().down == ""
    run = view().one("train_fnn")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"a": 1.0})


@pytest.mark.filterwarnings("ignore:starlette.middleware.wsgi")  # of the server
def test_a_server_refuses_over_http_as_a_database_does(served, home, record, view, gone):
    inputs = [{"name": n, "path": "p", "digest": "d"} for n in ("one", "n" * 501)]
    book = record(inputs=inputs)
    artifacts.write_text(book.folder / "files/reports/a.json", "{}")
    book.update(artifacts=["reports/a.json"])
    book.metrics({"a": 1.0, "b/": 2.0}, step=0)
    book.close(records.KILLED, "why")
    assert sync.sync(home) == sync.Outcome(0, 0, 1)
    run = view().one("train_fnn")
    assert run.info.status == "KILLED"
    assert sorted(run.data.metrics.values()) == [1.0, 2.0]
    assert [d.dataset.name for d in run.inputs.dataset_inputs] == ["one"]
    (sent,) = (home / "served").rglob("a.json")
    assert sent.parts[-4:] == (run.info.run_id, "artifacts", "reports", "a.json")
    assert run.data.tags["plumbline.refused"].startswith("1: dataset nnn")


def test_what_was_refused_is_known_after_the_state_of_a_run_is_lost(home, record, view, gone):
    book = record(inputs=[{"name": "n" * 501, "path": "p", "digest": "d"}])
    book.close(records.FINISHED)
    sync.sync(home)
    (book.folder / "sync.json").unlink()
    assert sync.sync(home).refused == 1
    shutil.rmtree(folder_of(home, gone["key"]))
    assert sync.sync(home).refused == 1
