"""Noise on training rows and mixtures of them, each a function of (seed, epoch, sample) alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy.special import betaincinv, ndtri
from torch import Tensor

from plumbline.compat import torchvision
from plumbline.params.regularisation import Regularisation
from plumbline.training.engine.augment import uniform
from plumbline.training.engine.loaders import Partners, Transform

_NOISE, _MIXUP, _CUTMIX, _OPERATIONS = (
    1,
    2,
    3,
    4,
)  # streams of random numbers of a seed; augmentation has its own


class Perturbations(NamedTuple):
    """What changes training batches; see `plumbline.training.engine.loaders.MemoryBatches`."""

    transform: Transform | None
    mixup: Partners | None


class InputNoise:
    """Add independent normal noise to every number of the inputs.

    Parameters
    ----------
    scale : Tensor
        Standard deviations, of a shape that broadcasts against ``(N, …)`` inputs.
    seed : int

    Notes
    -----
    The noise of bytes is not rounded, and may leave 0…255.
    """

    def __init__(self, scale: Tensor, *, seed: int) -> None:
        self.scale, self._seed = scale, _stream(seed, _NOISE)

    def __call__(self, inputs: Tensor, samples: Tensor, epoch: int) -> Tensor:
        """Return inputs ``(N, …)`` with noise; sample numbers ``(N,)`` are on the CPU."""
        draws = normal(samples, seed=self._seed, epoch=epoch, draws=inputs[0].numel())
        return inputs + (draws.view(inputs.shape) * self.scale).to(inputs.device)


class RandAugment:
    """Apply random operations of timm to bytes ("RandAugment", Cubuk et al. 2020).

    timm draws from the generators of Python and NumPy: they are seeded for every sample, and are
    afterwards as they were. Pixels from outside the image are 0.

    Parameters
    ----------
    config : str
        timm's: ``rand-m9-n2-mstd0.5`` has two operations of magnitude 9.
    seed : int
    """

    def __init__(self, config: str, *, seed: int) -> None:
        torchvision.install()
        from timm.data.auto_augment import rand_augment_transform

        self._change = rand_augment_transform(config, {"img_mean": (0, 0, 0)})
        self._seed = _stream(seed, _OPERATIONS)

    def __call__(self, images: Tensor, samples: Tensor, epoch: int) -> Tensor:
        """Bytes ``(N, C, H, W)``, of one or three channels, and sample numbers → the same shape."""
        draws = _probability(uniform(samples, seed=self._seed, epoch=epoch, draws=1))[:, 0]
        states: Any = random.getstate(), np.random.get_state()
        try:
            found = [
                self._changed(image, int(draw * 2**32))
                for image, draw in zip(images.cpu().numpy(), draws, strict=True)
            ]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
        return torch.from_numpy(np.stack(found)).to(images.device)

    def _changed(self, image: Any, seed: int) -> Any:
        random.seed(seed)
        np.random.seed(seed)
        colour = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
        changed = np.asarray(self._change(Image.fromarray(np.ascontiguousarray(colour))))
        return changed.transpose(2, 0, 1)[: len(image)]


class Mixup:
    """Draw a partner and a share for each sample ("mixup", Zhang et al. 2018, equation 1).

    Partners are drawn from all training samples, not from the batch, so that a mixture does not
    depend on how samples are divided into batches.

    Parameters
    ----------
    alpha : float
        Shares have the distribution Beta(alpha, alpha).
    samples : int
        Number of training samples.
    seed : int
    """

    def __init__(self, alpha: float, *, samples: int, seed: int) -> None:
        self.alpha, self.samples, self._seed = alpha, samples, _stream(seed, _MIXUP)

    def __call__(self, samples: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Return partners ``(N,)`` and the shares ``(N,)`` of the samples themselves, in (0, 1)."""
        draws = uniform(samples, seed=self._seed, epoch=epoch, draws=2)
        place, share = _probability(draws).T
        partners = torch.from_numpy((place * self.samples).astype(np.int64))
        found = betaincinv(self.alpha, self.alpha, share).astype(np.float32)
        return partners, torch.from_numpy(found)


class CutMix:
    """Draw a partner and a rectangle for each sample ("CutMix", Yun et al. 2019, equation 2).

    The rectangle, which comes from the partner, has the shape of the image, a centre anywhere, and
    is cut off at the edges; the share of the sample is that of the pixels that are left of it.

    Parameters
    ----------
    alpha : float
        Shares have the distribution Beta(alpha, alpha) before rectangles are cut off.
    samples : int
        Number of training samples.
    size : (int, int)
        Height and width of the images.
    seed : int
    """

    def __init__(self, alpha: float, *, samples: int, size: tuple[int, int], seed: int) -> None:
        self.alpha, self.samples, self.size = alpha, samples, size
        self._seed = _stream(seed, _CUTMIX)

    def __call__(self, samples: Tensor, epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return partners ``(N,)``, shares ``(N,)`` and kept pixels ``(N, 1, H, W)``, 0 or 1."""
        draws = uniform(samples, seed=self._seed, epoch=epoch, draws=4)
        place, share, *centres = _probability(draws).T
        partners = torch.from_numpy((place * self.samples).astype(np.int64))
        side = np.sqrt(1 - betaincinv(self.alpha, self.alpha, share))
        inside = [
            _within(np.floor(centre * pixels), np.floor(side * pixels), pixels)
            for centre, pixels in zip(centres, self.size, strict=True)
        ]
        cut = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        kept = torch.from_numpy((~cut).astype(np.float32))
        return partners, kept.mean(dim=(1, 2, 3)), kept


def _within(centres: Any, lengths: Any, pixels: int) -> Any:
    places = np.arange(pixels) - centres[:, None]
    return (places >= -(lengths // 2)[:, None]) & (places < ((lengths + 1) // 2)[:, None])


def perturbations(
    how: Regularisation,
    inputs: Tensor,
    *,
    seed: int,
    scale: Tensor | None = None,
    augment: Transform | None = None,
) -> Perturbations:
    """Return what changes training batches, None where it is off.

    Parameters
    ----------
    how : Regularisation
    inputs : Tensor
        ``(N, …)``, of the training rows.
    seed : int
    scale : Tensor, optional
        Standard deviation of each feature; by default that of the columns of the inputs.
    augment : callable, optional
        Comes before the noise.
    """
    steps = [] if augment is None else [augment]
    if how.input_noise:
        own = inputs.double().std(dim=0, correction=0).float() if scale is None else scale
        steps.append(InputNoise(how.input_noise * own, seed=seed))
    mixup = Mixup(how.mixup, samples=len(inputs), seed=seed) if how.mixup else None
    return Perturbations(in_turn(steps) if steps else None, mixup)


def in_turn(steps: Sequence[Transform]) -> Transform:
    """Return one transform that applies several, the first one first."""

    def change(inputs: Tensor, samples: Tensor, epoch: int) -> Tensor:
        for step in steps:
            inputs = step(inputs, samples, epoch)
        return inputs

    return change


def normal(samples: Tensor, *, seed: int, epoch: int, draws: int) -> Tensor:
    """Return standard normal numbers ``(N, draws)``; see `uniform`."""
    found = ndtri(_probability(uniform(samples, seed=seed, epoch=epoch, draws=draws)))
    return torch.from_numpy(found.astype(np.float32))


def _probability(draws: Tensor) -> Any:
    # In the middle of each of the 2^24 intervals: never 0 or 1. In double precision, so that the
    # results are the same in single precision whatever the processor's last bit.
    return (draws.double().numpy() + 1) / 2 + 2.0**-25


def _stream(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
