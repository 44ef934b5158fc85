"""Pretrain a timm backbone on printed characters, and save it in timm's hub format too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plumbline import artifacts
from plumbline.models import backbones
from plumbline.params.models import PretrainParams
from plumbline.runs.fit_context import FitContext
from plumbline.training.data_modules.images import ImageDataModule
from plumbline.training.engine.augment import random_affine
from plumbline.training.recipes.fitted import FittedModel, portable_weights
from plumbline.training.recipes.images import fit_classifier, timm_arguments

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
    settings = parameters.optimisation
    images = ImageDataModule(
        data,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        seed=context.seed,
        transform=random_affine(parameters.augmentation, seed=context.seed),
    )
    memory_format = parameters.memory_format
    fitted = fit_classifier(
        "backbone",
        images,
        architecture="timm",
        arguments=timm_arguments(
            parameters.backbone, images, dropout=0.0, memory_format=memory_format
        ),
        optimisation=settings,
        context=context,
    )
    return PretrainedBackbone(fitted.network, fitted.config, fitted.history)
