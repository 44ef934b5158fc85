"""Fit a pretrained timm backbone to few labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback
from torch import Tensor, nn

from plumbline import artifacts, models
from plumbline.artifacts import DatasetSchema
from plumbline.errors import DataError
from plumbline.models import backbones, count_parameters
from plumbline.models.parts import (
    add_adapters,
    depths,
    freeze_modules,
    merge_adapters,
    parts,
    train_parts,
)
from plumbline.models.pretrained import Pretrained
from plumbline.models.sources import find
from plumbline.params.models import FinetuneParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.images import ImageDataModule
from plumbline.training.data_modules.perturb import CutMix, Mixup, RandAugment, in_turn
from plumbline.training.engine.augment import random_affine
from plumbline.training.engine.history import History
from plumbline.training.engine.loaders import Transform
from plumbline.training.recipes.base import fit_supervised
from plumbline.training.recipes.fitted import (
    FittedModel,
    class_weights,
    classifier_config,
    with_decision,
)
from plumbline.training.recipes.images import timm_arguments
from plumbline.training.recipes.transfer.callbacks import AverageWeights, OpenParts
from plumbline.training.recipes.transfer.distillation import DistillationTask, load_teacher
from plumbline.training.recipes.transfer.probe import fit_probe, validate_every
from plumbline.training.recipes.transfer.strategies import (
    STRATEGIES,
    Strategy,
    learning_rate_scale,
    trained_parts,
)


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
    strategy : str
        One of `STRATEGIES`. ``scratch``: the architecture alone, from a random start.
        ``linear_probe``: the pretrained backbone as it is, and a new head on its features.
        ``full``: the head of the linear probe, then every weight ("Fine-tuning can distort
        pretrained features and underperform out-of-distribution", Kumar et al. 2022, section 3.4).
        ``fine_tune``: every weight, with a new head. ``partial``: the head and the last stages.
        ``progressive``: the head, and one stage more every few epochs ("Universal Language Model
        Fine-tuning", Howard and Ruder 2018, section 3.3). ``layer_decay``: every weight, at lower
        rates further from the head. ``adapters``: see `plumbline.models.parts.add_adapters`.
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
            f"training.finetune: strategy must be one of {tuple(STRATEGIES)}, got {strategy!r}"
        )
    _check_labels(data)
    settings, chosen = parameters.optimisation, STRATEGIES[strategy]
    images = ImageDataModule(
        data,
        size=parameters.image_size,
        labelled=True,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        seed=context.seed,
        transform=_augmentation(parameters, seed=context.seed),
    )
    images.mixup = _mixing(parameters, images, seed=context.seed)
    how = parameters.classification
    weights = class_weights(how, images.train, images.val, schema=images.schema, where="finetune")
    torch.manual_seed(context.seed)
    start = find(parameters.backbone)
    network, arguments = _starting_point(start, parameters, strategy=chosen, images=images)
    history, facts = _fit(
        network, parameters, strategy=chosen, images=images, context=context, weights=weights
    )
    trainable = count_parameters(network)  # before adapters are merged
    merge_adapters(network)
    config = classifier_config(
        f"finetune_{strategy}",
        architecture="timm",
        arguments=arguments,
        schema=images.schema,
        network=network,
        inputs=images.signature,
        facts={
            "strategy": strategy,
            **({"pretrained": start.facts()} if chosen.pretrained else {}),
            **facts,
        },
        weights=weights,
    )
    fitted = FittedModel(network, replace(config, parameters=trainable), history)
    return with_decision(fitted, how, images.val)


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
    strategy: Strategy,
    images: ImageDataModule,
    context: FitContext,
    weights: Tensor | None,
) -> tuple[History, dict[str, Any]]:
    """Fit the network in place, and return the history and facts of the fit."""
    probe: dict[str, Any] = {"images": images, "weights": weights}
    if strategy.trains == "head":
        history, facts = fit_probe(network, parameters, context=context, **probe)
        train_parts(network, 1)
        return history, facts
    facts = {}
    if strategy.probe:
        first = replace(
            context,
            stage=f"{context.stage} (probe)",
            work=context.work.with_name("probe"),
            sink=None,
        )
        _, facts["probe"] = fit_probe(network, parameters, context=first, **probe)
    settings, count = parameters.optimisation, len(parts(network))
    task = _task(network, parameters, strategy=strategy, images=images, weights=weights)
    history, fitted = fit_supervised(
        task,
        images,
        context=context,
        optimisation=settings,
        keep_best=False,
        validate_every=validate_every(settings.max_epochs),
        callbacks=_prepare(network, parameters, strategy=strategy, count=count),
    )
    return history, {**facts, **_technique_facts(parameters), **fitted}


def _task(
    network: Any,
    parameters: FinetuneParams,
    *,
    strategy: Strategy,
    images: ImageDataModule,
    weights: Tensor | None,
) -> ClassifierTask:
    options: dict[str, Any] = {
        "settings": parameters.optimisation,
        "lr_scale": learning_rate_scale(
            strategy,
            parameters.strategies,
            backbone=parameters.backbone_lr_scale,
            depths=depths(network),
        ),
        "class_weights": weights,
    }
    if (how := parameters.distillation) is None:
        return ClassifierTask(network, **options)
    shape = tuple(images.train.inputs.shape[1:])
    teacher = load_teacher(Path(how.teacher), classes=images.schema.classes, shape=shape)
    return DistillationTask(network, teacher=teacher, how=how, **options)


def _prepare(
    network: Any,
    parameters: FinetuneParams,
    *,
    strategy: Strategy,
    count: int,
) -> list[Callback]:
    """Freeze what is never trained, before the optimiser is made; return the fit's callbacks."""
    settings, last = parameters.strategies, parameters.optimisation.max_epochs - 1
    found: list[Callback] = []
    if strategy.trains == "adapters":
        add_adapters(network, rank=settings.rank)
        found.append(OpenParts(lambda epoch: freeze_modules(network)))
    elif strategy.trains != "all":

        def open_parts(epoch: int) -> None:
            train_parts(network, trained_parts(strategy, settings, epoch=epoch, parts=count))

        open_parts(last)
        network.train()  # Lightning warns of any other mode before it calls the first hook
        found.append(OpenParts(open_parts))
    if parameters.ema_decay:
        found.append(AverageWeights(network, decay=parameters.ema_decay))
    return found


def _technique_facts(parameters: FinetuneParams) -> dict[str, Any]:
    """Return facts about the techniques that are on."""
    names = ("rand_augment", "mixup", "cutmix", "ema_decay")
    found = {name: value for name in names if (value := getattr(parameters, name))}
    if (how := parameters.distillation) is None:
        return found
    weights = Path(how.teacher) / "model.safetensors"
    return {**found, "teacher": {"folder": how.teacher, "sha256": artifacts.digest(weights)}}


def _augmentation(parameters: FinetuneParams, *, seed: int) -> Transform:
    moved = random_affine(parameters.augmentation, seed=seed)
    if parameters.rand_augment is None:
        return moved
    return in_turn([RandAugment(parameters.rand_augment, seed=seed), moved])


def _mixing(
    parameters: FinetuneParams, images: ImageDataModule, *, seed: int
) -> Mixup | CutMix | None:
    samples, (height, width) = len(images.train.targets), images.train.inputs.shape[-2:]
    if parameters.mixup:
        return Mixup(parameters.mixup, samples=samples, seed=seed)
    if parameters.cutmix:
        return CutMix(parameters.cutmix, samples=samples, size=(height, width), seed=seed)
    return None


def _starting_point(
    start: Pretrained, parameters: FinetuneParams, *, strategy: Strategy, images: ImageDataModule
) -> tuple[nn.Module, dict[str, Any]]:
    options: dict[str, Any] = {
        "dropout": parameters.head_dropout,
        "memory_format": parameters.memory_format,
    }
    if not strategy.pretrained:
        arguments = timm_arguments(start.architecture, images, **options)
        return models.build("timm", **arguments), arguments
    return backbones.load_pretrained(
        start,
        outputs=len(images.schema.classes),
        image_size=parameters.image_size,
        channels=images.train.inputs.shape[1],
        **options,
    )
