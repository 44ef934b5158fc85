"""Results of the pipeline: of a git revision, an experiment, MLflow, or the work tree."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline import names
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files, experiments, provenance, records
from plumbline.tracking.model_runs.facts import gate_result
from plumbline.tracking.model_runs.fetch import Fetched, fetch_models
from plumbline.tracking.model_runs.short_names import short_params
from plumbline.tracking.registry import registry
from plumbline.tracking.registry.fetch import FetchedVersion, fetch_version

WORKSPACE = "workspace"  # as DVC calls the work tree
REGISTERED = "models:/"  # begins the address of a registered model, as MLflow writes it
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ModelVersion:
    """A model in one version.

    Attributes
    ----------
    params : dict of str to str
        What it was trained with, by short names; see `short_params`.
    report, audit : mapping
        Its metrics report and audit; empty where there is none.
    predictions : Path or None
        Its predictions table in the work tree or in DVC's cache, None if neither has it.
    digest : str
        Hash of the predictions table; empty if unknown.
    gate : str
        See `gate_result`.
    """

    params: Mapping[str, str]
    report: Mapping[str, Any]
    audit: Mapping[str, Any]
    predictions: Path | None
    digest: str
    gate: str


@dataclass(frozen=True)
class Version:
    """Results by model, under the name by which they were asked for."""

    label: str
    models: Mapping[str, ModelVersion] = field(default_factory=dict)


def find(root: Path, word: str) -> Version:
    """Return the version that a word names.

    Parameters
    ----------
    root : Path
        Work tree.
    word : str
        ``workspace``, the id of an MLflow model or pipeline run, a registered model such as
        ``models:/fnn@champion``, a git revision, or the name of a DVC experiment; the first that
        exists.

    Raises
    ------
    ArtifactError
        If there is none of them.
    """
    home = records.main_tree(root)
    if word == WORKSPACE:
        return Version(word, _of_lock(home, root, lambda path: _read(root / path)))
    if _RUN_ID.fullmatch(word):
        return Version(word, _of_runs(home, word))
    if word.startswith(REGISTERED):
        return Version(word, _of_registry(home, word))
    commit = provenance.git(root, "rev-parse", "--verify", "--quiet", f"{word}^{{commit}}")
    commit = commit or experiments.find(home, word)
    if not commit:
        raise ArtifactError(
            f"compare: version must be {WORKSPACE}, a git revision, a DVC experiment, the id of an "
            f"MLflow run or {REGISTERED}<name>@<alias>, got {word!r}; dvc exp show lists "
            "experiments"
        )
    return Version(
        word, _of_lock(home, root, lambda path: provenance.git(root, "show", f"{commit}:{path}"))
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _of_lock(home: Path, root: Path, text: Callable[[str], str]) -> dict[str, ModelVersion]:
    """Return the models that a ``dvc.lock`` has predictions of.

    Parameters
    ----------
    home, root : Path
        The main work tree, whose cache is searched, and the one that the word is about.
    text : function (path) -> str
        Content of a file of the version, empty if it has none.
    """
    entries = dvc_files.lock(text(dvc_files.DVC_LOCK) or "{}")
    made = {out: entry for entry in entries.values() for out in entry.outs}
    gate = _parsed(text(names.GATE_REPORT.as_posix()))
    found = {}
    for out, entry in made.items():
        if Path(out).parent != names.PREDICTIONS:
            continue
        model = Path(out).stem
        train = made.get((names.MODEL_DIR / model).as_posix())
        data = [dep for dep in (train.deps if train else {}) if Path(dep).parent == names.PREPARED]
        prepared = made.get(data[0]) if data else None
        found[model] = ModelVersion(
            params=short_params(train.params if train else {}, prepared.params if prepared else {}),
            report=_parsed(text((names.METRICS_DIR / f"{model}.json").as_posix())),
            audit=_parsed(text((names.AUDITS / f"{model}.json").as_posix())),
            predictions=_table(home, root, out, entry.outs[out]),
            digest=entry.outs[out],
            gate=gate_result(gate, model) if gate else "not run",
        )
    return found


def _table(home: Path, root: Path, out: str, digest: str) -> Path | None:
    path = dvc_files.cached(home, digest)
    if path.is_file():
        return path
    own = root / out
    return own if own.is_file() and dvc_files.content_hash(own) == digest else None


def _parsed(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text)) if text else {}
    except (ValueError, TypeError):
        return {}


def _of_runs(home: Path, run_id: str) -> dict[str, ModelVersion]:
    found = fetch_models(home, run_id)
    return {model: _of_fetched(home, model, one) for model, one in found.items()}


def _of_fetched(home: Path, model: str, one: Fetched) -> ModelVersion:
    table = (names.PREDICTIONS / f"{model}.parquet").as_posix()
    return ModelVersion(
        params=one.params,
        report=one.report,
        audit=one.audit,
        predictions=_table(home, home, table, one.predictions),
        digest=one.predictions,
        gate=one.gate,
    )


def _of_registry(home: Path, word: str) -> dict[str, ModelVersion]:
    name, at, alias = word.removeprefix(REGISTERED).partition("@")
    number = "" if at else name.rpartition("/")[2]
    name = name if at else name.rpartition("/")[0]
    with registry.opened(home, where="compare") as known:
        found = known.aliases(name).get(alias) if at else int(number) if number.isdigit() else None
        if not name or found is None:
            raise ArtifactError(
                f"compare: version must be {REGISTERED}<name>@<alias> or "
                f"{REGISTERED}<name>/<number> of a registered model, got {word!r}; "
                "plumbline ui shows them"
            )
        fetched = fetch_version(known, name, found, where="compare")
    return {fetched.model: of_registered(home, fetched)}


def of_registered(home: Path, fetched: FetchedVersion) -> ModelVersion:
    """Return a version of a registered model as the one of a comparison."""
    return _of_fetched(home, fetched.model, fetched.shown)
