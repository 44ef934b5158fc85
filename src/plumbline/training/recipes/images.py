"""Fit an image classifier from random weights to all training labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plumbline import models
from plumbline.models.layers import pixel_statistics
from plumbline.params.models import CnnParams, Optimisation
from plumbline.params.regularisation import Regularisation
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.images import ImageDataModule
from plumbline.training.data_modules.perturb import perturbations
from plumbline.training.engine.augment import random_affine
from plumbline.training.recipes.base import fit_supervised
from plumbline.training.recipes.fitted import (
    FittedModel,
    class_weights,
    classifier_config,
    with_decision,
)


def fit_cnn(parameters: CnnParams, *, data: Path, context: FitContext) -> FittedModel:
    """Fit a convolutional network, our own or one of timm, to prepared images.

    Parameters
    ----------
    parameters : CnnParams
    data : Path
        Prepared images.
    context : FitContext

    Raises
    ------
    ValueError
        If timm has no network of this name.
    ParamsError
        If class weights or decision do not fit the classes.
    TrainingError
        At the first loss that is not finite.
    """
    settings = parameters.optimisation
    images = ImageDataModule(
        data,
        size=parameters.image_size,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        seed=context.seed,
    )
    changes, (_, scale) = parameters.regularisation, pixel_statistics(images.train.inputs)
    images.transform, images.mixup = perturbations(
        changes,
        images.train.inputs,
        seed=context.seed,
        scale=255 * torch.tensor(scale).view(-1, 1, 1),
        augment=random_affine(parameters.augmentation, seed=context.seed),
    )
    architecture, arguments = _network(parameters, images)
    how, parts = parameters.classification, (images.train, images.val)
    fitted = fit_classifier(
        "cnn",
        images,
        architecture=architecture,
        arguments=arguments,
        optimisation=settings,
        context=context,
        weights=class_weights(how, *parts, schema=images.schema, where="train_cnn"),
        regularisation=changes,
    )
    return with_decision(fitted, how, images.val)


def fit_classifier(
    model: str,
    images: ImageDataModule,
    *,
    architecture: str,
    arguments: dict[str, Any],
    optimisation: Optimisation,
    context: FitContext,
    weights: Tensor | None = None,
    regularisation: Regularisation | None = None,
) -> FittedModel:
    """Fit a network from random weights.

    Parameters
    ----------
    model : str
        Name of the model.
    images : ImageDataModule
    architecture, arguments
        See `plumbline.models.build`.
    optimisation : Optimisation
    context : FitContext
    weights : Tensor, optional
        Of the classes, ``(K,)``.
    regularisation : Regularisation, optional
        See `plumbline.training.recipes.base.fit_supervised`.
    """
    torch.manual_seed(context.seed)
    network = models.build(architecture, **arguments)
    task = ClassifierTask(network, settings=optimisation, class_weights=weights)
    history, facts = fit_supervised(
        task, images, context=context, optimisation=optimisation, regularisation=regularisation
    )
    config = classifier_config(
        model,
        architecture=architecture,
        arguments=arguments,
        schema=images.schema,
        network=network,
        inputs=images.signature,
        facts=facts,
        weights=weights,
    )
    return FittedModel(network, config, history)


def timm_arguments(
    architecture: str, images: ImageDataModule, *, dropout: float, memory_format: str
) -> dict[str, Any]:
    """Return the arguments of `plumbline.models.backbones.TimmClassifier` for these images."""
    mean, scale = pixel_statistics(images.train.inputs)
    return {
        "architecture": architecture,
        "outputs": len(images.schema.classes),
        "image_size": images.train.inputs.shape[-1],
        "channels": images.train.inputs.shape[1],
        "mean": mean,
        "scale": scale,
        "dropout": dropout,
        "memory_format": memory_format,
    }


def _network(parameters: CnnParams, images: ImageDataModule) -> tuple[str, dict[str, Any]]:
    if name := parameters.timm_name:
        return "timm", timm_arguments(
            name, images, dropout=parameters.dropout, memory_format="channels_last"
        )
    mean, scale = pixel_statistics(images.train.inputs)
    return "cnn", {
        **parameters.model_dump(
            mode="json",
            exclude={
                "architecture",
                "augmentation",
                "classification",
                "optimisation",
                "regularisation",
            },
        ),
        "image_channels": images.train.inputs.shape[1],
        "outputs": len(images.schema.classes),
        "mean": mean,
        "scale": scale,
    }
