import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import artifacts
from plumbline.runs import records
from plumbline.tracking import state, store, sync


def test_the_default_store_is_a_database_at_the_work_tree(home, monkeypatch):
    assert store.address(home) == f"sqlite:///{home}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert store.address(home) == "http://127.0.0.1:1"


def test_connecting_makes_the_experiment_once_with_artifacts_at_the_work_tree(home):
    first = store.connect(home)
    second = store.connect(home)
    found = first.client.get_experiment(first.experiment)
    assert found.name == "plumbline"
    assert found.artifact_location == (home / "mlartifacts").as_uri()
    assert (first.experiment, first.identity) == (second.experiment, second.identity)


def test_the_database_keeps_a_write_ahead_log(home):
    store.connect(home)
    with sqlite3.connect(home / "mlflow.db") as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_deleted_experiment_is_restored(home):
    first = store.connect(home)
    first.client.delete_experiment(first.experiment)
    again = store.connect(home)
    assert again.experiment == first.experiment
    assert again.client.get_experiment(again.experiment).lifecycle_stage == "active"


def test_a_new_store_at_the_same_address_is_another_store(home, tmp_path):
    first = store.connect(home).identity
    with sqlite3.connect(home / "mlflow.db") as connection:
        connection.execute("update experiments set creation_time = 1")
    connection.close()
    assert store.connect(home).identity != first


def test_no_password_enters_the_identity(home, monkeypatch):
    first = store.connect(home)
    monkeypatch.setattr(store, "address", lambda _home: "sqlite:///" + str(home / "mlflow.db"))
    assert "@" not in first.identity


def test_an_experiment_that_another_process_makes_first_is_taken(home, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    made = MlflowClient.create_experiment

    def late(self, name, **more):
        made(self, name, **more)
        raise MlflowException("already exists")

    monkeypatch.setattr(MlflowClient, "create_experiment", late)
    assert store.connect(home).client.get_experiment_by_name("plumbline") is not None


def test_an_experiment_that_cannot_be_made_is_an_error(home, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(self, name, **more):
        raise MlflowException("no")

    monkeypatch.setattr(MlflowClient, "create_experiment", refuse)
    with pytest.raises(MlflowException, match=r"^no$"):
        store.connect(home)


@pytest.mark.slow
def test_processes_that_start_at_the_same_time_make_one_whole_database(tmp_path):
    program = (
        "import sys, pathlib; from plumbline.tracking import store; "
        "print(store.connect(pathlib.Path(sys.argv[1])).experiment)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    told = [racer.communicate()[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert len(set(told)) == 1


def write_run(home, gone, stage: str, text: str) -> None:
    """A run that has ended, with a report."""
    book = records.open_record(home, stage, pipeline={**gone, "key": stage})
    artifacts.write_text(book.folder / "files/reports/a.md", text)
    book.update(artifacts=["reports/a.md"])
    book.close(records.FINISHED)


def as_a_new_process() -> None:
    """Forget where this process has written artifacts of a run."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def reports_of(opened: store.Store, scratch: Path) -> dict[str, str]:
    """The report of each stage's run, as its store has it."""
    found = {}
    for run in opened.client.search_runs([opened.experiment]):
        if "dvc.stage" in run.data.tags:
            place = scratch / run.info.run_id
            place.mkdir(parents=True)
            path = opened.client.download_artifacts(run.info.run_id, "reports/a.md", str(place))
            found[run.data.tags["dvc.stage"]] = Path(path).read_text()
    return found


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("way", [Path.rename, shutil.copytree])
def test_a_work_tree_that_is_moved_or_copied_takes_its_runs_along(
    home, gone, tmp_path, way, caplog
):
    write_run(home, gone, "one", "first")
    sync.sync(home)
    opened = store.connect(home)
    model = opened.client.create_logged_model(opened.experiment, name="m")
    opened.client.log_model_artifacts(model.model_id, str(home / ".plumbline/runs"))
    identity, copied = opened.identity, way is shutil.copytree
    opened.client._tracking_client.store.engine.dispose()  # writes its log into the database
    before = tree(home)

    place = tmp_path / "another place? 100%25"
    way(home, place)
    as_a_new_process()
    write_run(place, gone, "two", "second")
    with caplog.at_level("INFO", logger="plumbline"):
        assert sync.sync(place) == sync.Outcome(0, 0, 0)
    (told,) = [entry.message for entry in caplog.records if entry.message.startswith("store:")]
    assert told == (
        f"store: artifacts of 2 runs are now read from {(place / 'mlartifacts').as_uri()}, where "
        "this work tree was moved or copied to; if they were left behind, "
        "`plumbline sync --rebuild` sends them again"
    )

    assert (tree(home) if copied else home.exists()) == (before if copied else False)
    moved = store.connect(place)
    assert moved.identity == identity
    assert reports_of(moved, tmp_path / "scratch") == {"one": "first", "two": "second"}
    stages = [r.data.tags.get("dvc.stage") for r in moved.client.search_runs([moved.experiment])]
    assert sorted(filter(None, stages)) == ["one", "two"]
    location = moved.client.get_logged_model(model.model_id).artifact_location
    assert location.startswith((place / "mlartifacts/models").as_uri())
    if copied:  # each goes on by itself
        as_a_new_process()
        assert reports_of(store.connect(home), tmp_path / "own") == {"one": "first"}


def test_artifacts_left_behind_are_sent_again_by_a_rebuild(home, gone, tmp_path):
    write_run(home, gone, "one", "first")
    sync.sync(home)
    place = home.rename(tmp_path / "moved")
    shutil.rmtree(place / "mlartifacts")
    as_a_new_process()
    sync.sync(place, rebuild=True)
    assert reports_of(store.connect(place), tmp_path / "scratch") == {"one": "first"}


def test_artifacts_in_a_place_of_their_own_stay_there(home, tmp_path):
    store.connect(home)
    with sqlite3.connect(home / "mlflow.db") as connection:
        connection.execute("update experiments set artifact_location = 's3://bucket/mlartifacts'")
    connection.close()
    found = store.connect(home.rename(tmp_path / "moved"))
    place = found.client.get_experiment(found.experiment).artifact_location
    assert place == "s3://bucket/mlartifacts"


def test_notes_of_earlier_versions_with_the_path_of_the_database_are_read(home, gone):
    write_run(home, gone, "one", "first")
    sync.sync(home)
    identity = store.connect(home).identity
    former = identity.replace("sqlite:///", f"sqlite:///{home}/")
    assert former != identity
    for path in (home / ".plumbline").rglob("sync.json"):
        path.write_text(path.read_text().replace(identity, former))
        assert state.State(path.parent, identity).get("finished")
