"""Networks of one shape as one network: each operation runs for all of them at once.

A network of a few thousand weights spends its time on starting operations, not on computing.
Sixteen of them take little longer than one.

Shape letters: ``S`` networks, ``N`` samples, ``F`` features, ``K`` outputs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.models.layers import DropConnect, GaussianNoise, Rescale, Standardise


class StackedNetworks(nn.Module):
    """``S`` networks of one shape whose weights lie along a first axis.

    Layers with weights, statistics or random draws are replaced by stacked ones (`RULES`); the
    modules that hold them keep their own ``forward``, which must act on the last axis alone. Every
    network computes what it computes alone, up to rounding: with its own batch statistics, and with
    the draws that torch's generator gives it on a CPU in the state of the generator of `seed`.

    Parameters
    ----------
    networks : sequence of nn.Module
        Networks that differ in their weights and statistics alone, which are copied.

    Attributes
    ----------
    network : nn.Module
        The stack. Its parameters and buffers have the names of those of a single network and the
        networks as their first axis.

    Raises
    ------
    ValueError
        If the networks differ in their layers, or one has a layer without a rule.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.generators = [torch.Generator() for _ in networks]
        place = copy.deepcopy(networks[0])
        self.network = _stack(place, networks, self.generators, {})

    def __len__(self) -> int:
        """Return the number of networks."""
        return len(self.generators)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(S, N, F)``, or ``(1, N, F)`` for all networks → ``(S, N, K)``."""
        outputs: Tensor = self.network(inputs)
        return outputs

    def seed(self, seeds: Sequence[int]) -> None:
        """Set the generator of each network's dropout and other draws."""
        device = next(self.parameters()).device
        self.generators[:] = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def member(self, number: int) -> dict[str, Tensor]:
        """Return the state of one network, for its ``load_state_dict``."""
        return {name: value[number].clone() for name, value in self.network.state_dict().items()}


class StackedLayer(nn.Module):
    """A layer of every network, whose parameters and buffers have the networks as first axis.

    Parameters
    ----------
    layers : sequence of nn.Module
        Of one type, a key of `RULES`.
    generators : list of torch.Generator
        Of each network; read at every draw.
    """

    def __init__(self, layers: Sequence[nn.Module], generators: list[torch.Generator]) -> None:
        super().__init__()
        first = layers[0]
        own = vars(first).items()
        self.settings = {name: value for name, value in own if not name.startswith("_")}
        self.generators = generators
        self._rule = RULES[type(first)]
        for name, parameter in first._parameters.items():
            self.register_parameter(name, None if parameter is None else _parameter(layers, name))
        for name, buffer in first._buffers.items():
            kept = [layer.get_buffer(name) for layer in layers] if buffer is not None else []
            self.register_buffer(name, torch.stack(kept) if kept else None)

    def forward(self, x: Tensor) -> Tensor:
        """``(S, N, F)`` or ``(1, N, F)`` → ``(S, N, …)``."""
        return self._rule(self, x)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return a parameter or buffer."""

    def spread(self, x: Tensor) -> Tensor:
        """Return inputs that all networks share for each of them."""
        return x.expand(len(self.generators), -1, -1)

    def own(self, name: str) -> Tensor | None:
        """Return a parameter or buffer ``(S, F)`` as ``(S, 1, F)``."""
        value = getattr(self, name)
        return None if value is None else value[:, None]

    def draw(self, x: Tensor, fill: Callable[[Tensor, torch.Generator], object]) -> Tensor:
        """Return an ``(S, N, F)`` tensor, each network's part filled with its own generator."""
        drawn = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        for part, generator in zip(drawn, self.generators, strict=True):
            fill(part, generator)
        return drawn


def _linear(layer: StackedLayer, x: Tensor) -> Tensor:
    return _product(layer, x, layer.weight)


def _drop_connect(layer: StackedLayer, x: Tensor) -> Tensor:
    return _product(layer, x, _dropped(layer, layer.weight, layer.settings["share"]))


def _product(layer: StackedLayer, x: Tensor, weight: Tensor) -> Tensor:
    weight, bias, x = weight.transpose(1, 2), layer.own("bias"), layer.spread(x)
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias, x, weight)


def _layer_norm(layer: StackedLayer, x: Tensor) -> Tensor:
    settings = layer.settings
    plain = functional.layer_norm(x, settings["normalized_shape"], eps=settings["eps"])
    return _affine(layer, plain)


def _group_norm(layer: StackedLayer, x: Tensor) -> Tensor:
    settings = layer.settings
    rows = x.reshape(-1, x.shape[-1])
    plain = functional.group_norm(rows, settings["num_groups"], eps=settings["eps"])
    return _affine(layer, plain.view(x.shape))


def _affine(layer: StackedLayer, x: Tensor) -> Tensor:
    gain, shift = layer.own("weight"), layer.own("bias")
    x = x if gain is None else x * gain
    return x if shift is None else x + shift


def _batch_norm(layer: StackedLayer, x: Tensor) -> Tensor:
    """Normalise the units of all networks as if they were units of one."""
    settings, x = layer.settings, layer.spread(x)
    networks, rows, width = x.shape
    names = ("running_mean", "running_var", "weight", "bias")
    mean, variance, gain, shift = (
        None if (value := getattr(layer, name)) is None else value.view(-1) for name in names
    )
    momentum = settings["momentum"]
    if layer.training and mean is not None:
        tracked: Tensor = layer.num_batches_tracked
        tracked += 1
        if momentum is None:  # a plain mean over batches
            momentum = 1 / float(tracked.max())
    found = functional.batch_norm(
        x.transpose(0, 1).reshape(rows, networks * width),
        mean, variance, gain, shift,
        training=layer.training or mean is None,
        momentum=momentum or 0.0, eps=settings["eps"],
    )  # fmt: skip
    return found.view(rows, networks, width).transpose(0, 1)


def _prelu(layer: StackedLayer, x: Tensor) -> Tensor:
    slope: Tensor = layer.weight[:, None]
    found: Tensor = torch.where(x > 0, x, x * slope)
    return found


def _rrelu(layer: StackedLayer, x: Tensor) -> Tensor:
    lower, upper = layer.settings["lower"], layer.settings["upper"]
    if not layer.training:
        return functional.leaky_relu(x, (lower + upper) / 2)
    x = layer.spread(x)
    slopes = torch.ones(x.shape, dtype=x.dtype, device=x.device)
    with torch.no_grad():
        for part, slope, generator in zip(x, slopes, layer.generators, strict=True):
            torch.ops.aten.rrelu_with_noise(part, slope, lower, upper, True, generator)
    return x * slopes


def _dropout(layer: StackedLayer, x: Tensor) -> Tensor:
    share = layer.settings["p"]
    return _dropped(layer, layer.spread(x) if share else x, share)


def _dropped(layer: StackedLayer, x: Tensor, share: float) -> Tensor:
    kept = 1 - share
    if not layer.training or kept == 1:
        return x
    mask = layer.draw(x, lambda part, generator: part.bernoulli_(kept, generator=generator))
    return x * mask.div_(kept)


def _gaussian_noise(layer: StackedLayer, x: Tensor) -> Tensor:
    scale: float = layer.settings["scale"]
    if not layer.training or not scale:
        return x
    x = layer.spread(x)
    return x + scale * layer.draw(x, lambda part, generator: part.normal_(generator=generator))


def _standardise(layer: StackedLayer, x: Tensor) -> Tensor:
    mean, scale = layer.mean[:, None], layer.scale[:, None]
    found: Tensor = (x.to(mean.dtype) - mean) / scale
    return found


def _rescale(layer: StackedLayer, x: Tensor) -> Tensor:
    found: Tensor = x * layer.scale[:, None] + layer.mean[:, None]
    return found


# What a layer does for all networks at once.
RULES: dict[type[nn.Module], Callable[[StackedLayer, Tensor], Tensor]] = {
    nn.Linear: _linear,
    DropConnect: _drop_connect,
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.PReLU: _prelu,
    nn.RReLU: _rrelu,
    nn.Dropout: _dropout,
    GaussianNoise: _gaussian_noise,
    Standardise: _standardise,
    Rescale: _rescale,
}
# Layers that act on each number by itself, without weights or draws.
ELEMENTWISE = {
    nn.Identity, nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.SiLU, nn.GELU,
    nn.Softplus, nn.Mish,
}  # fmt: skip


def _stack(
    place: nn.Module,
    modules: Sequence[nn.Module],
    generators: list[torch.Generator],
    done: dict[nn.Module, nn.Module],
) -> nn.Module:
    """Return ``place``, a copy of the first of the modules, with its layers stacked."""
    if place in done:  # one layer in two places stays one layer
        return done[place]
    kinds = {type(module).__name__ for module in modules}
    if len(kinds) > 1:
        raise ValueError(
            f"models.stacked: networks must have the same layers, got {sorted(kinds)} in one place"
        )
    stacked = place
    if type(place) in RULES:
        stacked = StackedLayer(modules, generators)
    elif type(place) not in ELEMENTWISE:
        holds_layers = place._modules or isinstance(place, nn.Sequential)
        if not holds_layers or place._parameters or place._buffers:
            raise ValueError(_refusal(place))
        for name, child in place._modules.items():
            if child is not None:
                inner = [module.get_submodule(name) for module in modules]
                place._modules[name] = _stack(child, inner, generators, done)
    done[place] = stacked
    return stacked


def _refusal(layer: nn.Module) -> str:
    known = sorted(kind.__name__ for kind in {*RULES, *ELEMENTWISE})
    return (
        f"models.stacked: a layer must be one of {', '.join(known)}, or hold such layers and no "
        f"weights of its own, got {type(layer).__name__}; train the networks one by one"
    )


def _parameter(layers: Sequence[nn.Module], name: str) -> nn.Parameter:
    parts = [layer.get_parameter(name) for layer in layers]
    stacked = torch.stack([part.detach() for part in parts])
    return nn.Parameter(stacked, requires_grad=parts[0].requires_grad)
