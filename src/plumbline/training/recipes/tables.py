"""Fit the feed-forward network to a prepared table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from plumbline import models, names
from plumbline.errors import ParamsError
from plumbline.params.models import FnnParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask, RegressionTask
from plumbline.training.data_modules.perturb import perturbations
from plumbline.training.data_modules.tables import TableDataModule
from plumbline.training.recipes.base import fit_supervised
from plumbline.training.recipes.fitted import (
    FittedModel,
    class_weights,
    classifier_config,
    with_decision,
)
from plumbline.training.recipes.mitigation import CLASSES, TrainingMitigation


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
        Reweighing, resampling or a loss of groups, for two classes.

    Raises
    ------
    ParamsError
        If class weights or decision do not fit the classes, or rows are to be mixed with a
        mitigation.
    TrainingError
        At the first loss that is not finite.
    """
    settings, how = parameters.optimisation, parameters.regularisation
    if mitigation is not None and how.mixup:
        raise ParamsError(
            f"train_fnn.regularisation: mixup must be 0 with a mitigation, got {how.mixup:g}; the "
            "losses of groups take rows of one group"
        )
    table = TableDataModule(
        data, batch_size=settings.batch_size, accumulate=settings.accumulate, seed=context.seed
    )
    val = table.val
    if mitigation is not None:
        table.train, table.val = mitigation.examples(table.train, table.val)
    table.transform, table.mixup = perturbations(how, table.train.inputs, seed=context.seed)
    task = build_task(parameters, table, seed=context.seed, mitigation=mitigation)
    history, facts = fit_supervised(
        task, table, context=context, optimisation=settings, regularisation=how
    )
    schema = table.schema
    config = classifier_config(
        "fnn",
        architecture="fnn",
        arguments=_arguments(parameters, table),
        schema=schema,
        network=task.network,
        inputs=[{"name": name, "dtype": "float32", "shape": [-1]} for name in schema.features],
        facts=facts,
        weights=getattr(task, "class_weights", None),  # a regression has none
    )
    if table.regression:
        value = {"name": "value", "dtype": "float32", "shape": [-1, 1]}
        config = replace(config, kind=names.REGRESSION, outputs=(value,))
    return with_decision(FittedModel(task.network, config, history), parameters.classification, val)


def build_task(
    parameters: FnnParams,
    table: TableDataModule,
    *,
    seed: int,
    mitigation: TrainingMitigation | None = None,
) -> ClassifierTask | RegressionTask:
    """Return the task of a network with the initial weights of a seed.

    Raises
    ------
    ParamsError
        If class weights or decision do not fit the classes.
    """
    parts = [table.train, table.val]
    if mitigation is not None:  # targets are cells
        parts = [replace(part, targets=part.targets % CLASSES) for part in parts]
    own = class_weights(parameters.classification, *parts, schema=table.schema, where="train_fnn")
    torch.manual_seed(seed)
    network: Any = models.build("fnn", **_arguments(parameters, table))
    network.standardise.fit(table.train.inputs)
    settings = parameters.optimisation
    if table.regression:
        network.rescale.fit(table.train.targets[:, None])
        scale = float(network.rescale.scale)
        return RegressionTask(network, settings=settings, target_scale=scale)
    if mitigation is not None:
        return mitigation.task(network, settings, table.train, own)
    return ClassifierTask(network, settings=settings, class_weights=own)


def _arguments(parameters: FnnParams, table: TableDataModule) -> dict[str, Any]:
    schema = table.schema
    return {
        "inputs": len(schema.features),
        "outputs": 1 if table.regression else len(schema.classes),
        **parameters.model_dump(
            mode="json", exclude={"classification", "optimisation", "regularisation"}
        ),
    }
