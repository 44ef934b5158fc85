"""The worksheets and the bill of materials of every model that was measured and audited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from plumbline import artifacts, catalog, names
from plumbline.artifacts import DatasetSchema, ModelConfig, Predictions
from plumbline.artifacts.files import existing
from plumbline.standards.annex_iv import annex_iv_index
from plumbline.standards.bill_of_materials import ModelFiles, bill_of_materials
from plumbline.standards.measure_2_11 import measure_worksheet
from plumbline.standards.worksheets import Categories, predictions_worksheets

BILL = "bom.cdx.json"
_LATER = {"reports/gate.json", "dvc.lock", (names.STANDARDS / BILL).as_posix()}


def audited_models(root: Path) -> list[str]:
    """Return the models that have metrics and an audit, in the order of the story."""
    folders = (names.METRICS_DIR, names.AUDITS)
    return [
        model
        for model in catalog.models()
        if all((root / folder / f"{model}.json").is_file() for folder in folders)
    ]


def model_worksheets(
    root: Path,
    model: str,
    *,
    categories: Categories,
    rules: Iterable[Mapping[str, Any]],
    owner: str,
) -> dict[str, Any]:
    """Return all worksheets of a model of the pipeline."""
    audit = artifacts.read_json(root / names.AUDITS / f"{model}.json")
    predictions = Predictions.read(root / names.PREDICTIONS / f"{model}.parquet")
    sheets = predictions_worksheets(
        predictions, categories=categories, confidence=audit["confidence"]
    )
    made = {*_LATER, (names.STANDARDS / f"{model}.md").as_posix()}
    return {
        "model": model,
        **sheets,
        "measure_2_11": measure_worksheet(audit, rules, owner=owner),
        "annex_iv": annex_iv_index(root, model=model, dataset=predictions.dataset, made=made),
    }


def pipeline_bill(root: Path, models: Iterable[str], *, licence: str) -> dict[str, Any]:
    """Return the bill of materials of the models, their data and the pinned libraries."""
    pins = existing(root / "requirements.lock")
    return bill_of_materials(
        [_files(root, model) for model in models],
        lock=pins.read_text(encoding="utf-8"),
        licence=licence,
    )


def _files(root: Path, model: str) -> ModelFiles:
    config = ModelConfig.read(root / names.MODEL_DIR / model)
    return ModelFiles(
        config=config,
        schema=DatasetSchema.read(root / names.PREPARED / config.dataset),
        metrics=artifacts.read_json(root / names.METRICS_DIR / f"{model}.json"),
        audit=artifacts.read_json(root / names.AUDITS / f"{model}.json"),
        weights=root / names.MODEL_DIR / model / config.weights_file,
    )
