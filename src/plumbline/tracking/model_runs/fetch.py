"""Download of model runs: parameters, reports and hashes of the models that a run shows."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.tracking import store


class Fetched(NamedTuple):
    """A model as its run shows it.

    Attributes
    ----------
    params : mapping of str to str
        By short names.
    report, audit : mapping
        Empty where the run has none.
    predictions : str
        DVC hash of the predictions table.
    gate : str
    """

    params: Mapping[str, str]
    report: Mapping[str, Any]
    audit: Mapping[str, Any]
    predictions: str
    gate: str


def fetch_models(home: Path, run_id: str) -> dict[str, Fetched]:
    """Return the model of a model run, or all models of a pipeline run, by name.

    Parameters
    ----------
    home : Path
        Main work tree, whose store is asked unless ``MLFLOW_TRACKING_URI`` names another.
    run_id : str

    Raises
    ------
    ArtifactError
        If the store does not answer, has no such run, or the run shows no model.
    """
    client = store.client_of(home)
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
        found = [run]
        if key := run.data.tags.get("plumbline.pipeline"):
            experiment = client.get_experiment_by_name(store.MODELS)
            terms = f"tags.`plumbline.model_run` LIKE '{key}/%'"
            found = client.search_runs([experiment.experiment_id], terms) if experiment else []
        shown = [run for run in found if "plumbline.model_run" in run.data.tags]
        models = {run.data.tags["model"]: fetch_run(client, run) for run in shown}
    except MlflowException as error:
        raise ArtifactError(
            f"compare: run {run_id} must be in the store {store.shown_address(home)}, got "
            f"{str(error).splitlines()[0]}"
        ) from error
    if not models:
        raise ArtifactError(
            f"compare: run {run_id} must be a model run or a pipeline that made some, got "
            f"{run.info.run_name}; plumbline ui lists the runs of all models"
        )
    return models


def fetch_run(client: Any, run: Any) -> Fetched:
    """Return the model of a model run; MLflow's exceptions pass."""
    run_id, tags = run.info.run_id, run.data.tags
    kept = {
        item.path
        for folder in ("metrics", "audits")
        for item in client.list_artifacts(run_id, folder)
    }

    def report(path: str) -> dict[str, Any]:
        if path not in kept:
            return {}
        with tempfile.TemporaryDirectory() as scratch:
            return dict(artifacts.read_json(Path(client.download_artifacts(run_id, path, scratch))))

    return Fetched(
        params=dict(run.data.params),
        report=report(f"metrics/{tags['model']}.json"),
        audit=report(f"audits/{tags['model']}.json"),
        predictions=tags.get("dvc.predictions", ""),
        gate=tags.get("gate", "not run"),
    )
