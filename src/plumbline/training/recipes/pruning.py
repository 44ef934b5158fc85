"""Magnitude pruning of a trained network."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Callback
from torch import nn
from torch.nn.utils.prune import L1Unstructured

from plumbline.tasks.classify import SupervisedTask
from plumbline.training.data_modules.examples import Examples

_BATCH = 512


@torch.no_grad()
def prune(network: nn.Module, share: float) -> dict[str, int]:
    """Set the smallest weights of each layer of a network to zero, in place.

    "Learning both weights and connections for efficient neural networks", Han et al. 2015, section
    3. Biases, and the gains and shifts of normalisation, stay.

    Parameters
    ----------
    network : nn.Module
    share : float
        Of the weights of each layer, in [0, 1).

    Returns
    -------
    dict
        ``weights``: those of all layers; ``zeros``: how many of them are zero now.
    """
    method: Any = L1Unstructured(share)
    matrices = _matrices(network)
    for weight in matrices:
        weight.copy_(method.prune(weight))
    zeros = sum(int((weight == 0).sum()) for weight in matrices)
    return {"weights": sum(weight.numel() for weight in matrices), "zeros": zeros}


class KeepZeros(Callback):
    """Set the weights of a network that are zero now to zero after every update.

    Parameters
    ----------
    network : nn.Module
    """

    def __init__(self, network: nn.Module) -> None:
        self._zeros = [(weight, weight.detach() == 0) for weight in _matrices(network)]

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        """Set the weights to zero."""
        for weight, zeros in self._zeros:
            weight.masked_fill_(zeros.to(weight.device), 0)


@torch.inference_mode()
def validation_loss(task: SupervisedTask, val: Examples) -> float:
    """Return the loss of validation rows in evaluation mode."""
    was_training = task.network.training
    task.network.eval()
    outputs = torch.cat([task.network(part.cpu()) for part in torch.split(val.inputs, _BATCH)])
    task.network.train(was_training)
    weights = None if val.weights is None else val.weights.cpu()
    return float(task.loss(outputs, val.targets.cpu(), weights, training=False))


def _matrices(network: nn.Module) -> list[nn.Parameter]:
    """Return the trainable weights of the layers."""
    found = [layer._parameters.get("weight") for layer in network.modules()]
    return [w for w in found if w is not None and w.requires_grad and w.ndim > 1]
