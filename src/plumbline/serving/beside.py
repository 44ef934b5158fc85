"""Reports of a work tree beside a model folder, if they are of this very model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files


def report_beside(model_folder: Path, kind: Path, *, where: str) -> dict[str, Any] | None:
    """Return ``<kind>/<model>.json`` of the work tree that a model folder is in.

    Parameters
    ----------
    model_folder : Path
        ``data/models/<model>`` of a work tree.
    kind : Path
        `names.AUDITS` or `names.METRICS_DIR`.
    where : str
        Prefix of error messages.

    Returns
    -------
    dict or None
        None if there is no such file.

    Raises
    ------
    ArtifactError
        If ``dvc.lock`` says that the report is of another state of the model.
    """
    above = model_folder.resolve().parents
    root = above[min(2, len(above) - 1)]
    path = kind / f"{ModelConfig.read(model_folder).model}.json"
    if not (root / path).is_file():
        return None
    if (root / "dvc.lock").is_file():
        _check_model(root, path, model_folder, where)
    found: dict[str, Any] = artifacts.read_json(root / path)
    return found


def _check_model(root: Path, path: Path, model_folder: Path, where: str) -> None:
    """Follow the lock from a report through the predictions to the model."""
    entries = {out: entry for entry in dvc_files.read_lock(root).values() for out in entry.outs}
    report = entries.get(path.as_posix())
    if report is None:
        return
    named = (names.MODEL_DIR / path.stem).as_posix()
    predictions = (names.PREDICTIONS / f"{path.stem}.parquet").as_posix()
    made = entries.get(predictions)
    links = [
        (report.outs, path.as_posix(), dvc_files.content_hash(root / path)),
        (report.deps, predictions, made.outs.get(predictions) if made else None),
        (made.deps if made else {}, named, dvc_files.content_hash(model_folder)),
    ]
    if any(not _agrees(recorded, name, digest) for recorded, name, digest in links):
        raise ArtifactError(
            f"{where}: {path.as_posix()} must be of the model in {named}, got that of another "
            f"state; run plumbline repro audit@{path.stem}"
        )


def _agrees(recorded: Mapping[str, str], name: str, digest: str | None) -> bool:
    return name not in recorded or digest is None or recorded[name] == digest
