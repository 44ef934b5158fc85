"""Fitted models, and the configs that restore them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.models import count_parameters
from plumbline.params.blocks import Block
from plumbline.training.engine.history import History


@dataclass(frozen=True)
class FittedModel:
    """A fitted network, the config that restores it, and the history of its fit."""

    network: nn.Module
    config: ModelConfig
    history: History
    metrics: Mapping[str, float] = field(default_factory=dict)  # those that the history lacks

    def with_hyperparameters(self, settings: Block) -> Self:
        """Return the model with the parameters of its fit among the facts of its config."""
        facts = {**self.config.facts, "settings": settings.model_dump(mode="json")}
        return replace(self, config=replace(self.config, facts=facts))

    def save(self, folder: Path) -> None:
        """Write weights and config; weights are kept in single precision at most."""
        artifacts.save_model(folder, portable_weights(self.network), self.config)


def portable_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return the state of a network on the CPU, with every float in single precision.

    bfloat16 has no NumPy type, and a file must not depend on the precision of the training.
    """
    return {
        name: (value.float() if value.is_floating_point() else value).detach().cpu()
        for name, value in network.state_dict().items()
    }


def classifier_config(
    model: str,
    *,
    architecture: str,
    arguments: dict[str, Any],
    schema: DatasetSchema,
    network: nn.Module,
    inputs: Sequence[dict[str, Any]],
    facts: dict[str, Any],
) -> ModelConfig:
    """Return the config of a classifier whose outputs are logits ``(N, K)``."""
    return ModelConfig(
        model=model,
        architecture=architecture,
        arguments=arguments,
        kind=names.CLASSIFICATION,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        inputs=tuple(inputs),
        outputs=({"name": "logits", "dtype": "float32", "shape": [-1, len(schema.classes)]},),
        parameters=count_parameters(network),
        facts=facts,
    )
