"""Transfer: fit a pretrained timm backbone to few labels by one of three strategies."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from plumbline import models
from plumbline.artifacts import DatasetSchema
from plumbline.errors import DataError
from plumbline.models import backbones
from plumbline.models.pretrained import Pretrained
from plumbline.models.sources import find
from plumbline.params.models import FinetuneParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.examples import ExampleDataModule, Examples
from plumbline.training.data_modules.images import ImageDataModule
from plumbline.training.engine.augment import random_affine
from plumbline.training.engine.history import History
from plumbline.training.engine.loaders import training_device
from plumbline.training.recipes.base import fit_supervised
from plumbline.training.recipes.fitted import (
    FittedModel,
    class_weights,
    classifier_config,
    with_decision,
)
from plumbline.training.recipes.images import timm_arguments

SCRATCH, LINEAR_PROBE, FULL = STRATEGIES = ("scratch", "linear_probe", "full")
_EXTRACTION_BATCH = 64  # feature maps of so many images fit in a core's cache


def finetune(
    parameters: FinetuneParams, *, strategy: str, data: Path, context: FitContext
) -> FittedModel:
    """Fit a classifier to the few labelled images by one strategy.

    Every epoch is run and the last one kept: choosing an epoch by the validation labels would use
    more labels than the strategy claims to need. The validation split only draws the curves; with
    a metric as ``decision`` its labels choose the threshold too.

    Parameters
    ----------
    parameters : FinetuneParams
    strategy : {'scratch', 'linear_probe', 'full'}
        ``scratch``: the architecture alone, from a random start. ``linear_probe``: the pretrained
        backbone as it is, and a new head on its features. ``full``: the head of the linear probe,
        then every weight ("Fine-tuning can distort pretrained features and underperform
        out-of-distribution", Kumar et al. 2022, section 3.4).
    data : Path
        Prepared images with a ``labelled`` column.
    context : FitContext

    Raises
    ------
    ValueError
        If the strategy is unknown.
    DataError
        If a class has fewer training images than ``labels_per_class``.
    ArtifactError
        If the pretrained backbone is not there.
    """
    if strategy not in STRATEGIES:
        raise ValueError(
            f"training.finetune: strategy must be one of {STRATEGIES}, got {strategy!r}"
        )
    _check_labels(data)
    settings = parameters.optimisation
    images = ImageDataModule(
        data,
        size=parameters.image_size,
        labelled=True,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        seed=context.seed,
        transform=random_affine(parameters.augmentation, seed=context.seed),
    )
    how = parameters.classification
    weights = class_weights(how, images.train, images.val, schema=images.schema, where="finetune")
    torch.manual_seed(context.seed)
    start = find(parameters.backbone)
    network, arguments = _starting_point(start, parameters, strategy=strategy, images=images)
    history, facts = _fit(
        network, parameters, strategy=strategy, images=images, context=context, weights=weights
    )
    config = classifier_config(
        f"finetune_{strategy}",
        architecture="timm",
        arguments=arguments,
        schema=images.schema,
        network=network,
        inputs=images.signature,
        facts={
            "strategy": strategy,
            **({} if strategy == SCRATCH else {"pretrained": start.facts()}),
            **facts,
        },
        weights=weights,
    )
    return with_decision(FittedModel(network, config, history), how, images.val)


@torch.no_grad()
def extract_features(network: Any, images: Tensor, *, batch_size: int) -> Tensor:
    """Return the features ``(N, D)`` that the head of a network takes, in evaluation mode.

    A copy of the network runs in the memory format channels last, in which convolutions without
    gradients are faster; its features differ from the network's own by rounding.
    """
    frozen = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    parts = [
        frozen.features(batch.contiguous(memory_format=torch.channels_last))
        for batch in torch.split(images, batch_size)
    ]
    return torch.cat(parts)


def _check_labels(data: Path) -> None:
    about = DatasetSchema.read(data).about
    if short := about.get("short_of_labels"):
        found = ", ".join(f"{name!r} ({count})" for name, count in short.items())
        raise DataError(
            f"finetune: data_{data.name}.labels_per_class must be at most the number of training "
            f"images of every class, got {about['labels_per_class']} with fewer in {found}; lower "
            "it, or add images of these classes"
        )


def _fit(
    network: Any,
    parameters: FinetuneParams,
    *,
    strategy: str,
    images: ImageDataModule,
    context: FitContext,
    weights: Tensor | None,
) -> tuple[History, dict[str, Any]]:
    data: dict[str, Any] = {"images": images, "weights": weights}
    if strategy == LINEAR_PROBE:
        history, facts = _probe(network, parameters, context=context, **data)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(network.in_head(name))
        return history, facts
    facts = {}
    if strategy == FULL:
        probe = replace(
            context,
            stage=f"{context.stage} (probe)",
            work=context.work.with_name("probe"),
            sink=None,
        )
        _, facts["probe"] = _probe(network, parameters, context=probe, **data)
    scale = parameters.backbone_lr_scale if strategy == FULL else 1.0
    settings = parameters.optimisation
    task = ClassifierTask(
        network,
        settings=settings,
        lr_scale=lambda name: 1.0 if network.in_head(name) else scale,
        class_weights=weights,
    )
    history, found_facts = fit_supervised(
        task,
        images,
        context=context,
        optimisation=settings,
        keep_best=False,
        validate_every=_validate_every(settings.max_epochs),
    )
    return history, {**facts, **found_facts}


def _probe(
    network: Any,
    parameters: FinetuneParams,
    *,
    images: ImageDataModule,
    context: FitContext,
    weights: Tensor | None,
) -> tuple[History, dict[str, Any]]:
    """Fit the head on cached features of augmented views, another view every epoch."""
    device = training_device(context.trainer.accelerator)
    views, held_out = _cached_features(network, images, views=parameters.probe_views, device=device)
    head: Any = nn.Linear(views.shape[2], len(images.schema.classes))
    head.load_state_dict(network.head.state_dict())
    settings = parameters.optimisation
    features = ExampleDataModule(
        Examples(views[0], images.train.targets.to(device)),
        Examples(held_out, images.val.targets.to(device)),
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        seed=context.seed,
        transform=lambda batch, samples, epoch: views[epoch % len(views), samples.to(device)],
    )
    history, facts = fit_supervised(
        ClassifierTask(head, settings=settings, class_weights=weights),
        features,
        context=context,
        optimisation=settings,
        keep_best=False,
        validate_every=_validate_every(settings.max_epochs),
    )
    network.head.load_state_dict(head.state_dict())
    return history, {**facts, "views": len(views)}


def _cached_features(
    network: Any, images: ImageDataModule, *, views: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the features of the training images in each view, and of the validation images."""
    assert images.transform is not None
    numbers = torch.arange(len(images.train.targets))
    network.to(device)
    found = [
        extract_features(
            network,
            images.transform(images.train.inputs, numbers, view).to(device),
            batch_size=_EXTRACTION_BATCH,
        )
        for view in range(views)
    ]
    held_out = extract_features(network, images.val.inputs.to(device), batch_size=_EXTRACTION_BATCH)
    network.cpu()
    return torch.stack(found), held_out


def _starting_point(
    start: Pretrained, parameters: FinetuneParams, *, strategy: str, images: ImageDataModule
) -> tuple[nn.Module, dict[str, Any]]:
    options: dict[str, Any] = {
        "dropout": parameters.head_dropout,
        "memory_format": parameters.memory_format,
    }
    if strategy == SCRATCH:
        arguments = timm_arguments(start.architecture, images, **options)
        return models.build("timm", **arguments), arguments
    return backbones.load_pretrained(
        start,
        outputs=len(images.schema.classes),
        image_size=parameters.image_size,
        channels=images.train.inputs.shape[1],
        **options,
    )


def _validate_every(epochs: int) -> int:
    # About 20 validations; the last epoch is one of them.
    every = max(1, epochs // 20)
    return next(step for step in range(every, 0, -1) if epochs % step == 0)
