"""Networks in torch alone: no Lightning, no parameters file; only pretrained weights are read.

An architecture is ``module:Class`` in this package, or a short name of `ARCHITECTURES`. With
keyword arguments that are plain JSON it restores a network from a config; `build` imports only the
module that it needs. A new network needs no entry here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from torch import nn

# Short names, which the model folders of the default pipeline record.
ARCHITECTURES = {
    "fnn": "fnn:FeedForward",
    "cnn": "cnn:ConvNet",
    "timm": "backbones:TimmClassifier",
    "rnn": "rnn:CharRNN",
    "generator": "gan:Generator",
    "discriminator": "gan:Discriminator",
}


def build(architecture: str, /, **arguments: Any) -> nn.Module:
    """Return a freshly initialised network.

    Parameters
    ----------
    architecture : str
        ``module:Class`` of this package, or a short name of `ARCHITECTURES`.
    **arguments
        Keyword arguments of its class.

    Raises
    ------
    ValueError
        If this package has no such network: nothing else is ever imported or called.
    """
    module, _, name = ARCHITECTURES.get(architecture, architecture).partition(":")
    known = {found.name for found in pkgutil.iter_modules(__path__)}
    cls = getattr(import_module(f"{__name__}.{module}"), name, None) if module in known else None
    if not _is_network(cls):
        raise ValueError(
            f"models.build: architecture must be one of {sorted(ARCHITECTURES)} or module:Class of "
            f"a network in plumbline.models, got {architecture!r}"
        )
    return cls(**arguments)


def _is_network(cls: Any) -> TypeGuard[Callable[..., nn.Module]]:
    from torch import nn

    return (
        isinstance(cls, type)
        and issubclass(cls, nn.Module)
        and cls.__module__.startswith(f"{__name__}.")
    )


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters; frozen ones and buffers do not count."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
