"""Parts that several networks share: activations, normalisation, initialisation, input scaling.

Shape letters: ``N`` samples, ``F`` features, ``C`` channels, ``H W`` image height and width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

T = TypeVar("T")

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "rrelu": nn.RReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),
    "identity": nn.Identity,
}
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda width: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "he_normal": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "he_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
}


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Draw the initial weights in a block from a seed; torch's own generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def activation(name: str) -> nn.Module:
    """Return a new activation layer by name, a key of `ACTIVATIONS`."""
    return _pick(ACTIVATIONS, "activation", name)()


def norm(name: str, width: int) -> nn.Module:
    """Return a new normalisation layer over ``width`` features, a key of `NORMS`."""
    return _pick(NORMS, "norm", name)(width)


def keep_layout(maps: Tensor) -> Tensor:
    """Return the maps ``(N, C, H, W)``, and give their gradient the memory layout of the maps.

    Flattening maps in the layout channels last gives them a contiguous gradient. With two layouts
    the derivative of an activation takes some thirty times as long on a CPU. Values do not change.
    """
    if maps.requires_grad:
        last = maps.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        maps.register_hook(partial(torch.Tensor.contiguous, memory_format=layout))  # type: ignore[no-untyped-call]
    return maps


def initialise(network: nn.Module, *, init: str) -> None:
    """Draw the weights of every linear and convolution layer anew and set their biases to zero.

    ``he_*`` keep the variance of a ReLU network over depth ("Delving deep into rectifiers", He et
    al. 2015, section 2.2), ``xavier_*`` that of a symmetric activation ("Understanding the
    difficulty of training deep feedforward neural networks", Glorot and Bengio 2010, section 4.2);
    ``default`` leaves what torch drew.
    """
    if init == "default":
        return
    draw = _pick(INITS, "init", init)
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Statistics(nn.Module):
    """Mean and standard deviation per column, saved with the weights.

    Parameters
    ----------
    width : int
        ``F``: number of columns. Before `fit` the mean is 0 and the scale 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Take mean and standard deviation of ``x`` ``(N, F)``; a constant feature has scale 1."""
        rows = x.double()  # a feature far from zero would lose its variance in single precision
        deviation = rows.std(dim=0, correction=0)
        self.mean.copy_(rows.mean(dim=0))
        self.scale.copy_(torch.where(deviation > 0, deviation, torch.ones_like(deviation)))


class Standardise(Statistics):
    """Subtract the mean and divide by the scale of each feature."""

    def forward(self, x: Tensor) -> Tensor:
        """``(N, F)`` of any real type → ``(N, F)`` in the network's type."""
        return (x.to(self.mean.dtype) - self.mean) / self.scale


class Rescale(Statistics):
    """Multiply by the scale and add the mean of each output: back to the targets' units."""

    def forward(self, x: Tensor) -> Tensor:
        """``(N, F)`` → ``(N, F)``."""
        return x * self.scale + self.mean


class Residual(nn.Module):
    """Add the inputs of layers to their outputs ("Deep residual learning", He et al. 2015).

    Parameters
    ----------
    *layers : nn.Module
        Their outputs have the shape of their inputs.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, F)`` → ``(N, F)``."""
        found: Tensor = x + self.body(x)
        return found


class GaussianNoise(nn.Module):
    """Add normal noise in training.

    Parameters
    ----------
    scale : float
        Standard deviation, at least 0.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """``(N, F)`` → ``(N, F)``."""
        if not self.training or not self.scale:
            return x
        return x + self.scale * torch.randn_like(x)


class DropConnect(nn.Linear):
    """A linear layer that drops single weights in training.

    "Regularization of neural networks using DropConnect", Wan et al. 2013, with a mask for each
    batch, not for each row. As with dropout, the weights that stay are scaled up, and
    evaluation uses all of them as they are. The bias stays.

    Parameters
    ----------
    inputs, outputs : int
    share : float
        Of the weights, in [0, 1).
    bias : bool
    """

    def __init__(self, inputs: int, outputs: int, *, share: float, bias: bool = True) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """``(N, F)`` → ``(N, outputs)``."""
        weight = functional.dropout(self.weight, self.share, self.training)
        return functional.linear(x, weight, self.bias)


class ScalePixels(nn.Module):
    """Scale bytes to [0, 1], then subtract a mean and divide by a scale per channel.

    Parameters
    ----------
    mean, scale : sequence of float
        One value per channel, in units of the full range (0…255 → 0…1).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, *, mean: Sequence[float], scale: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1))
        self.register_buffer("scale", torch.tensor(scale).reshape(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Bytes 0…255 as uint8 or as floats (augmented) ``(N, C, H, W)`` → floats, same shape."""
        # In place, in a copy: new memory for each operation would cost more than the arithmetic.
        return x.to(self.mean.dtype, copy=True).div_(255).sub_(self.mean).div_(self.scale)


def pixel_statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation per channel of uint8 ``(N, C, H, W)``, in 0…1 units.

    Exact whatever the number of images: pixels are counted by value, not summed as floats.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, scales = [], []
    for channel in range(images.shape[1]):
        counts = torch.bincount(images[:, channel].reshape(-1), minlength=256).double()
        mean = float((counts * levels).sum() / counts.sum())
        variance = float((counts * (levels - mean) ** 2).sum() / counts.sum())
        means.append(mean)
        scales.append(math.sqrt(variance) or 1.0)
    return means, scales


def _pick(table: dict[str, T], what: str, name: str) -> T:
    if name not in table:
        raise ValueError(f"models.layers: {what} must be one of {sorted(table)}, got {name!r}")
    return table[name]
