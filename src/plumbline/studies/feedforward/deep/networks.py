"""Deep networks of one width: plain, residual or highway, with or without normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from plumbline.models import layers
from plumbline.models.stacked import StackedNetworks

BLOCKS = ("plain", "residual", "highway")
GROUPS = 4  # of group normalisation
# Standard deviation of the weights over that of He's initialisation. With ReLU the gradient then
# changes by these factors per layer: the textbook's two examples.
SCALES = {"small": 0.5, "large": 2.0}
INITS = {"default": "default", "xavier": "xavier_normal", "he": "he_normal"}


@dataclass(frozen=True)
class Shape:
    """The architecture of a network.

    ``depth`` hidden layers of ``width`` units: a linear layer from the inputs, and blocks of
    normalisation, activation, linear layer. A residual block adds its input to its output and
    nothing follows: y = x + F(x) ("Identity mappings in deep residual networks", He et al. 2016).
    Plain and residual networks have the same layers.
    """

    depth: int
    width: int
    activation: str
    init: str = "default"
    norm: str = "none"
    block: str = "plain"


class Highway(nn.Module):
    """Mix the outputs of layers with their inputs by a gate: t·F(x) + (1 - t)·x.

    "Training very deep networks", Srivastava et al. 2015, equation 3; the gate starts nearly shut,
    with a bias of -2 (section 2.2).

    Parameters
    ----------
    width : int
    *body : nn.Module
    """

    def __init__(self, width: int, *body: nn.Module) -> None:
        super().__init__()
        self.body, self.gate = nn.Sequential(*body), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, F)`` → ``(N, F)``."""
        share = torch.sigmoid(self.gate(x))
        found: Tensor = share * self.body(x) + (1 - share) * x
        return found


def build(shape: Shape, *, inputs: int, outputs: int) -> nn.Sequential:
    """Return a network with weights drawn by torch's generator."""
    body: list[nn.Module] = [nn.Linear(inputs, shape.width)]
    for _ in range(shape.depth - 1):
        body += _block(shape)
    body += _between(shape)
    network = nn.Sequential(*body, nn.Linear(shape.width, outputs))
    scale = SCALES.get(shape.init)
    layers.initialise(network, init="he_normal" if scale else INITS[shape.init])
    with torch.no_grad():
        for module in network.modules():
            if scale and isinstance(module, nn.Linear):
                module.weight.mul_(scale)
            if isinstance(module, Highway):
                module.gate.bias.fill_(-2.0)
    return network


def build_stack(shape: Shape, *, inputs: int, outputs: int, seeds: Sequence[int]) -> Any:
    """Return one network per seed, as a stack; torch's own generator stays as it is."""
    networks = []
    for seed in seeds:
        with layers.seeded_weights(seed):
            networks.append(build(shape, inputs=inputs, outputs=outputs))
    return StackedNetworks(networks)


def weight_gain(init: str, *, inputs: int, outputs: int) -> tuple[float, float]:
    """Return the variance of a weight times ``inputs``, and the variance of a bias.

    torch's default draws both uniformly within ±1/√inputs.
    """
    if init == "default":
        return 1 / 3, 1 / (3 * inputs)
    if init == "xavier":
        return 2 * inputs / (inputs + outputs), 0.0
    return 2 * SCALES.get(init, 1.0) ** 2, 0.0


def _block(shape: Shape) -> list[nn.Module]:
    parts = [*_between(shape), nn.Linear(shape.width, shape.width)]
    if shape.block == "residual":
        return [layers.Residual(*parts)]
    return [Highway(shape.width, *parts)] if shape.block == "highway" else parts


def _between(shape: Shape) -> list[nn.Module]:
    group = nn.GroupNorm(GROUPS, shape.width) if shape.norm == "group" else None
    return [group or layers.norm(shape.norm, shape.width), layers.activation(shape.activation)]


def hidden_layers(stack: nn.Module) -> list[nn.Module]:
    """Return the linear layers between inputs and head, without the gates of highways."""
    return [
        module
        for name, module in stack.named_modules()
        if getattr(module, "weight", None) is not None
        and module.weight.ndim == 3  # networks, outputs, inputs
        and "gate" not in name
    ][:-1]


def gradient_norms(stack: Any, loss: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return the norms of each network's gradients, and its signal, layer by layer.

    Parameters
    ----------
    stack : StackedNetworks
    loss : callable
        Takes the stack, returns its losses ``(S,)``.

    Returns
    -------
    signals : Tensor
        ``(S, hidden layers)``: of the gradient by all pre-activations of the batch.
    weights : Tensor
        ``(S, hidden layers)``: of the gradient by the weights.
    variances : Tensor
        ``(S, hidden layers)``: of the pre-activations.
    """
    linear: list[Any] = hidden_layers(stack)
    outputs: list[Any] = []

    def keep(module: nn.Module, given: Any, output: Tensor) -> None:
        output.retain_grad()
        outputs.append(output)

    hooks = [module.register_forward_hook(keep) for module in linear]
    try:
        stack.zero_grad()
        torch.autograd.backward(loss(stack).sum())
    finally:
        for hook in hooks:
            hook.remove()
    signals, weights = (
        torch.stack([each.grad.flatten(1).norm(dim=1) for each in part], dim=1)
        for part in (outputs, [module.weight for module in linear])
    )
    return signals, weights, torch.stack([z.detach().flatten(1).var(dim=1) for z in outputs], dim=1)
