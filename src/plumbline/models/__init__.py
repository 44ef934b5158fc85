"""Networks in torch alone: no Lightning, no files, no parameters file.

A network is known by the key of its architecture and keyword arguments that are plain JSON, so
that a folder of weights and a config restores it; `build` imports only the architecture asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import nn

# Key of the architecture: module of this package, class in it.
ARCHITECTURES: dict[str, tuple[str, str]] = {
    "fnn": ("fnn", "FeedForward"),
    "cnn": ("cnn", "ConvNet"),
    "timm": ("backbones", "TimmClassifier"),
    "rnn": ("rnn", "CharRNN"),
    "generator": ("gan", "Generator"),
    "discriminator": ("gan", "Discriminator"),
}


def build(architecture: str, /, **arguments: Any) -> nn.Module:
    """Return a freshly initialised network.

    Parameters
    ----------
    architecture : str
        Key of `ARCHITECTURES`.
    **arguments
        Keyword arguments of its class.

    Raises
    ------
    ValueError
        If the architecture is unknown.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"models.build: architecture must be one of {sorted(ARCHITECTURES)}, "
            f"got {architecture!r}"
        )
    module, name = ARCHITECTURES[architecture]
    cls = getattr(import_module(f"{__name__}.{module}"), name)
    return cast("nn.Module", cls(**arguments))


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers training may change; frozen ones and buffers do not count."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
