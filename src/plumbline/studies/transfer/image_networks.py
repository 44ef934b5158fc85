"""Networks for small pictures, each scaled in width to a number of parameters.

LeNet: LeCun et al. (1998), https://doi.org/10.1109/5.726791. VGG: Simonyan and Zisserman (2015),
https://arxiv.org/abs/1409.1556. Blocks of the residual network, the separable one and the vision
transformer are timm's.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from plumbline.compat import torchvision
from plumbline.models import count_parameters
from plumbline.models.layers import seeded_weights

REDUCTIONS = ("max", "average", "stride")  # pooling, or no pooling: every second place is computed
HEADS = ("flat", "global")  # the head sees every place, or the mean over all places
Width = Callable[[int], int]  # scales the width of a layer
_SCALES = [0.01 * 1.01**step for step in range(620)]  # of the widths, 0.01 to 4.7


def _dense(*widths: int) -> list[nn.Module]:
    """Linear layers with batch norm and ReLU, then the linear head."""
    hidden = [
        [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
        for before, after in itertools.pairwise(widths)
    ]
    return [nn.Flatten(), *itertools.chain(*hidden), nn.Linear(widths[-1], 10)]


def _fnn(side: int, width: Width) -> nn.Module:
    return nn.Sequential(*_dense(side**2, width(100), width(100)))


def _lenet(side: int, width: Width) -> nn.Module:
    first, second = width(6), width(16)
    return nn.Sequential(
        *_conv(1, first, kernel=5), nn.MaxPool2d(2), *_conv(first, second, kernel=5),
        nn.MaxPool2d(2), *_dense(second * (side // 4) ** 2, width(120), width(84)),
    )  # fmt: skip


def _conv(before: int, after: int, stride: int = 1, kernel: int = 3) -> list[nn.Module]:
    plain = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [plain, nn.BatchNorm2d(after), nn.ReLU()]


def _vgg(side: int, width: Width) -> nn.Module:
    w = width(16)
    return nn.Sequential(
        *_conv(1, w), *_conv(w, w), nn.MaxPool2d(2), *_conv(w, 2 * w), *_conv(2 * w, 2 * w),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * w * (side // 4) ** 2, 10),
    )  # fmt: skip


def _plain(side: int, width: Width, reduction: str, head: str) -> nn.Module:
    """Three convolutions, each followed by a reduction to half the side but the last one."""
    pools: dict[str, list[nn.Module]] = {"max": [nn.MaxPool2d(2)], "average": [nn.AvgPool2d(2)]}
    pool = pools.get(reduction, [])
    w, stride = width(16), 2 if reduction == "stride" else 1
    places = (side // 4) ** 2 if head == "flat" else 1
    return nn.Sequential(
        *_conv(1, w, stride), *pool, *_conv(w, 2 * w, stride), *pool, *_conv(2 * w, 4 * w),
        *([] if head == "flat" else [nn.AdaptiveAvgPool2d(1)]), nn.Flatten(),
        nn.Linear(4 * w * places, 10),
    )  # fmt: skip


def _resnet(side: int, width: Width) -> nn.Module:
    from timm.models.resnet import BasicBlock, downsample_conv

    def halve(before: int, after: int) -> nn.Module:
        shortcut = downsample_conv(before, after, kernel_size=1, stride=2)
        block: nn.Module = BasicBlock(before, after, stride=2, downsample=shortcut)
        return block

    w = width(12)
    return nn.Sequential(
        *_conv(1, w), BasicBlock(w, w), halve(w, 2 * w), halve(2 * w, 4 * w),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * w, 10),
    )  # fmt: skip


def _separable(side: int, width: Width) -> nn.Module:
    from timm.models._efficientnet_blocks import DepthwiseSeparableConv as Block

    w = width(32)
    return nn.Sequential(
        *_conv(1, w), Block(w, 2 * w, stride=2), Block(2 * w, 2 * w), Block(2 * w, 4 * w, stride=2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * w, 10),
    )  # fmt: skip


def _vit(side: int, width: Width) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    network: nn.Module = VisionTransformer(
        img_size=side, patch_size=side // 4, in_chans=1, num_classes=10, depth=2, num_heads=2,
        embed_dim=2 * width(16), mlp_ratio=2.0,
    )  # fmt: skip
    return network


NETWORKS: dict[str, Callable[[int, Width], nn.Module]] = {
    "fnn": _fnn, "lenet": _lenet, "vgg": _vgg, "resnet": _resnet, "separable": _separable,
    "vit": _vit,
    **{f"{reduction}, {head}": functools.partial(_plain, reduction=reduction, head=head)
       for reduction in REDUCTIONS for head in HEADS},
}  # fmt: skip


def build(name: str, side: int, *, parameters: int, seed: int) -> nn.Module:
    """Return a network for pictures ``(N, 1, side, side)`` in [0, 1], ten classes.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    side : int
        A multiple of 4.
    parameters : int
        The widths are scaled together to come as close to it as whole widths allow.
    """
    scale = _scale(name, side, parameters)
    with seeded_weights(seed):
        return NETWORKS[name](side, lambda width: max(1, round(scale * width)))


@functools.cache
def _scale(name: str, side: int, parameters: int) -> float:
    torchvision.install()  # timm imports it

    def size(scale: float) -> int:
        with torch.device("meta"):
            return count_parameters(NETWORKS[name](side, lambda n: max(1, round(scale * n))))

    low, high = 0, len(_SCALES) - 1
    while high - low > 1:  # parameters grow with the scale
        middle = (low + high) // 2
        low, high = (middle, high) if size(_SCALES[middle]) <= parameters else (low, middle)
    return min(_SCALES[low], _SCALES[high], key=lambda scale: abs(size(scale) - parameters))


@torch.no_grad()
def multiply_adds(network: nn.Module, inputs: Tensor) -> int:
    """Return the multiply-adds of products and convolutions for inputs, as torch counts them."""
    counter = FlopCounterMode(display=False)
    with counter:
        network.eval()(inputs)
    return counter.get_total_flops() // 2


def fit(
    network: nn.Module, x: Tensor, y: Tensor, *, epochs: int, batch_size: int, lr: float, seed: int
) -> Iterator[int]:
    """Train a classifier with Adam, and yield the number of epochs done, in evaluation mode."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(y), generator=generator)
        for rows in torch.split(order, batch_size):
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(network(x[rows]), y[rows]))
            optimizer.step()
        network.eval()
        yield epoch + 1


def receptive_fields(network: nn.Sequential, side: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, receptive field by gradient, and by closed form, of each convolution and pool.

    The field of a place is the side of the square of input pixels that change it:
    ``1 + Σ (kernel - 1) · (product of the strides before)``. Measured in the middle of a picture
    whose ``side`` must hold the field, with weights of 1 and averages for maxima, so that no
    gradient vanishes.
    """
    field, step = 1, 1
    x = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    maps: Tensor = x
    for number, layer in enumerate(network):
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            continue
        kernel, stride, padding = (
            value if isinstance(value, int) else int(value[0])
            for value in (layer.kernel_size, layer.stride, layer.padding)
        )
        ones = torch.ones(1, 1, kernel, kernel, dtype=x.dtype)
        maps = functional.conv2d(maps, ones, stride=stride, padding=padding)
        field, step = field + (kernel - 1) * step, step * stride
        middle = maps.shape[-1] // 2
        (gradient,) = torch.autograd.grad(maps[0, 0, middle, middle], x, retain_graph=True)
        yield number, int((gradient[0, 0] != 0).any(1).sum()), field


def edge_likeness(filters: Tensor) -> float:
    """Return how much filters ``(N, K, K)`` look like edges: mean cosine with the closest one.

    Edges are the signs of a plane through the centre, at 16 angles; both sides have mean zero.
    """
    side = filters.shape[-1]
    place = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    angles = torch.arange(16, dtype=torch.float64) * torch.pi / 16
    plane = angles.cos()[:, None, None] * place + angles.sin()[:, None, None] * place[:, None]
    edges, own = plane.round(decimals=9).sign().flatten(1), filters.double().flatten(1)
    own = own - own.mean(1, keepdim=True)
    cosine = functional.normalize(own, dim=1) @ functional.normalize(edges, dim=1).T
    return float(cosine.abs().amax(1).mean())
