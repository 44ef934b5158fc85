"""Fits of the classical models: from a prepared folder to a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from plumbline import artifacts, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.classical.estimators import load_estimator, save_estimator
from plumbline.classical.ngram import fit_ngram
from plumbline.classical.rows import BLOCK, training_weights
from plumbline.classical.tabular import (
    FittedModel,
    SvmSize,
    choose_best,
    fit_models,
    linear_parameters,
    quantity,
)
from plumbline.errors import ArtifactError
from plumbline.metrics.scores import imbalance

if TYPE_CHECKING:
    from plumbline.params.models import BaselineParams
    from plumbline.runs.fit_context import FitContext


ARCHITECTURE = "classical"  # of the models of a table, in their config


@dataclass(frozen=True)
class FittedBaselines:
    """Fitted classical models of a table.

    Attributes
    ----------
    config : ModelConfig
        Names the chosen model, and each model's settings and validation value.
    models : list of FittedModel
    metrics : dict
        Validation values, ``val/<quantity>/<model>`` each and ``val/<quantity>`` of the chosen.
    """

    config: ModelConfig
    models: list[FittedModel]
    metrics: dict[str, float]
    history: None = None

    def with_hyperparameters(self, parameters: BaselineParams) -> Self:
        """Return the model with the parameters of its fit among the facts of its config."""
        facts = {**self.config.facts, "settings": parameters.model_dump(mode="json")}
        return replace(self, config=replace(self.config, facts=facts))

    def save(self, folder: Path) -> None:
        """Write the model folder: the config, and an estimator ``<model>.skops`` each."""
        artifacts.write_json(folder / "config.json", self.config)
        for model in self.models:
            save_estimator(folder / f"{model.name}.skops", model.estimator)


@dataclass(frozen=True)
class FittedNgram:
    """A fitted n-gram model.

    Attributes
    ----------
    config : ModelConfig
    weights : dict of arrays
        See `fit_ngram`.
    metrics : dict
        Bits per character on the validation split, which chose the order.
    """

    config: ModelConfig
    weights: dict[str, Any]
    metrics: dict[str, float]
    history: None = None

    def with_hyperparameters(self, parameters: BaselineParams) -> Self:
        """Return the model with the parameters of its fit among the facts of its config."""
        facts = {**self.config.facts, "settings": parameters.model_dump(mode="json")}
        return replace(self, config=replace(self.config, facts=facts))

    def save(self, folder: Path) -> None:
        """Write the model folder."""
        artifacts.save_model(folder, self.weights, self.config)


def fit_baseline(parameters: BaselineParams, *, data: Path, context: FitContext) -> FittedBaselines:
    """Fit the classical models to the training rows of a prepared table.

    Parameters
    ----------
    parameters : BaselineParams
    data : Path
    context : FitContext
        Its seed is used.

    Raises
    ------
    ParamsError
        If class weights or decision do not fit the classes.
    """
    schema, table = DatasetSchema.read(data), artifacts.read_split_table(data)
    regression = schema.task == "regression"
    x = table[list(schema.features)].to_numpy(dtype=np.float64)
    y = table["y"].to_numpy()
    train, val = ((table["split"] == split).to_numpy() for split in (names.TRAIN, names.VAL))
    weights = table[names.WEIGHT].to_numpy(np.float64) if names.WEIGHT in table else None
    val_weights = None if weights is None else weights[val]
    rule = parameters.classification.decision
    imbalance.check_decision(rule, y[val], classes=schema.classes, where=BLOCK)
    own, by_class = training_weights(
        parameters.classification.class_weights,
        y[train],
        classes=schema.classes,
        weights=None if weights is None else weights[train],
    )
    models = fit_models(
        parameters.tabular,
        train=(x[train], y[train]),
        val=(x[val], y[val]),
        regression=regression,
        seed=context.seed,
        svm=SvmSize(**parameters.svm.model_dump()),
        max_rows=parameters.max_rows,
        weights=(own, val_weights),
    )
    config = _baseline_config(schema, models, weighted=weights is not None, rows=int(train.sum()))
    config = replace(config, facts={**config.facts, **by_class})
    config = _with_decisions(config, models, rule, (x[val], y[val]), val_weights)
    name = names.metric(names.VAL, quantity(regression=regression))
    return FittedBaselines(
        config,
        models,
        {f"{name}/{model.name}": model.value for model in models}
        | {name: choose_best(models).value},
    )


def _with_decisions(
    config: ModelConfig,
    models: Sequence[FittedModel],
    rule: str | float,
    val: tuple[npt.NDArray[np.float64], npt.NDArray[Any]],
    weights: npt.NDArray[np.float64] | None,
) -> ModelConfig:
    """Return the config with the threshold of each model; the config itself for ``argmax``."""
    if rule == names.ARGMAX:
        return config
    found = {}
    for model in models:
        decision = imbalance.fit_decision(
            rule, model.scores(val[0]), val[1], classes=config.classes, weights=weights
        )
        assert decision is not None
        found[model.name] = decision.facts()
    output = {"name": "decision", "dtype": "int64", "shape": [-1]}
    facts = {**config.facts, "decision": found}
    return replace(config, facts=facts, outputs=(*config.outputs, output))


def restore_model(folder: Path, name: str | None = None) -> tuple[FittedModel, ModelConfig]:
    """Return a classical model of a folder and the folder's config.

    Parameters
    ----------
    folder : Path
    name : str, optional
        One of the keys of ``config.arguments["models"]``; by default the chosen one.

    Raises
    ------
    ArtifactError
        If there is no such model, or its file is refused; see `load_estimator`.
    """
    config = ModelConfig.read(folder)
    known, name = config.arguments["models"], name or str(config.arguments["chosen"])
    if name not in known:
        raise ArtifactError(
            f"{folder.name}: model must be one of {', '.join(sorted(known))}, got {name!r}"
        )
    return FittedModel(name, load_estimator(folder / f"{name}.skops"), known[name]), config


def fit_ngram_model(parameters: BaselineParams, *, data: Path, context: FitContext) -> FittedNgram:
    """Fit the n-gram model to the training documents; the validation documents choose its order.

    Parameters
    ----------
    parameters : BaselineParams
    data : Path
    context : FitContext
        Not used: nothing is drawn.
    """
    schema, vocabulary = DatasetSchema.read(data), artifacts.read_vocabulary(data)
    table = artifacts.read_split_table(data, name="documents.parquet")
    codes = {
        split: [
            artifacts.encode_text(text, vocabulary)
            for text in table.loc[table["split"] == split, "text"]
        ]
        for split in (names.TRAIN, names.VAL)
    }
    size = len(vocabulary)
    weights, bits = fit_ngram(
        codes[names.TRAIN],
        codes[names.VAL],
        orders=parameters.ngram_orders,
        vocabulary_size=size,
    )
    config = _ngram_config(schema, weights, bits, vocabulary_size=size)
    best = bits[config.arguments["order"]]
    return FittedNgram(config, weights, {names.metric(names.VAL, names.BITS_PER_CHARACTER): best})


def _baseline_config(
    schema: DatasetSchema, models: list[FittedModel], *, weighted: bool, rows: int
) -> ModelConfig:
    regression = schema.task == "regression"
    drawn = {model.name: model.rows for model in models if model.rows < rows}
    outputs = {"name": "value", "dtype": "float64", "shape": [-1]}
    if not regression:
        shape = [-1, len(schema.classes)]
        outputs = {"name": "probabilities", "dtype": "float64", "shape": shape}
    return ModelConfig(
        model="baseline",
        architecture=ARCHITECTURE,
        arguments={
            "chosen": choose_best(models).name,
            "models": {model.name: model.settings for model in models},
            "features": list(schema.features),
        },
        kind=names.REGRESSION if regression else names.CLASSIFICATION,
        dataset=schema.dataset,
        source=schema.source,
        classes=schema.classes,
        inputs=tuple({"name": f, "dtype": "float64", "shape": [-1]} for f in schema.features),
        outputs=(outputs,),
        parameters=sum(linear_parameters(model) for model in models),
        facts={
            names.metric(names.VAL, quantity(regression=regression)): {
                model.name: model.value for model in models
            },
            "parameters_of": "the linear model; the others have none that can be counted alike",
            **({"weighted_by": names.WEIGHT} if weighted else {}),
            **({"train_samples": rows, "fitted_rows": drawn} if drawn else {}),
        },
    )


def _ngram_config(
    schema: DatasetSchema,
    weights: dict[str, npt.NDArray[Any]],
    bits: dict[int, float],
    *,
    vocabulary_size: int,
) -> ModelConfig:
    order = len(weights["discounts"]) - 1
    grams = {f"order_{k}": int((weights[f"counts_{k}"] > 0).sum()) for k in range(order + 1)}
    return ModelConfig(
        model="ngram",
        architecture="ngram",
        arguments={"order": order, "vocabulary_size": vocabulary_size},
        kind=names.LANGUAGE,
        dataset=schema.dataset,
        source=schema.source,
        inputs=({"name": "codes", "dtype": "int64", "shape": [-1]},),
        outputs=({"name": "nll", "dtype": "float64", "shape": [-1]},),
        parameters=sum(grams.values()) + weights["discounts"].size,
        facts={
            "smoothing": f"interpolated modified Kneser–Ney, {order} characters of context",
            "chosen_by": f"lowest {names.metric(names.VAL, names.BITS_PER_CHARACTER)} by order",
            names.metric(names.VAL, names.BITS_PER_CHARACTER): {
                f"order_{k}": value for k, value in bits.items()
            },
            "different_ngrams": grams,
            "bytes": sum(array.nbytes for array in weights.values()),
        },
    )
