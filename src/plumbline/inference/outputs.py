"""The result of a prediction function: the predictions of a model and of its references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plumbline.artifacts import Predictions


@dataclass(frozen=True)
class ModelOutput:
    """Predictions of a model on held-out samples, beside those of other models.

    Attributes
    ----------
    predictions : Predictions
    references : mapping of Predictions
        Other models on the same samples, by name.
    extractor_info : mapping or None
        The feature extractor of a generator's table: ``extractor`` (name), ``sha256`` of its
        weights, ``seed`` of the generated images.
    facts : mapping
        Further entries of the metrics report.
    """

    predictions: Predictions
    references: Mapping[str, Predictions] = field(default_factory=dict)
    extractor_info: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def split_models(models: Mapping[str, Path]) -> tuple[str, Path, dict[str, Path]]:
    """Return the name and folder of the model itself, the first, and the folders that it needs."""
    (name, folder), *others = models.items()
    return name, folder, dict(others)


def named(predictions: Predictions, name: str) -> Predictions:
    """Return predictions under the name of their model in the catalogue."""
    return replace(predictions, model=name)
