"""Conditional deep convolutional GAN: generator, discriminator and their losses.

Shape letters: ``N`` samples, ``Z`` latent numbers, ``C`` channels, ``K`` classes, ``S`` image side.
Architecture after "Unsupervised representation learning with deep convolutional generative
adversarial networks", Radford et al. 2016, section 3; the discriminator reads the class by
projection after "cGANs with projection discriminator", Miyato and Koyama 2018, section 3.
Pixels lie in [-1, 1].
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normalise_spectrum

from plumbline.models.layers import keep_layout

LOSSES = ("non_saturating", "hinge")
BASE_SIZE = 4  # side of the first feature map; every further stage doubles it


def stages(image_size: int) -> int:
    """Return the number of doublings from a 4×4 map to ``image_size``.

    Raises
    ------
    ValueError
        If ``image_size`` is not 8, 16, 32, …
    """
    count = (image_size // BASE_SIZE).bit_length() - 1
    if count < 1 or image_size != BASE_SIZE * 2**count:
        raise ValueError(
            f"models.gan: image_size must be 4 times a power of two and >= 8, got {image_size}"
        )
    return count


class Generator(nn.Module):
    """Map latent numbers and a class to an image.

    Parameters
    ----------
    image_size : int
        ``S``: 8, 16, 32, …
    channels : int
        ``C``.
    classes : int
        ``K``.
    latent_dim : int
        ``Z``; the class embedding has as many numbers.
    base_channels : int
        Width of the map before the image; doubled at each halving of the side.
    """

    def __init__(
        self, *, image_size: int, channels: int, classes: int, latent_dim: int, base_channels: int
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.classes = classes
        self.image_shape = (channels, image_size, image_size)
        widths = [base_channels * 2**i for i in reversed(range(stages(image_size)))]
        self.embedding = nn.Embedding(classes, latent_dim)
        self.foot = nn.Linear(2 * latent_dim, widths[0] * BASE_SIZE**2, bias=False)
        blocks: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for before, after in itertools.pairwise(widths):
            blocks += [_double(before, after), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*blocks, _double(widths[-1], channels, bias=True), nn.Tanh())
        self.apply(_initialise)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Return images ``(N, C, S, S)`` in [-1, 1] from ``(N, Z)`` and class codes ``(N,)``."""
        seed = torch.cat([latent, self.embedding(labels)], dim=1)  # (N, 2Z)
        first = self.foot(seed).unflatten(1, (-1, BASE_SIZE, BASE_SIZE))
        images: Tensor = self.body[2:](keep_layout(self.body[:2](first)))
        return images


class Discriminator(nn.Module):
    """Map an image and a class to the log-odds that the image is real.

    With ``spectral_norm`` every layer has Lipschitz constant 1 ("Spectral normalization for
    generative adversarial networks", Miyato et al. 2018, section 2.1) and there is no batch norm.
    """

    def __init__(
        self, *, image_size: int, channels: int, classes: int, base_channels: int,
        spectral_norm: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [channels, *(base_channels * 2**i for i in range(stages(image_size)))]
        blocks: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            blocks.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
            if not spectral_norm and before != channels:
                blocks.append(nn.BatchNorm2d(after))
            blocks.append(nn.LeakyReLU(0.2, inplace=True))
        self.body = nn.Sequential(*blocks)
        features = widths[-1] * BASE_SIZE**2
        self.head = nn.Linear(features, 1)
        self.embedding = nn.Embedding(classes, features)
        self.apply(_initialise)
        if spectral_norm:
            for module in list(self.modules()):
                if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding)):
                    normalise_spectrum(module)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return logits ``(N,)`` from images ``(N, C, S, S)`` and class codes ``(N,)``."""
        features = keep_layout(self.body(images)).flatten(1)
        matched = (self.embedding(labels) * features).sum(dim=1)
        logits: Tensor = self.head(features).squeeze(1) + matched
        return logits


def discriminator_loss(real: Tensor, fake: Tensor, *, kind: str) -> Tensor:
    """Return the loss of the discriminator, from logits of real and generated images.

    non_saturating
        ``-log D(x) - log(1 - D(G(z)))``, the negative of the game's value ("Generative adversarial
        nets", Goodfellow et al. 2014, equation 1). Some texts print
        ``-log D(x) + log(1 - D(G(z)))``; that sign would reward calling generated images real.
    hinge
        ``max(0, 1 - real) + max(0, 1 + fake)``.
    """
    return _pick(_DISCRIMINATOR, kind)(real, fake)


def generator_loss(fake: Tensor, *, kind: str) -> Tensor:
    """Return the loss of the generator: ``-log D(G(z))``, or ``-fake`` for the hinge loss."""
    return _pick(_GENERATOR, kind)(fake)


_DISCRIMINATOR: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "non_saturating": lambda real, fake: (
        nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()
    ),
    "hinge": lambda real, fake: (
        nn.functional.relu(1 - real).mean() + nn.functional.relu(1 + fake).mean()
    ),
}
_GENERATOR: dict[str, Callable[[Tensor], Tensor]] = {
    "non_saturating": lambda fake: nn.functional.softplus(-fake).mean(),
    "hinge": lambda fake: -fake.mean(),
}


def _pick(table: dict[str, Callable[..., Tensor]], kind: str) -> Callable[..., Tensor]:
    if kind not in table:
        raise ValueError(f"models.gan: loss must be one of {LOSSES}, got {kind!r}")
    return table[kind]


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, *, decay: float) -> None:
    """Move an averaged network towards the current one: ``a ← decay·a + (1 - decay)·c``.

    Buffers are averaged too: batch statistics of the current weights do not fit averaged ones.
    Integer buffers (counters) are copied.
    """
    for mean, value in zip(
        average.state_dict().values(), current.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def _double(before: int, after: int, *, bias: bool = False) -> nn.ConvTranspose2d:
    # Kernel 4 is a multiple of stride 2: every pixel is reached equally often.
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias)


def _initialise(module: nn.Module) -> None:
    # Radford et al. 2016, section 4: all weights from N(0, 0.02²).
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=0.02)
