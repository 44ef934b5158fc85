"""A model folder becomes an MLflow LoggedModel, without a pickle."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.runs import provenance
from plumbline.tracking.store import Store

# Named outright: MLflow would start a process that loads the model to find out.
_REQUIREMENTS = ("plumbline", "torch", "safetensors", "numpy", "timm", "scikit-learn", "skops")

# Files beside the model's own, by which MLflow restores it.
DESCRIPTION = frozenset({"MLmodel", "requirements.txt", "python_env.yaml"})


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
    if (known := find(store, digest, run_id=run_id)) is not None:
        store.client.log_model_artifacts(known, str(source))  # as a rebuild mends artifacts
        return known
    model = store.client.create_logged_model(
        store.experiment,
        name=Path(path).name,
        source_run_id=run_id,
        tags={"plumbline.digest": digest, "dvc.stage": record["stage"], "dvc.path": path},
        model_type="safetensors",
    )
    model_id = str(model.model_id)
    with tempfile.TemporaryDirectory() as scratch:
        _write_description(Path(scratch), record["model"], model_id, run_id)
        store.client.log_model_artifacts(model_id, scratch)
    store.client.log_model_artifacts(model_id, str(source))
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


def _write_description(folder: Path, model: Mapping[str, Any], model_id: str, run_id: str) -> None:
    import platform

    from mlflow.models import Model

    description = Model(run_id=run_id, model_id=model_id, signature=_signature(model["signature"]))
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


def _signature(sides: Mapping[str, Any]) -> Any:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(side: str) -> Any:
        specs = [
            TensorSpec(np.dtype(t["dtype"]), tuple(t["shape"]), t["name"]) for t in sides[side]
        ]
        return Schema(specs) if specs else None

    inputs = schema("inputs")
    return ModelSignature(inputs=inputs, outputs=schema("outputs")) if inputs else None
