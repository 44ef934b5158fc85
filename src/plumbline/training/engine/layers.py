"""Find the layers of any network: the modules with trainable weights, in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from torch import nn


@dataclass
class Layer:
    """The weights that one step of the forward pass multiplies with.

    Attributes
    ----------
    name : str
        Position and name of the layer in its network: ``003.body.8``.
    module : str
        Module whose output is the layer's.
    weights : list of Parameter
    """

    name: str
    module: str
    weights: list[nn.Parameter] = field(default_factory=list)


def find_layers(module: nn.Module) -> dict[str, list[Layer]]:
    """Return the layers with trainable weights of each direct child, in the order of definition.

    ``weight_ih_l1`` and ``weight_hh_l1`` of a recurrent cell are the layer ``cell.l1``; the weight
    under a parametrisation such as spectral normalisation counts as it is stored. Gains and shifts
    of normalisation are vectors and belong to no layer.
    """
    found: dict[str, dict[str, Layer]] = {}
    for name, parameter in module.named_parameters():
        owner, _, last = name.replace(".parametrizations.weight.original", ".weight").rpartition(
            "."
        )
        if not parameter.requires_grad or parameter.ndim < 2 or not last.startswith("weight"):
            continue
        network, _, inner = owner.partition(".")
        part = re.search(r"_(l\d+)", last)
        label = ".".join(filter(None, (inner, part and part[1]))) or network
        layers = found.setdefault(network, {})
        if label not in layers:
            for other in layers.values():  # the output of a cell is that of its last layer
                other.module = "" if other.module == owner else other.module
            layers[label] = Layer(label_of(len(layers), label), owner)
        layers[label].weights.append(parameter)
    return {network: list(layers.values()) for network, layers in found.items()}


def label_of(index: int, name: str) -> str:
    """Return the position and the name of a layer, in whose order names are sorted."""
    return f"{index:03d}.{name}"
