"""Networks restored from their folders: weights and config; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from plumbline import artifacts, models
from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError


def restore(folder: Path) -> tuple[nn.Module, ModelConfig]:
    """Return the network of a model folder in evaluation mode, and its config.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or the weights are not those of the architecture.
    """
    config = ModelConfig.read(folder)
    weights = {name: torch.from_numpy(w) for name, w in artifacts.load_weights(folder).items()}
    try:
        network = models.build(config.architecture, **config.arguments)
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise ArtifactError(
            f"{folder.name}: weights and config must belong together, got: {detail}"
        ) from error
    return network.eval(), config
