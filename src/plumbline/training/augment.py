"""Random affine changes of images, each a function of (seed, epoch, sample) alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from plumbline.params import Augmentation


class RandomAffine:
    """Rotate, scale and shift every image by its own draw.

    Parameters
    ----------
    shift : float
        Largest shift along each axis, in pixels.
    rotate : float
        Largest angle, in degrees.
    scale : float
        Largest relative change of size, in [0, 1).
    seed : int

    Notes
    -----
    What comes in from outside the image is 0. Draws are uniform.
    """

    def __init__(self, *, shift: float, rotate: float, scale: float, seed: int) -> None:
        self.shift, self.rotate, self.scale, self.seed = shift, rotate, scale, seed

    def __call__(self, images: Tensor, samples: Tensor, epoch: int) -> Tensor:
        """Bytes ``(N, C, H, W)`` and sample numbers ``(N,)`` → floats in 0…255, same shape."""
        pixels = images if images.is_floating_point() else images.float()
        if self.shift == self.rotate == self.scale == 0:
            return pixels
        theta = self._matrices(samples, epoch, height=images.shape[2], width=images.shape[3])
        grid = functional.affine_grid(theta.to(pixels), list(images.shape), align_corners=False)
        return functional.grid_sample(pixels, grid, padding_mode="zeros", align_corners=False)

    def _matrices(self, samples: Tensor, epoch: int, *, height: int, width: int) -> Tensor:
        angle, size, right, down = uniform(samples, seed=self.seed, epoch=epoch, draws=4).unbind(1)
        angle = angle * math.radians(self.rotate)
        zoom = 1 / (1 + size * self.scale)
        # affine_grid works in units of half the image; a square pixel needs the aspect ratio.
        cos, sin, aspect = angle.cos() * zoom, angle.sin() * zoom, height / width
        rows = [
            torch.stack([cos, -sin * aspect, right * self.shift * 2 / width], dim=1),
            torch.stack([sin / aspect, cos, down * self.shift * 2 / height], dim=1),
        ]
        return torch.stack(rows, dim=1)


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
    state = torch.zeros(len(samples), draws, dtype=torch.int64)
    draw = torch.arange(draws, dtype=torch.int64)
    for part in (torch.tensor(_signed(seed)), torch.tensor(epoch), samples[:, None].cpu(), draw):
        state = _mix(state + part + 1)
    bits = _shift_right(state, 40)  # 24 bits, all that a float32 mantissa holds
    return (bits.double() / 2**23 - 1).float().to(samples.device)


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
