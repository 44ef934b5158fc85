"""A model folder becomes an MLflow LoggedModel that takes raw samples, without a pickle."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline import artifacts, names
from plumbline.artifacts import ModelConfig
from plumbline.artifacts.models import SIDECAR
from plumbline.errors import ArtifactError
from plumbline.runs import provenance
from plumbline.tracking.store import Store, client_of, exists, shown_address

if TYPE_CHECKING:
    from plumbline.serving.interface import Interface

# Named outright: MLflow would start a process that loads the model to find out.
_REQUIREMENTS = (
    "plumbline", "mlflow", "numpy", "pandas", "pillow", "pyarrow", "safetensors", "scikit-learn",
    "scipy", "skops", "timm", "torch",
)  # fmt: skip

_EXAMPLE, _SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"
_DESCRIPTION = frozenset(
    {
        "MLmodel", "requirements.txt", "python_env.yaml", _EXAMPLE, _SERVING_EXAMPLE,
        "registered_model_meta",
    }
)  # fmt: skip

EVIDENCE = "evidence"  # folder with the card and the audit of a registered version


def deliver(store: Store, folder: Path, record: Mapping[str, Any], run_id: str) -> str | None:
    """Log the model kept with a run record and tie it to its run; return its id.

    A model with the same content of the same run is not logged twice; its files are sent again.
    """
    from mlflow.entities import LoggedModelOutput

    path = record["model"]["path"]
    source = folder / "files" / path
    if not source.is_dir():
        return None
    digest = record["outs"].get(path, "")
    encoding = folder / "files" / names.PREPARED / ModelConfig.read(source).dataset

    def send(model_id: str) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            write_description(Path(scratch), source, encoding, model_id, run_id)
            store.client.log_model_artifacts(model_id, scratch)
        store.client.log_model_artifacts(model_id, str(source))

    if (known := find(store, digest, run_id=run_id)) is not None:
        send(known)  # as a rebuild mends artifacts
        return known
    model = store.client.create_logged_model(
        store.experiment,
        name=Path(path).name,
        source_run_id=run_id,
        tags={"plumbline.digest": digest, "dvc.stage": record["stage"], "dvc.path": path},
        model_type="safetensors",
    )
    model_id = str(model.model_id)
    send(model_id)
    store.client.finalize_logged_model(model_id, "READY")
    store.client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    return model_id


def find(store: Store, digest: str, *, run_id: str | None = None) -> str | None:
    """Return the id of the first whole model with a content, None if there is none.

    With ``run_id`` only models of that run count.
    """
    found = store.client.search_logged_models(
        [store.experiment],
        filter_string=f"tags.`plumbline.digest` = '{digest}'",
        order_by=[{"field_name": "creation_timestamp", "ascending": True}],
    )
    whole = (model for model in found if str(model.status) == "READY")  # no filter knows it
    return next(
        (str(m.model_id) for m in whole if run_id is None or m.source_run_id == run_id), None
    )


def is_description(name: str) -> bool:
    """Say whether a file of a logged model is none of its model folder.

    MLflow itself adds one when it loads a registered model, `registry` the reports of a version.
    """
    return name in _DESCRIPTION or name.startswith((f"{SIDECAR}/", f"{EVIDENCE}/"))


def download(home: Path, uri: str, *, where: str) -> Path:
    """Return a folder with the files of a logged or registered model.

    Parameters
    ----------
    home : Path
        Main work tree.
    uri : str
        ``models:/<id>``, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
    where : str
        Prefix of error messages.

    Raises
    ------
    ArtifactError
        If the store does not answer or has no such model.
    """
    if not exists(home):
        raise ArtifactError(
            f"{where}: model {uri} must be in the store {shown_address(home)}, got no store; run "
            "plumbline sync, or set MLFLOW_TRACKING_URI"
        )
    opened = client_of(home)
    from mlflow import artifacts as remote
    from mlflow.exceptions import MlflowException

    try:
        # By its address MLflow would look in the store of the current folder.
        found = remote.download_artifacts(
            artifact_uri=_location(opened, uri), tracking_uri=opened.tracking_uri
        )
    except (MlflowException, OSError) as error:
        raise ArtifactError(
            f"{where}: model {uri} must be in the store {shown_address(home)}, got "
            f"{str(error).splitlines()[0]}"
        ) from error
    return Path(found)


def _location(opened: Any, uri: str) -> str:
    """Return where the files are of a model by its address; see `download`."""
    named = uri.removeprefix("models:/")
    name, _, alias = named.partition("@")
    if alias:
        version = opened.get_model_version_by_alias(name, alias).version
    else:
        name, _, version = named.rpartition("/")
    if not name:
        return str(opened.get_logged_model(named).artifact_location)
    found = str(opened.get_model_version_download_uri(name, version))
    return _location(opened, found) if found.startswith("models:/") else found


def write_description(
    folder: Path, source: Path, encoding: Path, model_id: str, run_id: str
) -> None:
    """Write what makes a model folder a model of MLflow."""
    import platform

    from mlflow.models import Model

    from plumbline.serving.interface import interface

    config = ModelConfig.read(source)
    description = Model(run_id=run_id, model_id=model_id)
    if encoding.is_dir():
        shutil.copytree(encoding, folder / SIDECAR)
        found = interface(config, folder / SIDECAR)
        description.signature = _signature(found)
        description.metadata = {"inputs": {column.name: column.kind for column in found.inputs}}
        description.saved_input_example_info = _write_example(folder, found)
    description.add_flavor(
        "python_function",
        loader_module="plumbline.tracking.pyfunc",
        python_version=platform.python_version(),
        env={"virtualenv": "python_env.yaml"},
    )
    description.save(str(folder / "MLmodel"))
    pins = [f"{name}=={version}" for name in _REQUIREMENTS if (version := provenance.version(name))]
    artifacts.write_text(folder / "requirements.txt", "\n".join(pins) + "\n")
    python = f"python: {platform.python_version()}\n"
    artifacts.write_text(
        folder / "python_env.yaml", f"{python}dependencies:\n- -r requirements.txt\n"
    )


def _write_example(folder: Path, found: Interface) -> dict[str, Any]:
    """Write a row that the model takes, and return where it is, in MLflow's words."""
    table = {
        "columns": [column.name for column in found.inputs],
        "data": [[column.example for column in found.inputs]],
    }
    artifacts.write_text(folder / _EXAMPLE, json.dumps(table))
    artifacts.write_text(folder / _SERVING_EXAMPLE, json.dumps({"dataframe_split": table}))
    return {
        "artifact_path": _EXAMPLE,
        "serving_input_path": _SERVING_EXAMPLE,
        "type": "dataframe",
        "pandas_orient": "split",
    }


def _signature(found: Interface) -> Any:
    """Return the columns by name; see `pyfunc` for why their types are open."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    def kind(name: str) -> Any:
        return AnyType() if name == "any" else DataType[name]

    options = [
        ParamSpec(name, DataType.boolean if isinstance(value, bool) else DataType.long, value)
        for name, value in found.options.items()
    ]
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), c.name, required=False) for c in found.inputs]),
        outputs=Schema([ColSpec(kind(type_), name) for name, type_ in found.outputs.items()]),
        params=ParamSchema(options) if options else None,
    )
