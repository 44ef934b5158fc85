"""Any timm network as a classifier of bytes, and timm's hub format.

timm: "PyTorch Image Models", Wightman 2019, https://github.com/huggingface/pytorch-image-models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from plumbline.models import layers
from plumbline.models.pretrained import Pretrained, import_timm
from plumbline.models.sources import find

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class TimmClassifier(nn.Module):
    """A timm network that scales its pixels.

    Parameters
    ----------
    architecture : str
        timm's name of it, without a source such as ``local-dir:`` and without weights.
    outputs : int
        ``K``: number of classes.
    image_size, channels : int
        Height (= width) and ``C``.
    mean, scale : sequence of float
        Per channel, in units of the full pixel range.
    dropout : float
        Share of features dropped before the head in training, in [0, 1).
    memory_format : {'contiguous', 'channels_last'}
        Memory layout of images and convolutions: equal results up to rounding, another speed.

    Raises
    ------
    ValueError
        If timm has no such network.
    """

    def __init__(
        self,
        *,
        architecture: str,
        outputs: int,
        image_size: int,
        channels: int,
        mean: Sequence[float],
        scale: Sequence[float],
        dropout: float = 0.0,
        memory_format: str = "contiguous",
    ) -> None:
        super().__init__()
        if not import_timm().is_model(architecture):
            raise ValueError(
                f"models.backbones: architecture must be a network of timm, got {architecture!r}; "
                "timm.list_models() lists them"
            )
        self.memory_format = MEMORY_FORMATS[memory_format]
        self.architecture, self.image_size, self.channels = architecture, image_size, channels
        self.scale_pixels = layers.ScalePixels(mean=mean, scale=scale)
        options: dict[str, Any] = {"num_classes": outputs, "in_chans": channels}
        if _fixed_input_size(architecture):
            options["img_size"] = image_size
        self.network: Any = (
            import_timm()
            .create_model(architecture, pretrained=False, drop_rate=dropout, **options)
            .to(memory_format=self.memory_format)
        )

    @property
    def head(self) -> nn.Module:
        """The layer from features to logits, timm's own."""
        head: nn.Module = self.network.get_classifier()
        return head

    def in_head(self, name: str) -> bool:
        """Whether the named parameter belongs to the head."""
        found = {id(parameter) for parameter in self.head.parameters()}
        return id(self.get_parameter(name)) in found

    def features(self, x: Tensor) -> Tensor:
        """Bytes ``(N, C, H, W)``, uint8 or float in 0…255 → ``(N, D)``: the inputs of the head."""
        maps = self.network.forward_features(self._pixels(x))
        features: Tensor = self.network.forward_head(maps, pre_logits=True)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Bytes ``(N, C, H, W)`` → ``(N, K)`` logits."""
        logits: Tensor = self.network(self._pixels(x))
        return logits

    def _pixels(self, x: Tensor) -> Tensor:
        scaled: Tensor = self.scale_pixels(x)
        return scaled.contiguous(memory_format=self.memory_format)


def load_pretrained(
    source: str | Pretrained, *, outputs: int, image_size: int, channels: int, dropout: float = 0.0,
    memory_format: str = "contiguous", keep_head: bool = False,
) -> tuple[TimmClassifier, dict[str, Any]]:  # fmt: skip
    """Return a classifier that starts from pretrained weights, and the arguments that build it.

    The pixel statistics are those of the pretraining.

    Parameters
    ----------
    source : str or Pretrained
        See `plumbline.models.sources.find`.
    outputs, image_size, channels, dropout, memory_format
        See `TimmClassifier`.
    keep_head : bool
        Keep the head of the pretraining; otherwise a new one is drawn.

    Raises
    ------
    ArtifactError, ValueError
        See `plumbline.models.pretrained.Pretrained.network`.
    """
    start = find(source) if isinstance(source, str) else source
    options = {"img_size": image_size} if _fixed_input_size(start.architecture) else {}
    found = start.network(outputs=outputs, channels=channels, keep_head=keep_head, **options)
    mean, scale = start.statistics()
    arguments: dict[str, Any] = {
        "architecture": start.architecture,
        "outputs": outputs,
        "image_size": image_size,
        "channels": channels,
        "mean": _per_channel(mean, channels),
        "scale": _per_channel(scale, channels),
        "dropout": dropout,
        "memory_format": memory_format,
    }
    classifier = TimmClassifier(**arguments)
    classifier.network.load_state_dict(found.state_dict())
    if not keep_head:
        _shrink(classifier.head)
    return classifier, arguments


@torch.no_grad()
def _shrink(head: nn.Module) -> None:
    # timm draws the heads of some networks for many classes: with few classes the logits are so
    # large that a short fit does not unlearn them. The bound is torch's own of linear layers.
    if isinstance(head, nn.Linear):
        bound, largest = head.in_features**-0.5, float(head.weight.abs().max())
        if largest > 1.001 * bound:  # not for a last bit
            head.weight.mul_(bound / largest)


def hub_config(classifier: TimmClassifier, *, classes: Sequence[str]) -> dict[str, Any]:
    """Return the ``config.json`` by which timm finds a network in a local folder or on the hub."""
    network = classifier.network
    channels, size = classifier.channels, classifier.image_size
    # Names of the first layer and the head, which timm adapts to other channels and classes.
    places = {key: network.pretrained_cfg[key] for key in ("first_conv", "classifier")}
    return {
        "architecture": classifier.architecture,
        "num_classes": len(classes),
        "num_features": int(network.num_features),
        "label_names": list(classes),
        "model_args": {"in_chans": channels},
        "pretrained_cfg": {
            **places,
            "input_size": [channels, size, size],
            "fixed_input_size": _fixed_input_size(classifier.architecture),
            "mean": classifier.scale_pixels.mean.flatten().tolist(),
            "std": classifier.scale_pixels.scale.flatten().tolist(),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "num_classes": len(classes),
        },
    }


def _per_channel(values: Sequence[float], channels: int) -> list[float]:
    # Grey images have the average statistics of the colour channels.
    if len(values) == channels:
        return [float(value) for value in values]
    return [float(sum(values) / len(values))] * channels


def _fixed_input_size(architecture: str) -> bool:
    import_timm()
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(architecture)
    return bool(config is not None and config.fixed_input_size)
