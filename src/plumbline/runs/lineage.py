"""Inputs and outputs of a stage, as its run record holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts, names
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files, records

# Of a prepared data set: what turns raw samples into what its models read.
ENCODING_FILES = ("schema.json", artifacts.ENCODING, "vocabulary.json")


def dep_digests(spec: dvc_files.StageSpec, root: Path) -> dict[str, str]:
    """Return the hash of every dependency of a stage, as DVC will record it.

    Raises
    ------
    ArtifactError
        If one does not exist.
    """
    for dep in spec.deps:
        if not (root / dep).exists():
            raise ArtifactError(f"{spec.name}: dependency must exist, got no {dep}")
    return {dep: dvc_files.content_hash(root / dep) for dep in spec.deps}


def data_inputs(spec: dvc_files.StageSpec, digests: Mapping[str, str]) -> list[dict[str, str]]:
    """Return ``{"name", "path", "digest", "context"}`` of the data a stage reads.

    The context is ``training`` for a stage that makes a model, else ``input``.
    """
    trains = any(Path(out).parent == names.MODEL_DIR for out in spec.outs)
    context = "training" if trains else "input"
    return [
        {"name": Path(dep).name, "path": dep, "digest": digests[dep], "context": context}
        for dep in spec.deps
        if dep.startswith("data/")
    ]


def keep_outputs(
    record: records.RunRecord, spec: dvc_files.StageSpec, folder: Path, root: Path
) -> None:
    """Keep the reports of a stage, and its model if it makes one, as they are below ``folder``.

    With a model the encoding of its data set is kept, which is read below ``root``: with it the
    model predicts raw samples.

    Later runs may replace them, or DVC delete them with a temporary experiment, before a server
    hears of this run. A model is ``{"path", "signature": {"inputs", "outputs"}}``; see
    `artifacts.ModelConfig`.
    """
    shown = [out for out in spec.outs if out.startswith("reports/") and (folder / out).exists()]
    model: dict[str, Any] | None = None
    kept = list(shown)
    for out in spec.outs:
        if Path(out).parent == names.MODEL_DIR and (folder / out / "config.json").exists():
            config = artifacts.read_json(folder / out / "config.json")
            signature = {side: config.get(side) or [] for side in ("inputs", "outputs")}
            model = {"path": out, "signature": signature}
            kept.append(out)
            data = names.PREPARED / str(config.get("dataset"))
            for path in (data / name for name in ENCODING_FILES):
                if (root / path).is_file():
                    record.keep(root / path, path.as_posix())
    for out in kept:
        record.keep(folder / out, out)
    known = record.fields["artifacts"]
    record.update(artifacts=[out for out in shown if out not in known], model=model)
