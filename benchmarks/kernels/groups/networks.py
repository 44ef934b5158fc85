"""torch: operations forward and backward, optimisers, random numbers, and trainings of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.models.backbones import TimmClassifier
from plumbline.models.cnn import ConvNet
from plumbline.models.fnn import FeedForward
from plumbline.models.gan import (
    Discriminator,
    Generator,
    discriminator_loss,
    generator_loss,
    update_average,
)
from plumbline.models.layers import ACTIVATIONS
from plumbline.models.rnn import CELLS, CharRNN
from plumbline.tasks.group_losses import exponentiated_gradient, group_penalty
from plumbline.training.engine.augment import RandomAffine

from . import Quantities

# One of each family: residual and grouped convolutions, depthwise ones, attention.
ARCHITECTURES = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit")
STEPS = 3
POINTWISE = ("exp", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "erf", "erfinv", "lgamma",
             "digamma", "tan", "atan", "expm1", "sinh", "cosh", "log2", "exp2", "log", "log10",
             "tanh", "asin", "acos", "erfc", "i0")  # fmt: skip
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda x: torch.stack([x.sum(), x.sum(0).sum(), x.sum(1).mean()]),
    "mean": lambda x: x.mean(0), "var": lambda x: x.var(1), "norm": lambda x: x.norm(dim=1),
    "logsumexp": lambda x: x.logsumexp(1), "cumsum": lambda x: x.cumsum(1),
    "prod": lambda x: (1 + x / 100).prod(1), "median": lambda x: x.median(1).values,
    "softmax": lambda x: x.softmax(1), "log_softmax": lambda x: x.log_softmax(0),
    "layer_norm": lambda x: functional.layer_norm(x, x.shape[1:]),
    "std": lambda x: x.std(0),
}  # fmt: skip


class Draws:
    """Draw tensors, one after the other, from a generator of their own."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int, kind: torch.dtype = torch.float32) -> Tensor:
        """Return normal numbers."""
        return torch.randn(*shape, generator=self.generator, dtype=kind)

    def codes(self, below: int, *shape: int) -> Tensor:
        """Return whole numbers in [0, below)."""
        return torch.randint(0, below, shape, generator=self.generator)


def quantities() -> Quantities:
    yield from random_numbers()
    draw = Draws(1)
    for kind in (torch.float32, torch.float64):
        for name, value in pointwise(draw, kind):
            yield f"{name}.{str(kind)[-2:]}", value
    yield from products(draw)
    yield from convolutions(draw)
    yield from normalisation(draw)
    yield from losses(draw)
    yield from attention(draw)
    yield from ordering(draw)
    yield from optimisers(draw)
    yield from inputs(draw)
    yield from trainings()


def random_numbers() -> Quantities:
    draws: dict[str, Callable[[], Tensor]] = {
        "rand": lambda: torch.rand(501), "randn": lambda: torch.randn(501),
        "randn small": lambda: torch.randn(9), "randn64": lambda: torch.randn(501).double(),
        "randperm": lambda: torch.randperm(501), "randint": lambda: torch.randint(0, 99, (501,)),
        "bernoulli": lambda: torch.empty(501).bernoulli_(0.3),
        "multinomial": lambda: torch.multinomial(torch.arange(1.0, 20), 12),
        "exponential": lambda: torch.empty(501).exponential_(),
        "dropout": lambda: functional.dropout(torch.ones(501), 0.3),
        "kaiming": lambda: nn.init.kaiming_uniform_(torch.empty(17, 23)),
        "orthogonal": lambda: nn.init.orthogonal_(torch.empty(29, 29)),
        "truncated": lambda: nn.init.trunc_normal_(torch.empty(17, 23)),
    }  # fmt: skip
    for name, draw in draws.items():
        torch.manual_seed(3)
        yield f"random.{name}", draw()


def pointwise(draw: Draws, kind: torch.dtype) -> Quantities:
    x = draw(31, 67, kind=kind)
    for name in POINTWISE:
        # erfinv takes (-1, 1), roots and logarithms what is positive: sigmoids serve all.
        yield f"torch.{name}", getattr(torch, name)(x.sigmoid())
    yield "torch.pow", (x.abs().pow(1.7), x.abs().pow(x), x**3)
    yield "torch.atan2", torch.atan2(x, x.flip(0))
    for name, reduce in REDUCTIONS.items():
        yield f"torch.{name}", with_gradients(reduce, x)
    for name, build in ACTIVATIONS.items():
        torch.manual_seed(0)
        yield f"torch.activation {name}", with_gradients(build().to(kind), x)
    yield "torch.linalg", (
        torch.linalg.svdvals(x), torch.linalg.vector_norm(x), torch.linalg.qr(x)[1],
        torch.linalg.eigvalsh(x @ x.T), torch.linalg.cholesky(x @ x.T + torch.eye(31, dtype=kind)),
    )  # fmt: skip


def with_gradients(function: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """Return what a function gives, and the gradients with respect to inputs and parameters."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    parameters = list(function.parameters()) if isinstance(function, nn.Module) else []
    cotangent = torch.linspace(-1, 1, y.numel(), dtype=torch.float64).reshape(y.shape).to(y)
    return [y, *torch.autograd.grad(y, leaves + parameters, cotangent)]


def products(draw: Draws) -> Quantities:
    for rows, inner, columns in (
        (1, 64, 64),
        (7, 33, 65),
        (32, 10, 64),
        (64, 256, 128),
        (130, 257, 93),
    ):
        for kind in (torch.float32, torch.float64):
            a, b = draw(rows, inner, kind=kind), draw(columns, inner, kind=kind)
            name = f"torch.linear {rows}x{inner}x{columns}.{str(kind)[-2:]}"
            yield name, with_gradients(functional.linear, a, b)
    yield "torch.matmul 512", draw(200, 512) @ draw(512, 512)
    yield "torch.bmm", with_gradients(torch.bmm, draw(5, 17, 33), draw(5, 33, 9))
    yield "torch.baddbmm", torch.baddbmm(draw(5, 1, 9), draw(5, 17, 33), draw(5, 33, 9))
    yield "torch.mv", (draw(67, 129) @ draw(129), draw(129) @ draw(129))
    yield "torch.einsum", torch.einsum("bij,bkj->bik", draw(3, 9, 17), draw(3, 5, 17))
    half = torch.bfloat16
    yield "torch.linear bfloat16", functional.linear(draw(33, 65).to(half), draw(17, 65).to(half))


def convolutions(draw: Draws) -> Quantities:
    layers: dict[str, tuple[nn.Module, tuple[int, ...]]] = {}
    torch.manual_seed(0)
    for channels, outputs, side, size, options in (
        (1, 16, 16, 3, {"padding": 1}), (16, 32, 8, 3, {"padding": 1, "bias": False}),
        (3, 8, 32, 4, {"stride": 2, "padding": 1}), (24, 24, 9, 3, {"groups": 24, "padding": 1}),
        (16, 32, 9, 3, {"groups": 4, "stride": 2}), (24, 40, 9, 1, {}),
        (5, 7, 13, 5, {"dilation": 2}),
        (12, 12, 12, 7, {"groups": 12, "padding": 3}),
    ):  # fmt: skip
        name = f"conv {channels}-{outputs} {side} {size}" + "".join(
            f" {k}={v}" for k, v in options.items()
        )
        layers[name] = nn.Conv2d(channels, outputs, size, **options), (6, channels, side, side)
    layers["convT"] = nn.ConvTranspose2d(24, 12, 4, stride=2, padding=1), (6, 24, 4, 4)
    layers["conv1d"] = nn.Conv1d(6, 10, 5, padding=2), (6, 6, 41)
    for name, (layer, shape) in layers.items():
        x = draw(*shape)
        yield f"torch.{name}", with_gradients(layer, x)
        if len(shape) == 4:
            last = torch.channels_last
            moved = layer.to(memory_format=last)
            yield f"torch.{name} last", with_gradients(moved, x.contiguous(memory_format=last))


def normalisation(draw: Draws) -> Quantities:
    layers = {
        "batch2d": (nn.BatchNorm2d(12), (6, 12, 7, 9)), "batch1d": (nn.BatchNorm1d(12), (33, 12)),
        "group": (nn.GroupNorm(3, 12), (6, 12, 7, 9)),
        "instance": (nn.InstanceNorm2d(12), (6, 12, 7, 9)),
        "layer": (nn.LayerNorm(65), (33, 65)), "max": (nn.MaxPool2d(2), (6, 12, 8, 10)),
        "average": (nn.AvgPool2d(3, 2, 1), (6, 12, 7, 9)),
        "adaptive": (nn.AdaptiveAvgPool2d(3), (6, 12, 7, 9)),
    }  # fmt: skip
    for name, (layer, shape) in layers.items():
        for mode in ("train", "eval"):
            getattr(layer, mode)()
            yield f"torch.{name} {mode}", with_gradients(layer, draw(*shape))
        yield f"torch.{name} buffers", [b.float() for b in layer.buffers()]


def losses(draw: Draws) -> Quantities:
    targets = draw.codes(7, 33)
    for name, options in (
        ("plain", {}), ("smooth", {"label_smoothing": 0.1}),
        ("weights", {"weight": torch.arange(1.0, 8)}),
    ):  # fmt: skip

        def loss(x: Tensor, options: dict[str, object] = options) -> Tensor:
            return functional.cross_entropy(x, targets, **options)

        yield f"torch.cross_entropy {name}", with_gradients(loss, draw(33, 7))
    for name in ("mse_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits"):
        other = draw(33, 7).sigmoid()
        function = getattr(functional, name)
        yield f"torch.{name}", with_gradients(lambda x, f=function, y=other: f(x, y), draw(33, 7))
    group, binary = draw.codes(3, 33), draw.codes(2, 33).float()
    yield (
        "plumbline.group_penalty",
        with_gradients(lambda x: group_penalty(x, binary, group), draw(33)),
    )
    yield (
        "plumbline.exponentiated_gradient",
        exponentiated_gradient(torch.ones(5) / 5, draw(5).abs(), step=0.1),
    )


def attention(draw: Draws) -> Quantities:
    q, k, v = draw(2, 4, 19, 16), draw(2, 4, 19, 16), draw(2, 4, 19, 16)
    yield "torch.attention", with_gradients(functional.scaled_dot_product_attention, q, k, v)
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(24, 3, 48, dropout=0.0, batch_first=True)
    yield "torch.transformer", with_gradients(layer, draw(3, 11, 24))
    layer.eval()
    with torch.inference_mode():
        yield "torch.transformer inference", layer(draw(3, 11, 24))
    embedding = nn.Embedding(31, 24)
    codes = draw.codes(31, 5, 9)
    loss = embedding(codes).tanh().sum()
    yield "torch.embedding", torch.autograd.grad(loss, [embedding.weight])
    for name, kind in CELLS.items():
        for layers in (1, 2):
            cell = kind(24, 40, num_layers=layers)
            yield f"torch.{name} {layers}", with_gradients(Output(cell), draw(13, 5, 24))
            with torch.inference_mode():
                yield f"torch.{name} {layers} inference", cell(draw(13, 5, 24))[0]


class Output(nn.Module):
    """A recurrent cell without the state that it returns."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of every step."""
        found: Tensor = self.cell(x)[0]
        return found


def ordering(draw: Draws) -> Quantities:
    ties = draw.codes(40, 1501)
    for kind in (torch.float32, torch.int64, torch.uint8):
        values = ties.to(kind)
        yield f"torch.sort {kind}", tuple(values.sort())
        yield f"torch.argsort {kind}", (values.argsort(), values.argsort(stable=True))
        yield f"torch.topk {kind}", tuple(values.topk(50))
        yield f"torch.unique {kind}", values.unique(return_counts=True)
    yield "torch.bincount", torch.bincount(ties, weights=draw(1501).double())
    yield "torch.index_add", torch.zeros(40).index_add(0, ties, draw(1501))
    yield "torch.scatter_add", torch.zeros(40).scatter_add(0, ties, draw(1501))


def optimisers(draw: Draws) -> Quantities:
    kinds: dict[str, Callable[[list[Tensor]], torch.optim.Optimizer]] = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=1e-3, betas=(0.9, 0.99), fused=True),
        "adam plain": lambda p: torch.optim.Adam(p, lr=1e-3, fused=False),
        "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.01, fused=True),
        "adamw plain": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.01, foreach=False),
    }
    for name, kind in kinds.items():
        parameters = [draw(67, 33).requires_grad_(), draw(41).requires_grad_()]
        optimizer = kind(parameters)
        for _ in range(STEPS):
            for parameter in parameters:
                parameter.grad = draw(*parameter.shape)
            norm = nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        yield f"torch.{name}", (*parameters, norm)


def inputs(draw: Draws) -> Quantities:
    images = draw.codes(256, 9, 3, 16, 16).to(torch.uint8)
    for name, options in (
        ("turned", {"shift": 1.5, "rotate": 10.0, "scale": 0.1}),
        ("shifted", {"shift": 2, "rotate": 0.0, "scale": 0.0}),
    ):  # fmt: skip
        change = RandomAffine(**options, mirror=True, seed=4)
        yield f"plumbline.augment {name}", change(images, torch.arange(9), 2)
    x = images.float()
    for mode in ("bilinear", "bicubic", "nearest"):
        yield f"torch.interpolate {mode}", functional.interpolate(x, scale_factor=1.7, mode=mode)
    grid = functional.affine_grid(draw(9, 2, 3), [9, 3, 12, 12], align_corners=False)
    yield (
        "torch.grid_sample",
        with_gradients(lambda a, b: functional.grid_sample(a, b, align_corners=False), x, grid),
    )


def trainings() -> Quantities:
    draw = Draws(9)
    table, codes = draw(48, 11), draw.codes(4, 48)
    for norm in ("none", "batch", "layer"):
        yield f"train.fnn {norm}", trained(lambda norm=norm: fnn(norm), table, codes)
    yield "train.fnn 64", trained(lambda: fnn("none").double(), table.double(), codes)
    yield "train.fnn bfloat16", trained(lambda: fnn("none"), table, codes, mixed=True)
    images = draw.codes(256, 20, 1, 16, 16).to(torch.uint8)
    yield "train.cnn", trained(cnn, images, codes[:20])
    yield (
        "train.cnn last",
        trained(lambda: cnn().to(memory_format=torch.channels_last), images, codes[:20]),
    )
    text = draw.codes(30, 17, 6)
    for cell in CELLS:
        yield (
            f"train.rnn {cell}",
            trained(lambda cell=cell: Reader(cell), text[:-1], text[1:].flatten()),
        )
    photographs = draw.codes(256, 6, 3, 32, 32).to(torch.uint8)
    for name in ARCHITECTURES:
        for layout in ("contiguous", "channels_last"):
            yield (
                f"train.{name} {layout}",
                trained(
                    lambda name=name, layout=layout: timm_network(name, layout),
                    photographs,
                    codes[:6],
                ),
            )
    for loss, spectral in (("non_saturating", False), ("hinge", True)):
        yield f"train.gan {loss}", adversaries(loss, spectral)


def trained(
    build: Callable[[], nn.Module], inputs: Tensor, targets: Tensor, *, mixed: bool = False
) -> Iterator[Tensor] | list[Tensor]:
    """Return parameters, buffers, and predictions in evaluation mode after a few updates."""
    torch.manual_seed(0)
    network = build()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, fused=True)
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = functional.cross_entropy(network(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    network.eval()
    with torch.inference_mode():
        return [*network.state_dict().values(), network(inputs).softmax(-1)]


def fnn(norm: str) -> FeedForward:
    return FeedForward(
        inputs=11, outputs=4, hidden=[64, 32], activation="relu", dropout=0.2, norm=norm,
        init="default",
    )  # fmt: skip


def cnn() -> ConvNet:
    return ConvNet(
        image_size=16, image_channels=1, channels=[16, 32], feature_dim=64, outputs=4, dropout=0.2,
        mean=[0.5], scale=[0.25],
    )  # fmt: skip


class Reader(nn.Module):
    """A character network whose logits are one row per character."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.network = CharRNN(
            vocabulary_size=30, embedding_dim=24, hidden_dim=48, layers=1, cell=cell, dropout=0.1,
            tied=False,
        )  # fmt: skip

    def forward(self, codes: Tensor) -> Tensor:
        """Return logits, a row per character."""
        logits: Tensor = self.network(codes)[0]
        return logits.flatten(0, 1)


def timm_network(name: str, layout: str) -> TimmClassifier:
    return TimmClassifier(
        architecture=name, outputs=4, image_size=32, channels=3, mean=[0.5] * 3, scale=[0.25] * 3,
        dropout=0.1, memory_format=layout,
    )  # fmt: skip


def adversaries(loss: str, spectral: bool) -> list[Tensor]:
    torch.manual_seed(0)
    shape = {"image_size": 16, "channels": 1, "classes": 3, "base_channels": 8}
    generator, average = (Generator(latent_dim=12, **shape) for _ in range(2))
    discriminator = Discriminator(spectral_norm=spectral, **shape)
    real, labels = torch.randn(8, 1, 16, 16).tanh(), torch.arange(8) % 3
    first, second = (
        torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for n in (discriminator, generator)
    )
    for _ in range(STEPS):
        fake = generator(torch.randn(8, 12), labels)
        first.zero_grad()
        of_real, of_fake = discriminator(real, labels), discriminator(fake.detach(), labels)
        discriminator_loss(of_real, of_fake, kind=loss).backward()
        first.step()
        second.zero_grad()
        generator_loss(discriminator(fake, labels), kind=loss).backward()
        second.step()
        update_average(average, generator, decay=0.9)
    return [
        value.float()
        for network in (generator, discriminator, average)
        for value in network.state_dict().values()
    ]
