"""Transfer: fit a pretrained timm backbone to few labels by one of three strategies."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from plumbline import artifacts, models, names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import ArtifactError
from plumbline.models import backbones
from plumbline.models.layers import pixel_statistics
from plumbline.params.models import FinetuneParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.engine.augment import random_affine
from plumbline.training.engine.history import History
from plumbline.training.engine.loaders import training_device
from plumbline.training.recipes.base import (
    Examples,
    FittedModel,
    classifier_config,
    fit_supervised,
    image_examples,
    image_signature,
)

SCRATCH, LINEAR_PROBE, FULL = STRATEGIES = ("scratch", "linear_probe", "full")
_EXTRACTION_BATCH = 64  # what a batch is between two layers still fits in a core's cache


@dataclass(frozen=True)
class _FewLabels:
    """The labelled training images and the whole validation split."""

    schema: DatasetSchema
    train: Examples
    val: Examples

    @classmethod
    def read(cls, data: Path, *, size: int) -> _FewLabels:
        schema = DatasetSchema.read(data)
        table = artifacts.read_split_table(data)
        images = torch.from_numpy(artifacts.read_images(data, size, rows=len(table)))
        labelled = (table["split"] == names.TRAIN) & table["labelled"]
        return cls(
            schema,
            train=image_examples(table, images, rows=labelled),
            val=image_examples(table, images, rows=table["split"] == names.VAL),
        )


def finetune(
    parameters: FinetuneParams, *, strategy: str, data: Path, context: FitContext
) -> FittedModel:
    """Fit a classifier to the few labelled images by one strategy.

    Every epoch is run and the last one kept: choosing an epoch by the validation labels would use
    more labels than the strategy claims to need. The validation split only draws the curves.

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
    ArtifactError
        If the pretrained backbone is not there.
    """
    if strategy not in STRATEGIES:
        raise ValueError(
            f"training.finetune: strategy must be one of {STRATEGIES}, got {strategy!r}"
        )
    found = _FewLabels.read(data, size=parameters.image_size)
    torch.manual_seed(context.seed)
    network, arguments = _starting_point(parameters, strategy=strategy, found=found)
    history, facts = _fit(network, parameters, strategy=strategy, found=found, context=context)
    config = classifier_config(
        f"finetune_{strategy}",
        architecture="timm",
        arguments=arguments,
        schema=found.schema,
        network=network,
        inputs=image_signature(found.train.inputs),
        facts={"strategy": strategy, **facts},
    )
    return FittedModel(network, config, history)


@torch.no_grad()
def extract_features(network: Any, images: Tensor, *, batch_size: int) -> Tensor:
    """Return what the head of a frozen network sees, ``(N, D)``; within rounding its own pass.

    Batch-norm statistics stay as they are and dropout is off, whatever mode the network was in.
    A copy lays its images out channels last: convolutions without gradients are faster so.
    """
    frozen = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    parts = [
        frozen.features(batch.contiguous(memory_format=torch.channels_last))
        for batch in torch.split(images, batch_size)
    ]
    return torch.cat(parts)


def _fit(
    network: Any,
    parameters: FinetuneParams,
    *,
    strategy: str,
    found: _FewLabels,
    context: FitContext,
) -> tuple[History, dict[str, Any]]:
    if strategy == LINEAR_PROBE:
        history, facts = _probe(network, parameters, found=found, context=context)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(network.in_head(name))
        return history, facts
    facts = {}
    if strategy == FULL:
        quiet = replace(
            context,
            stage=f"{context.stage} (probe)",
            work=context.work.with_name("probe"),
            sink=None,
        )
        _, facts["probe"] = _probe(network, parameters, found=found, context=quiet)
    scale = parameters.backbone_lr_scale if strategy == FULL else 1.0
    settings = parameters.optimisation
    task = ClassifierTask(
        network,
        settings=settings,
        lr_scale=lambda name: 1.0 if network.in_head(name) else scale,
    )
    history, found_facts = fit_supervised(
        task,
        found.train,
        found.val,
        context=context,
        optimisation=settings,
        transform=random_affine(parameters.augmentation, seed=context.seed),
        keep_best=False,
        validate_every=_validate_every(settings.max_epochs),
    )
    return history, {**facts, **found_facts}


def _probe(
    network: Any, parameters: FinetuneParams, *, found: _FewLabels, context: FitContext
) -> tuple[History, dict[str, Any]]:
    """Fit the head on cached features and put it back; epoch by epoch another augmented view."""
    count = len(found.train.targets)
    change = random_affine(parameters.augmentation, seed=context.seed)
    device = training_device(context.trainer.accelerator)
    network.to(device)

    def seen(images: Tensor) -> Tensor:
        return extract_features(network, images.to(device), batch_size=_EXTRACTION_BATCH)

    views = torch.stack(
        [
            seen(change(found.train.inputs, torch.arange(count), view))
            for view in range(parameters.probe_views)
        ]
    )
    held_out = seen(found.val.inputs)
    network.cpu()
    head: Any = nn.Linear(views.shape[2], len(found.schema.classes))
    head.load_state_dict(network.head.state_dict())
    history, facts = fit_supervised(
        ClassifierTask(head, settings=parameters.optimisation),
        Examples(views[0], found.train.targets.to(device)),
        Examples(held_out, found.val.targets.to(device)),
        context=context,
        optimisation=parameters.optimisation,
        transform=lambda batch, samples, epoch: views[epoch % len(views), samples.to(device)],
        keep_best=False,
        validate_every=_validate_every(parameters.optimisation.max_epochs),
        dense=True,
    )
    network.head.load_state_dict(head.state_dict())
    return history, {**facts, "views": len(views)}


def _starting_point(
    parameters: FinetuneParams, *, strategy: str, found: _FewLabels
) -> tuple[nn.Module, dict[str, Any]]:
    source = parameters.backbone
    folder = backbones.local_folder(source)
    if folder is not None and not (folder / "config.json").is_file():
        raise ArtifactError(
            f"finetune.backbone: folder must hold a model in hub format, got none at "
            f"{folder.as_posix()}; run the stage pretrain"
        )
    options: dict[str, Any] = {
        "outputs": len(found.schema.classes),
        "image_size": parameters.image_size,
        "channels": found.train.inputs.shape[1],
        "dropout": parameters.head_dropout,
        "memory_format": parameters.memory_format,
    }
    if strategy != SCRATCH:
        return backbones.load_pretrained(source, **options)
    mean, scale = pixel_statistics(found.train.inputs)
    arguments = {
        "architecture": backbones.architecture_of(source),
        "mean": mean,
        "scale": scale,
        **options,
    }
    return models.build("timm", **arguments), arguments


def _validate_every(epochs: int) -> int:
    # About 20 validations; the last epoch is one of them.
    every = max(1, epochs // 20)
    return next(step for step in range(every, 0, -1) if epochs % step == 0)
