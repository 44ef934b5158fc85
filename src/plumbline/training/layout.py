"""Which memory layout a timm network is faster in, on this machine.

Neither layout is the faster one for all networks, and a choice made anew at every training would
let the load of a machine into the bits of a model. So the probe is a command, and the choice is a
parameter.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from plumbline import models
from plumbline.models.backbones import MEMORY_FORMATS

CLASSES = 10


def probe_layouts(
    architecture: str, *, image_size: int, channels: int, batch_size: int, turns: int = 5
) -> dict[str, dict[str, float]]:
    """Return the median seconds of a batch, by work (``train``, ``infer``) and layout.

    The layouts take turns, so that a change in the load of the machine meets both.

    Parameters
    ----------
    architecture : str
        timm's name.
    image_size, channels, batch_size : int
    turns : int
        Counted ones; one more comes first.
    """
    torch.manual_seed(0)
    pixels = torch.randint(256, (batch_size, channels, image_size, image_size), dtype=torch.uint8)
    targets = torch.randint(CLASSES, (batch_size,))
    networks = {
        layout: models.build(
            "timm", architecture=architecture, outputs=CLASSES, image_size=image_size,
            channels=channels, mean=[127.5] * channels, scale=[64.0] * channels, dropout=0.0,
            memory_format=layout,
        )
        for layout in MEMORY_FORMATS
    }  # fmt: skip
    works: dict[str, Callable[[Any], None]] = {
        "train": lambda network: train(network, pixels, targets),
        "infer": lambda network: infer(network, pixels),
    }
    return {name: _take_turns(work, networks, turns) for name, work in works.items()}


def report(found: dict[str, dict[str, float]], *, batch_size: int) -> str:
    """Return a line for each work, with images a second, and the layout to train in."""
    lines = [
        f"{work}: "
        + ", ".join(f"{layout} {batch_size / taken:,.0f}" for layout, taken in seconds.items())
        + " images/s"
        for work, seconds in found.items()
    ]
    training = found["train"]
    return "\n".join([*lines, f"memory_format: {min(training, key=training.__getitem__)}"])


def _take_turns(
    work: Callable[[Any], None], networks: dict[str, nn.Module], turns: int
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {layout: [] for layout in networks}
    for turn in range(turns + 1):
        for layout, network in networks.items():
            start = time.perf_counter()
            work(network)
            if turn:
                seconds[layout].append(time.perf_counter() - start)
    return {layout: statistics.median(taken) for layout, taken in seconds.items()}


def train(network: nn.Module, pixels: torch.Tensor, targets: torch.Tensor) -> None:
    """Compute the gradients of one batch."""
    network.train()
    network.zero_grad()
    loss: Any = nn.functional.cross_entropy(network(pixels), targets)
    loss.backward()


@torch.inference_mode()
def infer(network: nn.Module, pixels: torch.Tensor) -> None:
    """Compute the logits of one batch."""
    network.eval()
    network(pixels)
