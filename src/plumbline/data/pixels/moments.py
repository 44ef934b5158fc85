"""Style measures of images: brightness, and the thickness and slant of characters.

The same functions measure real and generated images, so that the images of a generator can be
audited by their style. Ink is light on a dark background; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.data.base.prepared import check_images

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.uint8]

THICKNESS_GROUPS = ("thin", "medium", "thick")
SLANT_GROUPS = ("left", "upright", "right")
BRIGHTNESS_GROUPS = ("dark", "medium", "light")
UNDEFINED = "undefined"  # the group of an image without ink, or all of it in one row


@dataclass(frozen=True)
class Moments:
    """Moments of the ink of N images, each ``(N,)``, in pixels; NaN where there is no ink.

    ``mass`` is the sum of the values, ``x, y`` the centre, ``mu20, mu11, mu02`` the central second
    moments divided by the mass.
    """

    mass: Floats
    x: Floats
    y: Floats
    mu20: Floats
    mu11: Floats
    mu02: Floats


def image_moments(images: Images) -> Moments:
    """Return the moments of each image, ``(N, H, W)``.

    M.-K. Hu, "Visual pattern recognition by moment invariants" (1962), section II.

    Raises
    ------
    DataError
        If the images are not uint8 of this shape.
    """
    check_images(images, where="image_moments")
    ink = images.astype(np.float64)
    across, down = ink.sum(axis=1), ink.sum(axis=2)  # (N, W), (N, H)
    columns, rows = np.arange(ink.shape[2]), np.arange(ink.shape[1])
    mass = across.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = across @ columns / mass, down @ rows / mass
        mu20 = across @ columns**2 / mass - x**2
        mu02 = down @ rows**2 / mass - y**2
        mu11 = np.einsum("nhw,h,w->n", ink, rows, columns) / mass - x * y
    return Moments(mass=mass, x=x, y=y, mu20=mu20, mu11=mu11, mu02=mu02)


def slant(images: Images) -> Floats:
    """Return the slant of each image, ``(N,)``: pixels to the right per pixel upwards.

    It is the slope of the regression of x on height, ``-mu11 / mu02``: a sheared character has the
    slant of its shear. NaN where there is no ink or it is in one row only.
    """
    moments = image_moments(images)
    spread = np.where(moments.mu02 > 1e-9, moments.mu02, np.nan)
    return -moments.mu11 / spread


def thickness(images: Images) -> Floats:
    """Return the mean stroke width of each image in pixels, ``(N,)``; NaN where there is no ink.

    Twice the area of the ink over the length of its outline, which for a long bar is its width.
    The outline's length is the total variation of the image (coarea formula), so neither grey
    borders nor the overall brightness count.
    """
    check_images(images, where="thickness")
    ink = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    right = np.diff(ink, axis=2)[:, :-1, :]
    down = np.diff(ink, axis=1)[:, :, :-1]
    outline = np.sqrt(right**2 + down**2).sum(axis=(1, 2))
    width: Floats = 2 * ink.sum(axis=(1, 2)) / np.where(outline > 0, outline, np.nan)
    return width


def brightness(images: Images) -> Floats:
    """Return the mean grey level of each image, ``(N,)``, in [0, 255]."""
    check_images(images, where="brightness")
    mean: Floats = images.mean(axis=(1, 2), dtype=np.float64)
    return mean


# Each measure and the names of its three groups.
MEASURES: dict[str, tuple[Callable[[Images], Floats], tuple[str, str, str]]] = {
    "thickness": (thickness, THICKNESS_GROUPS),
    "slant": (slant, SLANT_GROUPS),
    "brightness": (brightness, BRIGHTNESS_GROUPS),
}
CHARACTER_STYLES = ("thickness", "slant")  # of light ink on a dark background only


def style_thresholds(
    images: Images, measures: Sequence[str] = CHARACTER_STYLES
) -> dict[str, list[float]]:
    """Return the tertiles of each measure over images, the bounds of `measure_styles`."""
    return {
        name: [float(f"{q:.6g}") for q in np.nanquantile(MEASURES[name][0](images), [1 / 3, 2 / 3])]
        for name in measures
    }


def measure_styles(images: Images, thresholds: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Return the style groups of each image.

    Parameters
    ----------
    images : array of uint8, (N, H, W)
    thresholds : mapping
        ``{"thickness": [a, b], "slant": [a, b]}`` for this image size, from ``schema.json``
        (``about["thresholds"][str(size)]``). A value below a is in the first group, one below b in
        the second, any other in the third.

    Returns
    -------
    DataFrame
        A string column per measure, in the order of `MEASURES`, with one of its three groups;
        ``undefined`` where the image has no such measure, as one without ink has no slant.
    """
    import pandas as pd

    return pd.DataFrame(
        {
            name: _group(measure(images), thresholds[name], groups)
            for name, (measure, groups) in MEASURES.items()
            if name in thresholds
        }
    )


def _group(values: Floats, bounds: Sequence[float], groups: Sequence[str]) -> npt.NDArray[Any]:
    codes = np.searchsorted(np.asarray(bounds, dtype=np.float64), values, side="right")
    named = np.array(groups, dtype=object)[np.minimum(codes, len(groups) - 1)]
    return np.where(np.isnan(values), UNDEFINED, named)
