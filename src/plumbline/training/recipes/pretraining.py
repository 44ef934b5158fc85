"""Pretraining: a timm backbone fitted to printed characters, and saved where timm finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from plumbline import artifacts, models, names
from plumbline.artifacts import DatasetSchema
from plumbline.errors import ArtifactError
from plumbline.models import backbones
from plumbline.models.layers import pixel_statistics
from plumbline.params.models import PretrainParams
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.engine.augment import random_affine
from plumbline.training.recipes.base import (
    Fitted,
    Where,
    classifier_config,
    fit_supervised,
    image_examples,
    image_signature,
    portable_weights,
)

HUB = "hub"  # the folder in data/models/backbone that timm reads


def pretrain_backbone(parameters: PretrainParams, *, data: Path, where: Where) -> Fitted:
    """Fit a timm network from a random start to the prepared glyphs."""
    schema = DatasetSchema.read(data)
    table = artifacts.read_split_table(data)
    images = torch.from_numpy(artifacts.read_images(data, _only_size(data), rows=len(table)))
    train = image_examples(table, images, rows=table["split"] == names.TRAIN)
    val = image_examples(table, images, rows=table["split"] == names.VAL)
    mean, scale = pixel_statistics(train.inputs)
    arguments = {
        "architecture": parameters.backbone,
        "outputs": len(schema.classes),
        "image_size": images.shape[-1],
        "channels": images.shape[1],
        "mean": mean,
        "scale": scale,
        "dropout": 0.0,
        "memory_format": parameters.memory_format,
    }
    torch.manual_seed(where.seed)
    network = models.build("timm", **arguments)
    settings = parameters.optimisation
    task = ClassifierTask(network, settings=settings)
    history, facts = fit_supervised(
        task,
        train,
        val,
        where=where,
        optimisation=settings,
        transform=random_affine(parameters.augmentation, seed=where.seed),
    )
    config = classifier_config(
        "backbone",
        architecture="timm",
        arguments=arguments,
        schema=schema,
        network=network,
        inputs=image_signature(images),
        facts=facts,
    )
    return Fitted(network, config, history)


def save_backbone(fitted: Fitted, folder: Path) -> None:
    """Write a pretrained backbone in our format, and in ``hub/`` in timm's.

    ``timm.create_model("local-dir:<folder>/hub", pretrained=True)`` loads the latter. The two
    formats name their config alike and read different keys, so each has its own folder.
    """
    fitted.save(folder)
    network: Any = fitted.network
    config = backbones.hub_config(network, classes=fitted.config.classes)
    artifacts.write_weights(folder / HUB / "model.safetensors", portable_weights(network.network))
    artifacts.write_json(folder / HUB / "config.json", config)


def _only_size(data: Path) -> int:
    found = sorted(data.glob("images_*.npy"))
    if len(found) != 1:
        raise ArtifactError(
            f"{data.name}: folder must hold images of one size, got {[p.name for p in found]}"
        )
    return int(found[0].stem.removeprefix("images_"))
