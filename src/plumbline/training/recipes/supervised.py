"""Fit a network to a labelled data set: the feed-forward and the convolutional classifier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from plumbline import artifacts, models, names
from plumbline.artifacts import DatasetSchema, ModelConfig
from plumbline.models.layers import pixel_statistics
from plumbline.params.models import CnnParams, FnnParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask, RegressionTask, SupervisedTask
from plumbline.training.recipes.base import (
    Examples,
    FittedModel,
    classifier_config,
    fit_supervised,
    image_examples,
    image_signature,
)
from plumbline.training.recipes.mitigation import TrainingMitigation


@dataclass(frozen=True)
class TableProblem:
    """A prepared table as a network sees it; its schema decides what is to be learnt."""

    schema: DatasetSchema
    train: Examples
    val: Examples

    @classmethod
    def read(cls, data: Path) -> TableProblem:
        """Read a prepared folder."""
        schema = DatasetSchema.read(data)
        table = artifacts.read_split_table(data)
        train, val = (table_examples(table, schema, split=s) for s in (names.TRAIN, names.VAL))
        return cls(schema, train, val)

    @property
    def regression(self) -> bool:
        """Whether a number is learnt, not a class."""
        return self.schema.task == names.REGRESSION

    def arguments(self, parameters: FnnParams) -> dict[str, Any]:
        """Return the arguments that build the network."""
        return {
            "inputs": len(self.schema.features),
            "outputs": 1 if self.regression else len(self.schema.classes),
            **parameters.model_dump(mode="json", exclude={"optimisation"}),
        }

    def start(
        self, parameters: FnnParams, *, seed: int, mitigation: TrainingMitigation | None = None
    ) -> SupervisedTask:
        """Return the task of a network as it begins from a seed."""
        torch.manual_seed(seed)
        network: Any = models.build("fnn", **self.arguments(parameters))
        network.standardise.fit(self.train.inputs)
        settings = parameters.optimisation
        if self.regression:
            network.rescale.fit(self.train.targets[:, None])
            scale = float(network.rescale.scale)
            return RegressionTask(network, settings=settings, target_scale=scale)
        if mitigation is not None:
            return mitigation.task(network, settings, self.train)
        return ClassifierTask(network, settings=settings)


def fit_fnn(
    parameters: FnnParams,
    *,
    data: Path,
    context: FitContext,
    mitigation: TrainingMitigation | None = None,
) -> FittedModel:
    """Fit the feed-forward network to a prepared table.

    Parameters
    ----------
    parameters : FnnParams
    data : Path
        Prepared folder; its schema decides between classification and regression.
    context : FitContext
    mitigation : TrainingMitigation, optional
        What is done before or in training to narrow a gap; of two classes.
    """
    problem = TableProblem.read(data)
    schema = problem.schema
    if mitigation is not None:
        train, val = mitigation.examples(problem.train, problem.val)
        problem = replace(problem, train=train, val=val)
    task = problem.start(parameters, seed=context.seed, mitigation=mitigation)
    history, facts = fit_supervised(
        task,
        problem.train,
        problem.val,
        context=context,
        optimisation=parameters.optimisation,
        dense=True,
    )
    config = classifier_config(
        "fnn",
        architecture="fnn",
        arguments=problem.arguments(parameters),
        schema=schema,
        network=task.network,
        inputs=[{"name": name, "dtype": "float32", "shape": [-1]} for name in schema.features],
        facts=facts,
    )
    config = _as_regressor(config) if problem.regression else config
    return FittedModel(task.network, config, history)


def fit_cnn(parameters: CnnParams, *, data: Path, context: FitContext) -> FittedModel:
    """Fit the convolutional classifier to prepared images; it sees every training label."""
    schema = DatasetSchema.read(data)
    table = artifacts.read_split_table(data)
    images = torch.from_numpy(artifacts.read_images(data, parameters.image_size, rows=len(table)))
    train = image_examples(table, images, rows=table["split"] == names.TRAIN)
    val = image_examples(table, images, rows=table["split"] == names.VAL)
    mean, scale = pixel_statistics(train.inputs)
    arguments = {
        **parameters.model_dump(mode="json", exclude={"optimisation"}),
        "image_channels": images.shape[1],
        "outputs": len(schema.classes),
        "mean": mean,
        "scale": scale,
    }
    torch.manual_seed(context.seed)
    network = models.build("cnn", **arguments)
    settings = parameters.optimisation
    task = ClassifierTask(network, settings=settings)
    history, facts = fit_supervised(task, train, val, context=context, optimisation=settings)
    config = classifier_config(
        "cnn",
        architecture="cnn",
        arguments=arguments,
        schema=schema,
        network=network,
        inputs=image_signature(images),
        facts=facts,
    )
    return FittedModel(network, config, history)


def table_examples(table: pd.DataFrame, schema: DatasetSchema, *, split: str) -> Examples:
    """Return the rows of one split of a prepared table as a network sees them."""
    rows = table[table["split"] == split]
    dtype = "float32" if schema.task == names.REGRESSION else "int64"
    features = rows[list(schema.features)].to_numpy(dtype="float32")
    weights = None
    if names.WEIGHT in rows:
        weights = torch.tensor((rows[names.WEIGHT] / rows[names.WEIGHT].mean()).to_numpy("float32"))
    return Examples(torch.tensor(features), torch.tensor(rows["y"].to_numpy(dtype=dtype)), weights)


def _as_regressor(config: ModelConfig) -> ModelConfig:
    value = {"name": "value", "dtype": "float32", "shape": [-1, 1]}
    return replace(config, kind=names.REGRESSION, outputs=(value,))
