"""Parts of a pretrained network: train some, freeze the others, or add low-rank adapters."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from plumbline.models.backbones import TimmClassifier
from plumbline.models.pretrained import import_timm


def parts(classifier: TimmClassifier) -> list[list[str]]:
    """Return the parameter names of each part: the head, then stages from last to first, the stem.

    Stages are timm's (``group_matcher`` with ``coarse=True``); a last normalisation belongs to the
    last stage.
    """
    import_timm()
    from timm.models import group_parameters

    network = classifier.network
    head = [name for name, _ in classifier.named_parameters() if classifier.in_head(name)]
    found = group_parameters(network, network.group_matcher(coarse=True), reverse=False)
    stages = [
        [f"network.{name}" for name in group if f"network.{name}" not in head]
        for _, group in sorted(found.items(), reverse=True)
    ]
    if stages[0] and len(stages[0]) + len(head) == len(found[max(found)]):
        stages = [stages[0] + stages[1], *stages[2:]]  # normalisation beside the head
    return [head, *filter(None, stages)]


def depths(classifier: TimmClassifier) -> dict[str, int]:
    """Return the number of the part of each parameter: 0 for the head."""
    return {name: depth for depth, part in enumerate(parts(classifier)) for name in part}


def train_parts(classifier: TimmClassifier, count: int) -> None:
    """Train the first ``count`` parts, from the head on, and freeze all others.

    Parameters
    ----------
    classifier : TimmClassifier
    count : int
        1 for the head alone; a larger number than there are parts trains every weight.
    """
    open_ = {name for part in parts(classifier)[:count] for name in part}
    for name, parameter in classifier.named_parameters():
        parameter.requires_grad_(name in open_)
    freeze_modules(classifier)


def freeze_modules(network: nn.Module, training: bool = True) -> None:
    """Set evaluation mode in every module whose parameters are all frozen, training mode elsewhere.

    Statistics of a frozen batch normalisation then stay as they are, and a frozen block drops
    nothing. A module without parameters, such as dropout, has the mode of the module around it.
    """
    own = list(network.parameters())
    network.training = any(each.requires_grad for each in own) if own else training
    for child in network.children():
        freeze_modules(child, network.training)


class LowRank(nn.Module):
    """Add a product of two thin matrices to a weight ("LoRA", Hu et al. 2022, equation 3).

    Parameters
    ----------
    weight : Tensor
        ``(K, D)`` or ``(K, D, 1, 1)``.
    rank : int
        ``r``; the sum has ``r · (K + D)`` trainable parameters. One of the matrices starts at zero,
        so that the network starts as it is.
    """

    def __init__(self, weight: Tensor, *, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape[:2]
        self.up = nn.Parameter(weight.new_zeros(rows, rank))
        self.down = nn.Parameter(weight.new_empty(rank, columns))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the sum, in the shape of the weight."""
        return weight + (self.up @ self.down).view_as(weight)


def add_adapters(classifier: TimmClassifier, *, rank: int) -> int:
    """Freeze all but the head, add adapters to linear layers and 1×1 convolutions, count them.

    Raises
    ------
    ValueError
        If the network has no such layer besides its head.
    """
    classifier.requires_grad_(False)
    found = [module for module in classifier.modules() if _adaptable(module)]
    found = [module for module in found if module is not classifier.head]
    if not found:
        raise ValueError(
            "models.parts: network must have linear layers or 1×1 convolutions for adapters, got "
            f"none in {classifier.architecture}; choose another strategy"
        )
    for module in found:
        weight = cast(Tensor, module.weight)
        parametrize.register_parametrization(module, "weight", LowRank(weight, rank=rank))
    classifier.head.requires_grad_(True)
    return len(found)


@torch.no_grad()
def merge_adapters(network: nn.Module) -> None:
    """Write the sums into the weights: the network is an ordinary one again, of equal outputs."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def _adaptable(module: Any) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1) and module.groups == 1
    return isinstance(module, nn.Linear)
