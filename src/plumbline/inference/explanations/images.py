"""Attributions of image classifiers to pixels: integrated gradients, Grad-CAM and occlusion.

Grad-CAM: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via
gradient-based localization", section 3; occlusion: Zeiler and Fergus 2014, "Visualizing and
understanding convolutional networks", section 4.2. Both are Captum's. ``N`` images, ``C`` channels,
height and width ``S``, ``K`` classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from plumbline import artifacts, names
from plumbline.artifacts import ModelConfig
from plumbline.errors import ArtifactError
from plumbline.inference.explanations.integrated_gradients import integrated_gradients
from plumbline.inference.explanations.outputs import (
    GRAD_CAM,
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    Block,
    explained_codes,
    log_odds,
)
from plumbline.inference.restore import restore
from plumbline.inference.tables import check_classes


@dataclass(frozen=True)
class Pictures:
    """A classifier of images, and the images of one split.

    Attributes
    ----------
    network : Module
        In evaluation mode; decides what is explained.
    attributed : Module
        Whose outputs are attributed: the same, unless weights are drawn again for a check.
    ids : list of str, (N,)
    true : list of str
        See `Subject`.
    images : Tensor
        uint8 ``(N, C, S, S)``.
    baseline : Tensor
        ``(C, S, S)``: the mean training image.
    classes : tuple of str
    of : str, optional
        The explained class; by default the predicted one of each image.
    """

    network: nn.Module
    attributed: nn.Module
    ids: list[str]
    true: list[str]
    images: Tensor
    baseline: Tensor
    classes: tuple[str, ...]
    of: str | None

    kind = names.IMAGES
    methods = (INTEGRATED_GRADIENTS, GRAD_CAM, OCCLUSION)
    block = 16
    baseline_name = "the mean training image"

    @classmethod
    def restore(
        cls, folder: Path, config: ModelConfig, data: Path, *, split: str, of: str | None
    ) -> Self:
        """Restore the network and read the images.

        Raises
        ------
        ArtifactError
            If model and data do not belong together.
        """
        network, _ = restore(folder)
        check_classes(config, artifacts.DatasetSchema.read(data), folder.name)
        table = artifacts.read_split_table(data)
        size = config.arguments["image_size"]
        images = torch.from_numpy(artifacts.read_images(data, size, rows=len(table)))
        chosen, training = (
            torch.tensor((table["split"] == name).to_numpy()) for name in (split, names.TRAIN)
        )
        return cls(
            network.requires_grad_(False), network, table["sample_id"][chosen.numpy()].tolist(),
            [config.classes[code] for code in table["y"][chosen.numpy()]], images[chosen],
            images[training].float().mean(dim=0), config.classes, of,
        )  # fmt: skip

    def with_samples(self, ids: list[str], values: Any) -> Self:
        """Return the same model with other images, uint8 ``(N, C, S, S)``."""
        return replace(self, ids=ids, true=[], images=torch.from_numpy(values))

    def output(self, method: str) -> str:
        """Name the explained output."""
        return f"log-odds of {self.of or 'the predicted class'}"

    def explain(self, rows: Any, *, method: str, nodes: int | None) -> Block:
        """Return the maps of these images, ``(S, S)`` each."""
        images = self.images[torch.as_tensor(rows)]
        with torch.no_grad():
            logits = self.network(images)
        codes = explained_codes(logits, self.classes, self.of)
        values, gap = maps(
            self.attributed, images, codes, self.baseline, method=method, nodes=nodes or 64
        )
        probabilities = logits.double().softmax(dim=1).gather(1, codes[:, None])[:, 0]
        return Block(
            list(values.numpy()), gap.numpy(), [self.classes[code] for code in codes.tolist()],
            probabilities.numpy(), log_odds(logits, codes).numpy(),
        )  # fmt: skip


def maps(
    network: nn.Module, images: Tensor, codes: Tensor, baseline: Tensor, *, method: str, nodes: int
) -> tuple[Tensor, Tensor]:
    """Return what each pixel contributed to the log-odds of a class.

    Parameters
    ----------
    network : Module
        Bytes ``(N, C, S, S)`` → ``(N, K)`` logits, in evaluation mode, each from its own image.
    images : Tensor
        ``(N, C, S, S)``, 0 to 255; at most 1024, which are in memory together.
    codes : Tensor
        ``(N,)``: the explained class of each.
    baseline : Tensor
        ``(C, S, S)``: what integrated gradients start from, and what occlusion puts over a patch.
    method : {'integrated_gradients', 'grad_cam', 'occlusion'}
        Grad-CAM explains with the last convolution, whose map it enlarges, and shows only what
        speaks for the class. Occlusion covers patches of a quarter of the side, a patch each half
        a patch; a pixel has the mean of its patches.
    nodes : int
        Of the quadrature of integrated gradients.

    Returns
    -------
    values : Tensor
        ``(N, S, S)``, in log-odds, summed over channels.
    gap : Tensor
        ``(N,)``, the completeness gap of integrated gradients; NaN for other methods.
    """
    images = images.float()
    none = torch.full((len(images),), torch.nan)

    def output(pixels: Tensor, own: Tensor) -> Tensor:
        return log_odds(network(pixels), own)

    if method == GRAD_CAM:
        from captum.attr import LayerAttribution, LayerGradCam

        layer = last_convolution(network, images[:1])
        cam = LayerGradCam(output, layer).attribute(
            images.clone().requires_grad_(True), additional_forward_args=(codes,),
            relu_attributions=True,
        )  # fmt: skip
        large = LayerAttribution.interpolate(cam, tuple(images.shape[2:]), "bilinear")
        return large.detach()[:, 0], none
    if method == OCCLUSION:
        from captum.attr import Occlusion

        side = max(2, images.shape[-1] // 4)
        with torch.no_grad():
            found = Occlusion(output).attribute(
                images, (images.shape[1], side, side), (images.shape[1], side // 2, side // 2),
                baselines=baseline[None], additional_forward_args=(codes,),
            )  # fmt: skip
        return found[:, 0], none
    shape = images.shape[1:]

    def flat(rows: Tensor) -> Tensor:  # the baseline is one row for all classes
        return log_odds(network(rows.view(-1, *shape)).expand(len(codes), -1), codes)

    found = integrated_gradients(flat, images.flatten(1), baseline.flatten(), nodes=nodes)
    return found.values.view_as(images).sum(dim=1), found.gap


def last_convolution(network: nn.Module, image: Tensor) -> nn.Module:
    """Return the convolution that runs last and whose map is larger than one pixel.

    Raises
    ------
    ArtifactError
        If the network has none.
    """
    called: list[nn.Module] = []

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if output[0, 0].numel() > 1:
            called.append(module)

    hooks = [
        module.register_forward_hook(note)
        for module in network.modules() if isinstance(module, nn.Conv2d)
    ]  # fmt: skip
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    if not called:
        raise ArtifactError(
            f"explain: method must be {INTEGRATED_GRADIENTS} or {OCCLUSION} for a network without "
            f"convolutions, got {GRAD_CAM}"
        )
    return called[-1]


def regions(values: Any) -> Any:
    """Return the share of the absolute attribution in each ninth of a map ``(S, S)``, ``(3, 3)``.

    NaN where the map is 0 everywhere.
    """
    bands = np.array_split(np.arange(len(values)), 3)
    found = np.array([[np.abs(values[np.ix_(r, c)]).sum() for c in bands] for r in bands])
    return found / found.sum() if found.any() else np.full((3, 3), np.nan)
