"""Fitted models, and the configs that restore them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from plumbline import artifacts, models, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.metrics.scores import imbalance
from plumbline.models import count_parameters
from plumbline.params.blocks import Block
from plumbline.params.classification import Classification
from plumbline.training.data_modules.examples import Examples
from plumbline.training.engine.history import History

_BATCH = 256  # as predictions are made in


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


def class_weights(
    how: Classification, train: Examples, val: Examples, *, schema: DatasetSchema, where: str
) -> Tensor | None:
    """Return the weights of the classes in the loss ``(K,)``, and check the decision.

    Parameters
    ----------
    how : Classification
    train, val : Examples
        With class codes as targets.
    schema : DatasetSchema
    where : str
        The block of the parameters.

    Raises
    ------
    ParamsError
        If weights or decision do not fit the classes.
    """
    classes = schema.classes
    imbalance.check_decision(how.decision, _array(val.targets), classes=classes, where=where)
    found = imbalance.class_weights(
        how.class_weights,
        _array(train.targets),
        classes=classes,
        weights=_array(train.weights),
        where=where,
    )
    return None if found is None else torch.tensor(found, dtype=torch.float32)


def with_decision(fitted: FittedModel, how: Classification, val: Examples) -> FittedModel:
    """Return a classifier with the threshold that the validation rows choose, if it has one.

    The scores are those of the network as its folder restores it.
    """
    if how.decision == names.ARGMAX:
        return fitted
    config = fitted.config
    network = models.build(config.architecture, **config.arguments)
    network.load_state_dict(portable_weights(fitted.network))
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([network(batch.cpu()) for batch in torch.split(val.inputs, _BATCH)])
    decision = imbalance.fit_decision(
        how.decision,
        logits.double().softmax(dim=1).numpy(),
        _array(val.targets),
        classes=config.classes,
        weights=_array(val.weights),
    )
    assert decision is not None
    output = {"name": "decision", "dtype": "int64", "shape": [-1]}
    facts = {**config.facts, "decision": decision.facts()}
    described = replace(config, facts=facts, outputs=(*config.outputs, output))
    return replace(fitted, config=described)


def _array(values: Tensor | None) -> Any:
    return None if values is None else values.cpu().numpy()


def classifier_config(
    model: str,
    *,
    architecture: str,
    arguments: dict[str, Any],
    schema: DatasetSchema,
    network: nn.Module,
    inputs: Sequence[dict[str, Any]],
    facts: dict[str, Any],
    weights: Tensor | None = None,
) -> ModelConfig:
    """Return the config of a classifier whose outputs are logits ``(N, K)``.

    ``weights`` are those of the classes in the fit, which become a fact if there are any.
    """
    if weights is not None:
        facts = facts | imbalance.weight_facts(weights.tolist(), schema.classes)
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
