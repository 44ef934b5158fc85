"""Resampling of image stacks by a separable cubic kernel, as two small matrix products.

The kernel is that of R. Keys, "Cubic convolution interpolation for digital image processing"
(1981), equation 15, with a = -1/2; when an image shrinks it is widened by the ratio of the sizes,
which suppresses aliasing. For ratios that are powers of two its weights are dyadic fractions, so
results do not depend on the order in which a processor adds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

GREY_LEVELS = 16  # characters come as counts of the set pixels in blocks of 4×4


def resize(images: npt.NDArray[np.generic], size: int) -> Floats:
    """Resample square images, ``(N, H, W)`` to ``(N, size, size)``; values may overshoot."""
    source = images.astype(np.float64)
    rows = resize_matrix(source.shape[1], size)
    columns = resize_matrix(source.shape[2], size)
    resampled: Floats = np.matmul(np.matmul(rows, source), columns.T)
    return resampled


def enlarge(counts: npt.NDArray[np.float64], *, size: int) -> npt.NDArray[np.uint8]:
    """Return 8×8 counts in [0, 16] as uint8 images of full contrast, ``(N, size, size)``."""
    scaled = resize(counts, size) * (255 / GREY_LEVELS)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def resize_matrix(length: int, size: int) -> Floats:
    """Return the weights ``(size, length)`` that resample ``length`` pixels to ``size``.

    Pixels are cells, not points: the outer borders of both grids coincide. Rows sum to 1; weights
    that would fall outside go to the border pixel.
    """
    ratio = length / size
    stretch = max(ratio, 1.0)
    centres = (np.arange(size) + 0.5) * ratio - 0.5
    reach = int(np.ceil(2 * stretch)) + 1
    cells = np.floor(centres)[:, None] + np.arange(-reach, reach + 1)
    weights = _keys((cells - centres[:, None]) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((size, length))
    rows = np.repeat(np.arange(size), cells.shape[1])
    columns = np.clip(cells, 0, length - 1).astype(np.int64).ravel()
    np.add.at(matrix, (rows, columns), weights.ravel())
    return matrix


def _keys(t: Floats) -> Floats:
    t = np.abs(t)
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))
