import sqlite3
import subprocess
import sys

import pytest

from plumbline.tracking import store


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
