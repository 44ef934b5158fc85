"""A linear probe: fit a head to cached features of a frozen network."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from plumbline.params.models import FinetuneParams
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.examples import ExampleDataModule, Examples
from plumbline.training.data_modules.images import ImageDataModule
from plumbline.training.engine.history import History
from plumbline.training.engine.loaders import training_device
from plumbline.training.recipes.base import fit_supervised

_EXTRACTION_BATCH = 64  # feature maps of so many images fit in a core's cache


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


def fit_probe(
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
        validate_every=validate_every(settings.max_epochs),
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


def validate_every(epochs: int) -> int:
    """Return the epochs between validations: about 20 in a fit, the last epoch one of them."""
    every = max(1, epochs // 20)
    return next(step for step in range(every, 0, -1) if epochs % step == 0)
