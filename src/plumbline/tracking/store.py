"""The MLflow store that holds the runs, and the default one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from plumbline.runs import log_lines, record_files

EXPERIMENT = "plumbline"

# Read by MLflow when it is imported: no telemetry, and a dead server is noticed within seconds
# (by default one call takes four minutes to fail).
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Store:
    """An open store.

    Attributes
    ----------
    client : MlflowClient
    experiment : str
        Id of the experiment that holds every run.
    identity : str
        Tells this store from every other, also from a deleted one at the same address.
    """

    client: Any
    experiment: str
    identity: str


def address(home: Path) -> str:
    """Return ``$MLFLOW_TRACKING_URI``, or the SQLite file of the work tree ``home``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home.resolve()}/mlflow.db"


def shown_address(home: Path) -> str:
    """Return `address` without user and password, for people and files."""
    return log_lines.without_password(address(home))


def exists(home: Path) -> bool:
    """Say whether there is a store to ask; of a server only an answer could tell."""
    uri = address(home)
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).exists()


def prepare_environment() -> None:
    """Set the variables that MLflow reads at its import, unless they are set."""
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)


def connect(home: Path) -> Store:
    """Open the store; make the default database and the experiment if they are missing.

    Raises
    ------
    mlflow.exceptions.MlflowException
        If the store cannot be reached.
    """
    uri = address(home)
    folder = home / record_files.WORK
    folder.mkdir(parents=True, exist_ok=True)
    # Processes that make the same new database at the same time break it (duplicate columns).
    lock = filelock.FileLock(folder / "store.lock", timeout=120)
    with lock if uri.startswith("sqlite") else contextlib.nullcontext():
        opened = client(uri)
        experiment = _experiment(opened, home, uri)
    if uri.startswith("sqlite:///"):
        _use_write_ahead_log(uri.removeprefix("sqlite:///"))
    found = opened.get_experiment(experiment)
    return Store(
        opened, experiment, f"{log_lines.without_password(uri)}#{experiment}#{found.creation_time}"
    )


def client(uri: str) -> Any:
    """Return a client of a store; MLflow is imported here and nowhere earlier."""
    prepare_environment()
    # SQLAlchemy warns about a deprecation at every query of MLflow.
    warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _experiment(client: Any, home: Path, uri: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        local = uri.startswith(("sqlite", "postgresql", "mysql"))
        folder = (home / "mlartifacts").resolve().as_uri() if local else None
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=folder))
        except MlflowException as error:  # another process was faster
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise error
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _use_write_ahead_log(path: str) -> None:
    # Three times faster per call, and readers do not block the writer; the file remembers it.
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.execute("pragma journal_mode=wal")
