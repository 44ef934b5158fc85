"""Features of pictures from pretrained networks: ImageNet's EfficientNet-Lite0, in evaluation mode.

Tan and Le, "EfficientNet" (ICML 2019), https://arxiv.org/abs/1905.11946; the Lite variant has no
squeeze-and-excitation and ReLU6.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

POOLED, MIDDLE_MAP, MIDDLE_POOLED = "pooled", "middle map", "middle pooled"
READS = (POOLED, MIDDLE_MAP, MIDDLE_POOLED)
_MIDDLE = 4  # blocks 0 to 6; this one is the last of 1/16 of the height
_BATCH = 64


def imagenet_features(images: npt.ArrayLike | Tensor, size: int, read: str = POOLED) -> Tensor:
    """Return features of pictures, ``(N, D)``.

    Parameters
    ----------
    images : array or Tensor of uint8, ``(N, C, H, W)``
        Grey ones have one channel.
    size : int
        Height and width at which the network sees them.
    read : {'pooled', 'middle map', 'middle pooled'}
        The mean over places of the last layer (1,280 channels), or block 4 (112 channels), at every
        place or its mean over places.
    """
    return read_features(images, size, (read,))[read]


@torch.no_grad()
def read_features(
    images: npt.ArrayLike | Tensor, size: int, reads: Sequence[str] = READS
) -> dict[str, Tensor]:
    """Return the features of each layer read, by one pass; see `imagenet_features`."""
    network = imagenet()
    found: dict[str, list[Tensor]] = {read: [] for read in reads}
    for part in torch.split(torch.as_tensor(images), _BATCH):
        for read, values in _read(network, as_input(part, size)):
            if read in found:
                found[read].append(values)
    return {read: torch.cat(parts) for read, parts in found.items()}


@functools.cache
def imagenet() -> Any:
    """Return the pretrained network with ImageNet's 1,000 outputs; do not change it."""
    from plumbline.models.backbones import load_pretrained

    network, _ = load_pretrained(
        "package:efficientnet_lite0", outputs=1000, image_size=224, channels=3, keep_head=True,
        memory_format="channels_last",  # a quarter faster
    )  # fmt: skip
    return network.eval()


def as_input(images: Tensor, size: int) -> Tensor:
    """Return pictures ``(N, C, H, W)`` in 0…255 as float ``(N, 3, size, size)``."""
    scaled = functional.interpolate(
        images.float(), (size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return scaled.expand(-1, 3, -1, -1)


def _read(network: Any, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
    inner = network.network
    pixels = network.scale_pixels(inputs).contiguous(memory_format=network.memory_format)
    maps = inner.bn1(inner.conv_stem(pixels))
    for number, block in enumerate(inner.blocks):
        maps = block(maps)
        if number == _MIDDLE:
            yield MIDDLE_MAP, maps.flatten(1)
            yield MIDDLE_POOLED, maps.mean((2, 3))
    yield POOLED, inner.forward_head(inner.bn2(inner.conv_head(maps)), pre_logits=True)
