"""Monitoring reports as MLflow runs, and the reports of a model that MLflow holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline.artifacts import yaml_text
from plumbline.errors import ArtifactError
from plumbline.runs import log_lines
from plumbline.tracking import store
from plumbline.tracking.model_runs.fetch import Fetched, fetch_run
from plumbline.tracking.tags import metric_name, shorten

log = logging.getLogger(__name__)

EXPERIMENT = "plumbline monitoring"


def send(
    home: Path,
    name: str,
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    files: Sequence[Path],
) -> str | None:
    """Log a monitoring report as a run of its own experiment and return the run's id.

    A store that does not answer costs the report nothing: it is named in a warning.

    Parameters
    ----------
    home : Path
        Main work tree, whose store is used unless ``MLFLOW_TRACKING_URI`` names another.
    name : str
        Of the run.
    metrics, tags : mapping
    files : sequence of Path
        Become artifacts.
    """
    try:
        from mlflow.entities import Metric

        client, experiment = store.open_experiment(home, EXPERIMENT)
        run_id = str(
            client.create_run(
                experiment, run_name=name, tags={k: shorten(v) for k, v in tags.items()}
            ).info.run_id
        )
        now = int(time.time() * 1000)
        client.log_batch(
            run_id, [Metric(metric_name(key), value, now, 0) for key, value in metrics.items()]
        )
        for path in files:
            client.log_artifact(run_id, str(path))
        client.set_terminated(run_id, "FINISHED")
    except Exception as error:  # whatever a store or its network can raise
        said = log_lines.without_password(" ".join(str(error).split()))[:300]
        log.warning(
            "monitor: the report must be a run in %s, got %s: %s; it is in files only",
            store.shown_address(home), type(error).__name__, said,
        )  # fmt: skip
        return None
    return run_id


def fetch_reports(home: Path, folder: Path, *, where: str) -> Fetched | None:
    """Return what the newest model run of a downloaded logged model shows, None without one.

    Parameters
    ----------
    home : Path
        Main work tree.
    folder : Path
        Files of the logged model, see `models.download`.
    where : str
        Prefix of error messages.

    Raises
    ------
    ArtifactError
        If the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    text = (folder / "MLmodel").read_text(encoding="utf-8")
    model_id = yaml_text.parse(text, "MLmodel")["model_id"]
    client = store.client_of(home)
    try:
        digest = client.get_logged_model(model_id).tags.get("plumbline.digest", "")
        experiment = client.get_experiment_by_name(store.MODELS)
        terms = f"tags.`dvc.model` = '{digest}'"
        found = (
            client.search_runs(
                [experiment.experiment_id], terms, max_results=1, order_by=["start_time DESC"]
            )
            if experiment and digest
            else []
        )
        return fetch_run(client, found[0]) if found else None
    except MlflowException as error:
        raise ArtifactError(
            f"{where}: reports of {model_id} must be in the store {store.shown_address(home)}, got "
            f"{str(error).splitlines()[0]}"
        ) from error
