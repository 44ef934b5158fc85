"""Magnitude pruning of a trained network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.prune import L1Unstructured

from plumbline.tasks.classify import SupervisedTask
from plumbline.training.data_modules.examples import Examples

_BATCH = 512


@torch.no_grad()
def prune(network: nn.Module, share: float) -> dict[str, int]:
    """Set the smallest weights of each layer of a network to zero, in place.

    "Learning both weights and connections for efficient neural networks", Han et al. 2015, without
    the training after it. Biases, and the gains and shifts of normalisation, stay.

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
    found = [layer._parameters.get("weight") for layer in network.modules()]
    matrices = [w for w in found if w is not None and w.requires_grad and w.ndim > 1]
    for weight in matrices:
        weight.copy_(method.prune(weight))
    zeros = sum(int((weight == 0).sum()) for weight in matrices)
    return {"weights": sum(weight.numel() for weight in matrices), "zeros": zeros}


def prune_fitted(task: SupervisedTask, val: Examples, share: float) -> dict[str, Any]:
    """Prune the network of a task; return its facts, and the validation loss before and after."""
    before = _loss(task, val)
    counts = prune(task.network, share)
    return {"share": share, **counts, "val_loss_before": before, "val_loss": _loss(task, val)}


@torch.inference_mode()
def _loss(task: SupervisedTask, val: Examples) -> float:
    was_training = task.network.training
    task.network.eval()
    outputs = torch.cat([task.network(part.cpu()) for part in torch.split(val.inputs, _BATCH)])
    task.network.train(was_training)
    weights = None if val.weights is None else val.weights.cpu()
    return float(task.loss(outputs, val.targets.cpu(), weights, training=False))
