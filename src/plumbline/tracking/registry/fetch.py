"""Back from a store: a version of a registered model, with the reports attached to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from plumbline import artifacts
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files
from plumbline.tracking.fetch import fetched_folder
from plumbline.tracking.model_runs.fetch import Fetched
from plumbline.tracking.registry import evidence
from plumbline.tracking.registry.description import DIGEST, MODEL_RUN, PREDICTIONS, evidence_tag
from plumbline.tracking.registry.registry import Registry


class FetchedVersion(NamedTuple):
    """A version as it was registered.

    Attributes
    ----------
    model : str
        Name in the catalogue.
    version : int
    digest : str
        DVC hash of the model folder.
    shown : Fetched
    """

    model: str
    version: int
    digest: str
    shown: Fetched


def fetch_version(registry: Registry, name: str, version: int, *, where: str) -> FetchedVersion:
    """Return a version with its attached reports.

    Parameters
    ----------
    registry : Registry
    name : str
    version : int
    where : str
        Command that messages begin with.

    Raises
    ------
    ArtifactError
        If the version was registered by another tool, or an attached report is not the one that
        was attached.
    """
    client = registry.store.client
    found = client.get_model_version(name, str(version))
    what = f"{where}: version {version} of {name!r}"
    if DIGEST not in found.tags:
        raise ArtifactError(
            f"{what} must be registered by plumbline register, got one without its tags; register "
            "the model again"
        )
    location = client.get_model_version_download_uri(name, str(version))
    reports = {}
    with fetched_folder(client.tracking_uri, f"{location}/{evidence.FOLDER}") as folder:
        for file in (evidence.METRICS, evidence.AUDIT):
            path = folder / file
            got = dvc_files.content_hash(path) if path.is_file() else None
            if got != found.tags.get(evidence_tag(file)):
                raise ArtifactError(
                    f"{what} must have the {file} that was attached to it, got "
                    f"{'another' if got else 'none'}; register the model again"
                )
            reports[file] = dict(artifacts.read_json(path))
    return FetchedVersion(
        model=found.tags["model"],
        version=version,
        digest=found.tags[DIGEST],
        shown=Fetched(
            params=_params(client, found.tags.get(MODEL_RUN)),
            report=reports[evidence.METRICS],
            audit=reports[evidence.AUDIT],
            predictions=found.tags[PREDICTIONS],
            gate=found.tags["gate"],
        ),
    )


def _params(client: Any, run_id: str | None) -> dict[str, str]:
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return {}
    try:
        return dict(client.get_run(run_id).data.params)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}  # somebody has deleted the run: the version goes on without it
