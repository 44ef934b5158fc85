"""Blocks of what is measured, audited and written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from plumbline import catalog
from plumbline.params.blocks import (
    Block,
    Count,
    NonNegative,
    Positive,
    PositiveInt,
    Share,
)


class TextSample(Block):
    """How text is sampled from the character model."""

    characters: PositiveInt
    temperatures: Annotated[tuple[Positive, ...], Field(min_length=1)]
    top_k: Count
    prompt: Annotated[str, Field(min_length=1)]


class ExplainParams(Block):
    """What a report says of attributions: of ``rows`` drawn test rows, beside ``draws`` of weights.

    ``nodes`` are those of integrated gradients.
    """

    rows: PositiveInt
    nodes: PositiveInt
    draws: PositiveInt


class EvaluateParams(Block):
    """How predictions are measured."""

    confidence: Share
    bootstrap_replicates: PositiveInt
    block_characters: PositiveInt
    generated_samples: PositiveInt
    nearest_neighbours: PositiveInt
    generative_splits: Annotated[int, Field(ge=2, strict=True)]
    text_sample: TextSample

    @model_validator(mode="after")
    def _enough_is_generated(self) -> EvaluateParams:
        if self.generated_samples < self.images_needed:
            raise ValueError(
                f"generated_samples must be >= {self.images_needed}, two halves with more images "
                f"than nearest_neighbours, got {self.generated_samples}"
            )
        return self

    @property
    def images_needed(self) -> int:
        """How many images of either kind a generator is measured on at the least."""
        return 2 * (self.nearest_neighbours + 1)

    def options(self) -> dict[str, Any]:
        """Return the fields of `plumbline.metrics.estimates.MetricOptions`, without the seed."""
        return {
            "confidence": self.confidence,
            "replicates": self.bootstrap_replicates,
            "neighbours": self.nearest_neighbours,
            "splits": self.generative_splits,
        }


class AuditParams(Block):
    """How groups are compared."""

    confidence: Share
    max_order: Annotated[int, Field(ge=1, le=3)]
    min_group_size: PositiveInt
    compare_unknown: bool
    bootstrap_replicates: PositiveInt

    def options(self) -> dict[str, Any]:
        """Return the fields of `plumbline.audit.options.AuditOptions`, without the seed."""
        return {
            "confidence": self.confidence,
            "max_order": self.max_order,
            "min_group_size": self.min_group_size,
            "compare_unknown": self.compare_unknown,
            "replicates": self.bootstrap_replicates,
        }


class IndividualParams(Block):
    """How single decisions are looked at."""

    neighbours: PositiveInt
    confidence: Share
    bootstrap_replicates: PositiveInt


class DuplicateThresholds(Block):
    """Thresholds for near duplicates; see `data_audit.options`."""

    table_distance: NonNegative
    image_distance: NonNegative
    text_containment: Annotated[float, Field(gt=0, le=1)]


class DataAuditParams(Block):
    """How a prepared data set is audited before any model.

    ``reference``: shares of a population, by data set, attribute and group.
    """

    confidence: Share
    max_order: Annotated[int, Field(ge=1, le=3)]
    min_group_size: PositiveInt
    compare_unknown: bool
    reference: dict[
        Literal["tabular", "text", "images", "glyphs"],
        dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]],
    ]
    near_duplicate: DuplicateThresholds
    max_leaked_share: Annotated[float, Field(ge=0, le=1)]
    neighbours: PositiveInt
    folds: Annotated[int, Field(ge=2, strict=True)]
    max_rows: Annotated[int, Field(ge=100, strict=True)]


class CardParams(Block):
    """What the owner says about every model."""

    owner: Annotated[str, Field(min_length=1)]
    contact: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]


class ReportParams(Block):
    """The report page."""

    title: Annotated[str, Field(min_length=1)]


class RegistryParams(Block):
    """Models that `plumbline repro` registers at its end, if they pass the gate."""

    models: tuple[str, ...]

    @field_validator("models")
    @classmethod
    def _are_in_the_catalogue(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = catalog.models()
        for model in value:
            if model not in known:
                raise ValueError(f"must be of {', '.join(known)}, got {model!r}")
        if len(set(value)) < len(value):
            raise ValueError(f"must name each model once, got {', '.join(value)}")
        return value


class StandardsParams(Block):
    """Which attributes laws speak of, where the data have them, and what an unknown value is."""

    sex: Annotated[str, Field(min_length=1)]
    race: Annotated[str, Field(min_length=1)]
    unknown: tuple[str, ...]
