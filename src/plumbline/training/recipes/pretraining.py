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
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.engine.augment import random_affine
from plumbline.training.recipes.base import (
    FittedModel,
    classifier_config,
    fit_supervised,
    image_examples,
    image_signature,
    portable_weights,
)

HUB = "hub"  # the folder in data/models/backbone that timm reads


class PretrainedBackbone(FittedModel):
    """A fitted timm network, which is also saved in timm's hub format."""

    def save(self, folder: Path) -> None:
        """Write weights and config in our format, and in ``hub/`` in timm's.

        ``timm.create_model("local-dir:<folder>/hub", pretrained=True)`` loads the latter. Both
        formats have a ``config.json``, with different keys, so each has its own folder.
        """
        super().save(folder)
        network: Any = self.network
        weights = portable_weights(network.network)
        artifacts.write_weights(folder / HUB / "model.safetensors", weights)
        config = backbones.hub_config(network, classes=self.config.classes)
        artifacts.write_json(folder / HUB / "config.json", config)


def pretrain_backbone(
    parameters: PretrainParams, *, data: Path, context: FitContext
) -> PretrainedBackbone:
    """Fit a timm network from random weights to the prepared glyphs.

    Parameters
    ----------
    parameters : PretrainParams
    data : Path
        Prepared images of one size.
    context : FitContext

    Raises
    ------
    ArtifactError
        If the images have several sizes.
    TrainingError
        At the first loss that is not finite.
    """
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
    torch.manual_seed(context.seed)
    network = models.build("timm", **arguments)
    settings = parameters.optimisation
    task = ClassifierTask(network, settings=settings)
    history, facts = fit_supervised(
        task,
        train,
        val,
        context=context,
        optimisation=settings,
        transform=random_affine(parameters.augmentation, seed=context.seed),
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
    return PretrainedBackbone(network, config, history)


def _only_size(data: Path) -> int:
    found = sorted(data.glob("images_*.npy"))
    if len(found) != 1:
        raise ArtifactError(
            f"{data.name}: folder must hold images of one size, got {[p.name for p in found]}"
        )
    return int(found[0].stem.removeprefix("images_"))
