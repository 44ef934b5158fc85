"""Corrupt pictures: pure functions of bytes, at severities 1 to 5.

After Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (ICLR 2019), https://arxiv.org/abs/1903.12261, with lengths in shares of the side.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

SEVERITIES = (1, 2, 3, 4, 5)
_NOISE = (0.04, 0.08, 0.12, 0.18, 0.26)  # standard deviation, of the range of pixels
_BLUR = (0.01, 0.02, 0.03, 0.045, 0.06)  # standard deviation, of the side
_JPEG = (25, 18, 12, 8, 5)  # quality
_SHIFT = (0.03, 0.06, 0.1, 0.14, 0.2)  # of the side
_CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)  # what is left


def corrupt(images: Pixels, name: str, severity: int, *, seed: int) -> Pixels:
    """Return corrupted pictures.

    Parameters
    ----------
    images : array of uint8, ``(N, C, H, W)``
        ``C`` is 1 or 3.
    name : {'noise', 'blur', 'jpeg', 'shift', 'contrast'}
        Gaussian noise, Gaussian blur, JPEG, a shift in a random direction with black borders, or
        less contrast around the mean of the picture.
    severity : int
        1 to 5.
    seed : int
        Of noise and directions: the same for every severity.

    Raises
    ------
    ValueError
        If there is no such corruption or severity.
    """
    if name not in CORRUPTIONS or severity not in SEVERITIES:
        raise ValueError(
            f"corruptions: name must be one of {', '.join(CORRUPTIONS)} and severity 1 to 5, got "
            f"{name!r} and {severity}"
        )
    function, strengths = CORRUPTIONS[name]
    return function(images, strengths[severity - 1], np.random.default_rng(seed))


def _noise(images: Pixels, scale: float, rng: np.random.Generator) -> Pixels:
    return _bytes(images + 255 * scale * rng.standard_normal(images.shape, dtype=np.float32))


def _blur(images: Pixels, scale: float, rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import gaussian_filter

    width = scale * images.shape[-1]
    return _bytes(gaussian_filter(images.astype(np.float32), (0, 0, width, width), mode="nearest"))


def _jpeg(images: Pixels, quality: float, rng: np.random.Generator) -> Pixels:
    from PIL import Image

    found = []
    for image in images:
        plain, sink = image.transpose(1, 2, 0), io.BytesIO()
        Image.fromarray(plain[..., 0] if len(image) == 1 else plain).save(
            sink, format="JPEG", quality=int(quality)
        )
        back = np.asarray(Image.open(sink))
        found.append(back[None] if back.ndim == 2 else back.transpose(2, 0, 1))
    return np.stack(found) if found else images.copy()


def _shift(images: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    height, width = images.shape[2:]
    angles = rng.uniform(0, 2 * np.pi, len(images))
    found = np.zeros_like(images)
    for place, (image, angle) in enumerate(zip(images, angles, strict=True)):
        down, right = (round(share * width * float(of(angle))) for of in (np.sin, np.cos))
        rows, columns = (
            slice(max(0, by), n + min(0, by)) for by, n in ((down, height), (right, width))
        )
        from_rows, from_columns = (
            slice(max(0, -by), n - max(0, by)) for by, n in ((down, height), (right, width))
        )
        found[place, :, rows, columns] = image[:, from_rows, from_columns]
    return found


def _contrast(images: Pixels, left: float, rng: np.random.Generator) -> Pixels:
    mean = images.mean((1, 2, 3), keepdims=True, dtype=np.float64)
    return _bytes(mean + left * (images - mean))


def _bytes(values: npt.NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded


Corruption = Callable[[Pixels, float, np.random.Generator], Pixels]
CORRUPTIONS: dict[str, tuple[Corruption, tuple[float, ...]]] = {
    "noise": (_noise, _NOISE),
    "blur": (_blur, _BLUR),
    "jpeg": (_jpeg, _JPEG),
    "shift": (_shift, _SHIFT),
    "contrast": (_contrast, _CONTRAST),
}
