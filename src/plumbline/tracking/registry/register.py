"""The logged model of the present ``dvc.lock`` becomes a version of a registered model."""

from __future__ import annotations

import datetime
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import ArtifactError
from plumbline.runs import records
from plumbline.tracking import models, store
from plumbline.tracking.registry import evidence
from plumbline.tracking.registry.description import (
    DIGEST,
    PROMOTION,
    description,
    tag_values,
    with_promotion,
)
from plumbline.tracking.registry.evidence import Evidence
from plumbline.tracking.registry.registry import CANDIDATE, CHAMPION, Registry, check_name, opened
from plumbline.tracking.store import Store

_VERSIONS = "mlflow.modelVersions"  # tag of a logged model that MLflow's page reads


@dataclass(frozen=True)
class Registered:
    """A version, and what was done.

    Attributes
    ----------
    name : str
    version : int
    is_new : bool
        Whether the version was made; else it was there, and its reports were attached again.
    alias : {'candidate', 'champion'}
        What the version is now.
    tags : dict of str to str
    """

    name: str
    version: int
    is_new: bool
    alias: str
    tags: dict[str, str]


def register(
    root: Path, model: str, *, name: str = "", today: datetime.date | None = None
) -> Registered:
    """Register a model of the present ``dvc.lock`` that passes the gate, as the candidate.

    A version with the same content is not made again: its reports are brought up to date.

    Parameters
    ----------
    root : Path
        Work tree.
    model : str
        Name in the catalogue.
    name : str
        Of the registered model; empty: that of the model.
    today : date, optional
        Day on which rules are judged.

    Raises
    ------
    GateError
        If a rule of the policy about the model fails, or none applies.
    ArtifactError
        If its outputs are incomplete or stale, its model is not in the store, or the store does
        not answer.
    """
    name = name or model
    check_name(name)
    found = evidence.read(root, model, today=today or datetime.date.today())
    found.check_gate()
    home = records.main_tree(root)
    with opened(home, where="register") as registry:
        model_id = models.find(registry.store, found.digest)
        if model_id is None:
            raise ArtifactError(
                f"register: {found.model} of dvc.lock must be logged in "
                f"{store.shown_address(home)}, got no model with its hash; plumbline sync "
                "--rebuild logs it"
            )
        return _register(registry, name, found, model_id)


def _register(registry: Registry, name: str, found: Evidence, model_id: str) -> Registered:
    client = registry.store.client
    run = _model_run(registry.store, found)
    tags = tag_values(found, model_id, run)
    text = description(found, registry.store, model_id, run)
    _attach(registry.store, model_id, found)
    same = [one for one in registry.versions(name) if one.tags.get(DIGEST) == found.digest]
    if same:
        version = int(same[0].version)
        for key, value in tags.items():
            if same[0].tags.get(key) != value:
                client.set_model_version_tag(name, str(version), key, value)
        text = with_promotion(text, same[0].tags.get(PROMOTION))
        client.update_model_version(name, str(version), text)
    else:
        version = _create(registry, name, model_id, tags, text)
    champion = registry.champion(name) == version
    if not champion:
        registry.set_alias(name, CANDIDATE, version)
    return Registered(name, version, not same, CHAMPION if champion else CANDIDATE, tags)


def _create(registry: Registry, name: str, model_id: str, tags: dict[str, str], text: str) -> int:
    from mlflow.exceptions import MlflowException

    client = registry.store.client
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    logged = client.get_logged_model(model_id)
    # Not models:/<id>: MLflow would look it up in the store of the process, not in this one.
    made = client.create_model_version(
        name,
        logged.artifact_location,
        run_id=logged.source_run_id,
        tags=tags,
        description=text,
        await_creation_for=None,  # it is there at once
        model_id=model_id,
    )
    _link(client, model_id, name, int(made.version))
    return int(made.version)


def _link(client: Any, model_id: str, name: str, version: int) -> None:
    """Let the page of a logged model name its version; a server has done so by itself."""
    known = json.loads(client.get_logged_model(model_id).tags.get(_VERSIONS, "[]"))
    own = {"name": name, "version": str(version)}
    if all({key: str(one.get(key)) for key in own} != own for one in known):
        client.set_logged_model_tags(model_id, {_VERSIONS: json.dumps([*known, own])})


def _attach(opened: Store, model_id: str, found: Evidence) -> None:
    """Put card, metrics report and audit beside the files of the logged model."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / evidence.FOLDER
        folder.mkdir()
        for name, path in found.files.items():
            shutil.copy(path, folder / name)
        opened.client.log_model_artifacts(model_id, scratch)


def _model_run(opened: Store, found: Evidence) -> Any | None:
    """Return the newest model run that shows this model with these predictions."""
    terms = (
        f"tags.model = '{found.model}' and tags.`dvc.model` = '{found.digest}' and "
        f"tags.`dvc.predictions` = '{found.predictions}'"
    )
    runs = opened.client.search_runs(
        [opened.models], terms, max_results=1, order_by=["start_time DESC"]
    )
    return runs[0] if runs else None
