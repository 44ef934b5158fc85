"""Random changes of images, each a function of (seed, epoch, sample) alone."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor
from torch.nn import functional

from plumbline.params.models import Augmentation


class RandomAffine:
    """Rotate, scale, shift and mirror every image by its own draw.

    Parameters
    ----------
    shift : float
        Largest shift along each axis, in pixels.
    rotate : float
        Largest angle, in degrees.
    scale : float
        Largest relative change of size, in [0, 1).
    mirror : bool
        Exchange left and right, with probability 1/2.
    seed : int

    Notes
    -----
    What comes in from outside the image is 0. Draws are uniform. Where images are neither rotated
    nor scaled, a shift of up to a whole number of pixels is one by whole pixels: nothing is
    interpolated, as when a padded image is cropped.
    """

    def __init__(
        self, *, shift: float, rotate: float, scale: float, mirror: bool, seed: int
    ) -> None:
        self.shift, self.rotate, self.scale, self.seed = shift, rotate, scale, seed
        self.mirror = mirror

    def __call__(self, images: Tensor, samples: Tensor, epoch: int) -> Tensor:
        """Bytes ``(N, C, H, W)`` and sample numbers ``(N,)`` → the same shape in 0…255.

        Floats where pixels are interpolated, the type they came in where not.
        """
        if not (self.shift or self.rotate or self.scale or self.mirror):
            return images
        draws = uniform(samples, seed=self.seed, epoch=epoch, draws=5)
        if self.mirror:
            images = mirrored(images, draws[:, 4] < 0)
        if not (self.rotate or self.scale) and float(self.shift).is_integer():
            reach = int(self.shift)
            steps = (((draws[:, 2:4] + 1) / 2) * (2 * reach + 1)).long() - reach
            return shifted(images, steps, reach=reach)
        pixels = images if images.is_floating_point() else images.float()
        height, width = images.shape[2:]
        theta = self._matrices(draws, height=height, width=width)
        grid = places(theta.to(pixels), height=height, width=width)
        return functional.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)

    def _matrices(self, draws: Tensor, *, height: int, width: int) -> Tensor:
        angle, size, right, down, _ = draws.unbind(1)
        angle = angle * math.radians(self.rotate)
        zoom = 1 / (1 + size * self.scale)
        # affine_grid works in units of half the image; a square pixel needs the aspect ratio.
        cos, sin, aspect = angle.cos() * zoom, angle.sin() * zoom, height / width
        rows = [
            torch.stack([cos, -sin * aspect, right * self.shift * 2 / width], dim=1),
            torch.stack([sin / aspect, cos, down * self.shift * 2 / height], dim=1),
        ]
        return torch.stack(rows, dim=1)


def mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """Exchange left and right of the ``chosen`` ``(N,)`` of images ``(N, C, H, W)``."""
    found, at = images.cpu().numpy().copy(), chosen.cpu().numpy()
    found[at] = found[at][..., ::-1]
    return torch.from_numpy(found).to(images.device)


def shifted(images: Tensor, steps: Tensor, *, reach: int) -> Tensor:
    """Take each pixel from ``steps`` ``(N, 2)`` pixels to the right and below, 0 from outside.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)``.
    steps : Tensor
        ``(N, 2)`` whole numbers in -reach…reach.
    reach : int
    """
    if reach == 0:
        return images
    padded = functional.pad(images, (reach, reach, reach, reach))
    # NumPy copies row by row what torch fetches pixel by pixel, in a tenth of the time.
    windows = sliding_window_view(padded.cpu().numpy(), images.shape[2:], axis=(2, 3))
    right, down = (steps + reach).cpu().numpy().T
    return torch.from_numpy(windows[np.arange(len(images)), :, down, right]).to(images.device)


def places(theta: Tensor, *, height: int, width: int) -> Tensor:
    """Return where each pixel of the result is taken from.

    Parameters
    ----------
    theta : Tensor
        ``(N, 2, 3)`` affine maps between images whose edges are at -1 and 1.
    height, width : int

    Returns
    -------
    Tensor
        ``(N, H, W, 2)``: within rounding `torch.nn.functional.affine_grid`, as a sum of a part for
        each row and one for each column, where that multiplies a matrix for every pixel.
    """
    across = theta[:, :, 0, None] * _centres(width).to(theta)
    down = theta[:, :, 1, None] * _centres(height).to(theta) + theta[:, :, 2, None]
    return (across[:, :, None, :] + down[:, :, :, None]).permute(0, 2, 3, 1)


def _centres(count: int) -> Tensor:
    return (2 * torch.arange(count) + 1) / count - 1


def random_affine(parameters: Augmentation, *, seed: int) -> RandomAffine:
    """Return the augmentation of a parameter block."""
    return RandomAffine(**parameters.model_dump(), seed=seed)


def uniform(samples: Tensor, *, seed: int, epoch: int, draws: int) -> Tensor:
    """Return numbers in [-1, 1) that depend on (seed, epoch, sample, draw) and nothing else.

    Parameters
    ----------
    samples : Tensor
        ``(N,)`` sample numbers.
    seed, epoch, draws : int

    Returns
    -------
    Tensor
        ``(N, draws)`` float32.

    Notes
    -----
    A counter-based generator: the state is mixed by the finaliser of SplitMix64 ("Fast splittable
    pseudorandom number generators", Steele, Lea and Flood 2014, figure 16, constants of Stafford's
    variant 13) for each number that is added to it.
    """
    state = _mix(_stream(seed, epoch) + samples[:, None].cpu())
    state = _mix(state + torch.arange(1, draws + 1))
    bits = _shift_right(state, 40)  # 24 bits, all that a float32 mantissa holds
    return (bits.double() / 2**23 - 1).float().to(samples.device)


@lru_cache(maxsize=2)
def _stream(seed: int, epoch: int) -> Tensor:
    # The same for every batch of an epoch, and half of the work on a small one.
    return _mix(_mix(torch.tensor(_signed(seed + 1))) + epoch + 1) + 1


def _mix(state: Tensor) -> Tensor:
    # int64 arithmetic wraps, so signed numbers stand for the unsigned ones of the paper.
    state = state + _signed(0x9E3779B97F4A7C15)
    state = (state ^ _shift_right(state, 30)) * _signed(0xBF58476D1CE4E5B9)
    state = (state ^ _shift_right(state, 27)) * _signed(0x94D049BB133111EB)
    return state ^ _shift_right(state, 31)


def _shift_right(state: Tensor, places: int) -> Tensor:
    return (state >> places) & ((1 << (64 - places)) - 1)


def _signed(number: int) -> int:
    wrapped = number & (2**64 - 1)
    return wrapped - 2**64 if wrapped >= 2**63 else wrapped
