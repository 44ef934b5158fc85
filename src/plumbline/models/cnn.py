"""A small convolutional classifier, whose features also measure the generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from plumbline.models import layers


class ConvNet(nn.Module):
    """Convolution blocks that halve the image, a feature layer, a linear head.

    A block is 3×3 convolution → batch norm → ReLU → 2×2 maximum → spatial dropout.

    Parameters
    ----------
    image_size : int
        Height and width, divisible by 2 to the number of blocks.
    image_channels : int
        ``C``.
    channels : sequence of int
        Channels after each block.
    feature_dim : int
        ``D``: width of the feature layer.
    outputs : int
        ``K``: number of classes.
    dropout : float
        Share of features dropped before the head in training, in [0, 1).
    spatial_dropout : float
        Share of the channels of each block dropped in training, each as a whole, in [0, 1).
    drop_connect : float
        Share of the weights of the feature layer dropped in training, in [0, 1).
    mean, scale : sequence of float
        Per image channel, in units of the full pixel range.

    Raises
    ------
    ValueError
        If the blocks cannot halve the image so often.
    """

    def __init__(
        self,
        *,
        image_size: int,
        image_channels: int,
        channels: Sequence[int],
        feature_dim: int,
        outputs: int,
        dropout: float,
        mean: Sequence[float],
        scale: Sequence[float],
        spatial_dropout: float = 0.0,
        drop_connect: float = 0.0,
    ) -> None:
        super().__init__()
        if image_size % 2 ** len(channels):
            raise ValueError(
                f"models.cnn: image_size must be a multiple of {2 ** len(channels)} for "
                f"{len(channels)} blocks, got {image_size}"
            )
        self.scale_pixels = layers.ScalePixels(mean=mean, scale=scale)
        widths = [image_channels, *channels]
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            blocks += [
                nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Sequential(nn.MaxPool2d(2), nn.Dropout2d(spatial_dropout)),
            ]
        self.blocks = nn.Sequential(*blocks)
        side = image_size // 2 ** len(channels)
        self.feature_layer = layers.DropConnect(
            widths[-1] * side * side, feature_dim, share=drop_connect
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(feature_dim, outputs)

    def features(self, x: Tensor) -> Tensor:
        """Bytes ``(N, C, H, W)``, uint8 or float in 0…255 → ``(N, D)``, not negative."""
        maps = self.blocks(self.scale_pixels(x))
        features: Tensor = self.feature_layer(maps.flatten(1)).relu()
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Bytes ``(N, C, H, W)`` → ``(N, K)`` logits."""
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits
