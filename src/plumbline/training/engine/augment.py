"""Random changes of images, each a function of (seed, epoch, sample) alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor
from torch.nn import functional

from plumbline.params.regularisation import Augmentation

Words = npt.NDArray[np.uint64]

_CACHED = 2**18  # pixels of all channels that a processor's cache holds at each step
# Of SplitMix64; see `uniform`.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


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
    Pixels from outside the image are 0. Draws are uniform. Where images are neither rotated nor
    scaled and ``shift`` is a whole number, shifts are by whole pixels, without interpolation, as in
    the crop of a padded image.
    """

    def __init__(
        self, *, shift: float, rotate: float, scale: float, mirror: bool, seed: int
    ) -> None:
        self.shift, self.rotate, self.scale, self.seed = shift, rotate, scale, seed
        self.mirror = mirror

    def __call__(self, images: Tensor, samples: Tensor, epoch: int) -> Tensor:
        """Bytes ``(N, C, H, W)`` and sample numbers ``(N,)`` → the same shape in 0…255.

        Floats where pixels are interpolated, otherwise the type of the input. Images may be on any
        device, the numbers are on the CPU: draws are the same everywhere, and sending so few
        numbers to a GPU does not wait for it.
        """
        if not (self.shift or self.rotate or self.scale or self.mirror):
            return images
        draws = uniform(samples, seed=self.seed, epoch=epoch, draws=5)
        if self.mirror:
            images = mirrored(images, (draws[:, 4] < 0).to(images.device))
        if not (self.rotate or self.scale) and float(self.shift).is_integer():
            reach = int(self.shift)
            steps = (((draws[:, 2:4] + 1) / 2) * (2 * reach + 1)).long() - reach
            return shifted(images, steps.to(images.device), reach=reach)
        theta = self._matrices(draws, height=images.shape[2], width=images.shape[3])
        count = len(images) if images.device.type != "cpu" else max(1, _CACHED // images[0].numel())
        parts = zip(torch.split(images, count), torch.split(theta, count), strict=True)
        return torch.cat([resampled(*part) for part in parts])

    def _matrices(self, draws: Tensor, *, height: int, width: int) -> Tensor:
        angle, size, right, down, _ = draws.unbind(1)
        angle = angle * math.radians(self.rotate)
        zoom = 1 / (1 + size * self.scale)
        # affine_grid works in units of half the image; a square pixel needs the aspect ratio.
        cos, sin, aspect = angle.cos() * zoom, angle.sin() * zoom, height / width
        cells = [
            cos, -sin * aspect, right * self.shift * 2 / width,
            sin / aspect, cos, down * self.shift * 2 / height,
        ]  # fmt: skip
        return torch.stack(cells, dim=1).view(-1, 2, 3)


def mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """Exchange left and right of the ``chosen`` ``(N,)`` of images ``(N, C, H, W)``."""
    if images.device.type != "cpu":
        return torch.where(chosen[:, None, None, None], images.flip(3), images)
    found, at = images.numpy().copy(), chosen.numpy()
    found[at] = found[at][..., ::-1]
    return torch.from_numpy(found)


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
    if images.device.type != "cpu":
        return windows_by_number(padded, steps + reach, shape=images.shape[2:])
    # NumPy copies whole rows where torch fetches single pixels: a tenth of the time.
    windows = sliding_window_view(padded.numpy(), images.shape[2:], axis=(2, 3))
    right, down = (steps + reach).numpy().T
    return torch.from_numpy(windows[np.arange(len(images)), :, down, right])


def windows_by_number(images: Tensor, corners: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Cut a window out of each image by the indices of its pixels, which is fast on a GPU.

    Parameters
    ----------
    images : Tensor
        ``(N, C, H, W)``.
    corners : Tensor
        ``(N, 2)``: pixels left of and above each window.
    shape : (int, int)
        Height and width of the windows.
    """
    height, width = shape
    samples = torch.arange(len(images), device=images.device)[:, None, None]
    below = corners[:, 1, None, None] + torch.arange(height, device=images.device)[:, None]
    across = corners[:, 0, None, None] + torch.arange(width, device=images.device)
    return images.permute(0, 2, 3, 1)[samples, below, across].permute(0, 3, 1, 2).contiguous()


def resampled(images: Tensor, theta: Tensor) -> Tensor:
    """Return images ``(N, C, H, W)`` as floats, each resampled by its map ``(N, 2, 3)``."""
    pixels = images if images.is_floating_point() else images.float()
    grid = places(theta.to(pixels), height=images.shape[2], width=images.shape[3])
    return functional.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)


def places(theta: Tensor, *, height: int, width: int) -> Tensor:
    """Return the source position of each pixel of the result.

    Parameters
    ----------
    theta : Tensor
        ``(N, 2, 3)`` affine maps between images whose edges are at -1 and 1.
    height, width : int

    Returns
    -------
    Tensor
        ``(N, H, W, 2)``: `torch.nn.functional.affine_grid` up to rounding, as a sum of a term for
        each row and one for each column instead of a matrix product for each pixel.
    """
    across = theta[:, :, 0, None] * _centres(width, theta)
    down = theta[:, :, 1, None] * _centres(height, theta) + theta[:, :, 2, None]
    return (across[:, :, None, :] + down[:, :, :, None]).permute(0, 2, 3, 1)


def _centres(count: int, like: Tensor) -> Tensor:
    centres = (2 * torch.arange(count, device=like.device) + 1) / count - 1
    return centres.to(like)


def random_affine(parameters: Augmentation, *, seed: int) -> RandomAffine:
    """Return the augmentation of a parameter block."""
    return RandomAffine(**parameters.model_dump(), seed=seed)


def uniform(samples: Tensor, *, seed: int, epoch: int, draws: int) -> Tensor:
    """Return numbers in [-1, 1) that depend on (seed, epoch, sample, draw) alone.

    Parameters
    ----------
    samples : Tensor
        ``(N,)`` sample numbers, on the CPU.
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
    numbers: Words = samples.numpy().astype(np.uint64)[:, None]
    steps: Words = np.arange(1, draws + 1, dtype=np.uint64)
    state = _mix(_mix(_stream(seed, epoch) + numbers) + steps)
    # The 24 bits of a float32 mantissa; for so few numbers NumPy takes a third of torch's time.
    found = (state >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return torch.from_numpy(found)


@lru_cache(maxsize=2)
def _stream(seed: int, epoch: int) -> Words:
    # Equal for all batches of an epoch, and half of the work of a small batch.
    first = np.array([seed + 1], dtype=np.uint64)  # arrays wrap around without a warning
    return _mix(_mix(first) + np.uint64(epoch + 1)) + np.uint64(1)


def _mix(state: Words) -> Words:
    state = state + _STEP
    state = (state ^ (state >> _SHIFTS[0])) * _FACTORS[0]
    state = (state ^ (state >> _SHIFTS[1])) * _FACTORS[1]
    return state ^ (state >> _SHIFTS[2])
