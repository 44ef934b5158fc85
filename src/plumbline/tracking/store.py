"""The MLflow store that holds the runs, and the default one."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import filelock

from plumbline.runs import log_lines, record_files

log = logging.getLogger(__name__)

EXPERIMENT = "plumbline"
MODELS = "plumbline models"
_ARTIFACTS = "mlartifacts"  # at the main work tree, beside its database

# Where MLflow's database holds places of artifacts, as absolute addresses.
_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)

# Read by MLflow when it is imported: no telemetry, and a dead server is noticed within seconds
# (by default one call takes four minutes to fail).
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Store:
    """An open store.

    Attributes
    ----------
    client : MlflowClient
    experiment : str
        Id of the experiment that holds the runs of pipelines and stages.
    models : str
        Id of the experiment that holds the model runs.
    identity : str
        Tells this store from every other, also from a deleted one at the same address.
    """

    client: Any
    experiment: str
    models: str
    identity: str


def address(home: Path) -> str:
    """Return ``$MLFLOW_TRACKING_URI``, or the SQLite file of the work tree ``home``."""
    path = f"{home.resolve()}/mlflow.db"
    for sign in "%?#":  # the others are read as they are
        path = path.replace(sign, quote(sign))
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{path}"


def shown_address(home: Path) -> str:
    """Return `address` without user and password, for people and files."""
    return log_lines.without_password(address(home))


def exists(home: Path) -> bool:
    """Say whether there is a store to ask; of a server only an answer could tell."""
    path = _database(address(home))
    return path is None or path.exists()


def prepare_environment() -> None:
    """Set the variables that MLflow reads at its import, unless they are set."""
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)


def connect(home: Path) -> Store:
    """Open the store; make the default database and the experiments if they are missing.

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
        opened = client_of(home)
        experiment = _experiment(opened, home, uri, EXPERIMENT)
        models = _experiment(opened, home, uri, MODELS)
    if (path := _database(uri)) is not None:
        _use_write_ahead_log(path)
    found = opened.get_experiment(experiment)
    own = _own_database(home)  # whose path changes with that of the work tree
    place = f"sqlite:///{own.relative_to(home.resolve())}" if own else shown_address(home)
    return Store(opened, experiment, models, f"{place}#{experiment}#{found.creation_time}")


def open_experiment(home: Path, name: str) -> tuple[Any, str]:
    """Return a client of the store and the id of one of its experiments, made if it is missing.

    Raises
    ------
    mlflow.exceptions.MlflowException
        If the store cannot be reached.
    """
    opened = connect(home).client
    return opened, _experiment(opened, home, address(home), name)


def client_of(home: Path) -> Any:
    """Return a client of the store of a work tree, which makes nothing in it.

    If the work tree was moved or copied with its database, the artifacts of its runs are looked for
    below the place where it is now.
    """
    if (own := _own_database(home)) is not None and own.exists():
        _follow_tree(own, artifact_root(home))
    return client(address(home))


def artifact_root(home: Path) -> str:
    """Return the address of the folder that holds the artifacts of a local store."""
    return (home / _ARTIFACTS).resolve().as_uri()


def client(uri: str) -> Any:
    """Return a client of a store; MLflow is imported here and nowhere earlier."""
    prepare_environment()
    # SQLAlchemy warns about a deprecation at every query of MLflow.
    warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _experiment(client: Any, home: Path, uri: str, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        local = uri.startswith(("sqlite", "postgresql", "mysql"))
        folder = artifact_root(home) if local else None
        try:
            return str(client.create_experiment(name, artifact_location=folder))
        except MlflowException as error:  # another process was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise error
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _own_database(home: Path) -> Path | None:
    """Return the SQLite file of the store if it is in the work tree, else None."""
    path = _database(address(home))
    return path.resolve() if path and home.resolve() in path.resolve().parents else None


def _database(uri: str) -> Path | None:
    """Return the SQLite file that an address names, as SQLAlchemy reads it; None for others."""
    file, _, _ = uri.removeprefix("sqlite:///").partition("?")
    return Path(unquote(file)) if uri.startswith("sqlite:///") else None


def _follow_tree(database: Path, root: str) -> None:
    """Let all artifact locations below the experiment's former folder be below ``root``."""
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        connection.execute("begin immediate")
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
        if not {table for table, _ in _LOCATIONS} <= tables:
            return
        query = "select artifact_location from experiments where name = ?"
        row = connection.execute(query, (EXPERIMENT,)).fetchone()
        before = str(row[0]) if row else root
        if before == root or not (before.startswith("file:") and before.endswith(f"/{_ARTIFACTS}")):
            return
        moved = {
            (table, column): connection.execute(
                f"update {table} set {column} = ? || substr({column}, ?)"
                f" where {column} = ? or substr({column}, 1, ?) = ? || '/'",
                (root, len(before) + 1, before, len(before) + 1, before),
            ).rowcount
            for table, column in _LOCATIONS
        }
    log.info(
        "store: artifacts of %d runs are now read from %s, where this work tree was moved or "
        "copied to; if they were left behind, `plumbline sync --rebuild` sends them again",
        moved["runs", "artifact_uri"], root,
    )  # fmt: skip


def _use_write_ahead_log(path: Path) -> None:
    # Three times faster per call, and readers do not block the writer; the file remembers it.
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.execute("pragma journal_mode=wal")
