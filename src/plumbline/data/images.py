"""Handwritten digits as images of several sizes, with the style of each as its groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import DatasetSchema
from plumbline.data.moments import SLANT_GROUPS, THICKNESS_GROUPS, measure_styles, style_thresholds
from plumbline.data.prepared import PreparedData
from plumbline.data.resize import resize
from plumbline.data.sources import SOURCES
from plumbline.data.splits import assign_splits, choose_labelled
from plumbline.errors import DataError
from plumbline.params import ImageData

GREY_LEVELS = 16  # the digits count the set pixels in blocks of 4×4

ABOUT: dict[str, Any] = {
    **SOURCES["digits"].about(),
    "description": (
        "1,797 digits written by people for the 1998 study, scanned as 32×32 bitmaps and reduced "
        "to 8×8 by counting the set pixels in blocks of 4×4 (0 to 16). Here they are enlarged by a "
        "cubic kernel to the sizes used and scaled so that 16 becomes 255."
    ),
    "not_known": (
        "Who wrote a digit: the file that ships inside scikit-learn holds no writer, so digits of "
        "one writer are in several splits, and nothing is known about the writers themselves (the "
        "study had 13 for this part). The groups describe how a digit looks, not a person."
    ),
    "split": (
        "by SHA-256 of the sample id, stratified by digit; the attributes' bounds are the tertiles "
        "of the training split"
    ),
}


def prepare_images(parameters: ImageData) -> PreparedData:
    """Prepare the digits.

    Returns
    -------
    PreparedData
        ``about["thresholds"][size]`` holds the bounds of `measure_styles` for each size; the
        groups in the table are measured at the first size, ``about["measured_at"]``.

    Raises
    ------
    DataError
        If a class or group is missing from a split, or there are too few labels.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return images_from_arrays(bunch.images, bunch.target, parameters=parameters)


def images_from_arrays(
    pixels: npt.NDArray[np.float64], digits: npt.NDArray[np.int64], *, parameters: ImageData
) -> PreparedData:
    """Prepare digits ``(N, 8, 8)`` with values in [0, 16]; see `prepare_images`."""
    import pandas as pd

    _check_digits(pixels, digits)
    ids = [f"digits-{row:04d}" for row in range(len(digits))]
    splits = assign_splits(
        ids,
        strata=digits.tolist(),
        val_fraction=parameters.val_fraction,
        test_fraction=parameters.test_fraction,
        salt=parameters.source,
    )
    labelled = choose_labelled(
        ids,
        classes=digits.tolist(),
        splits=list(splits),
        per_class=parameters.labels_per_class,
        salt=f"{parameters.source}/labelled",
    )
    stacks = {size: enlarge(pixels, size=size) for size in parameters.sizes}
    train = splits == names.TRAIN
    thresholds = {str(size): style_thresholds(stack[train]) for size, stack in stacks.items()}
    first = parameters.sizes[0]
    styles = measure_styles(stacks[first], thresholds[str(first)])
    table = pd.DataFrame({"sample_id": ids, "split": splits, "y": digits.astype(np.int64)})
    table = table.assign(labelled=labelled, thickness=styles["thickness"], slant=styles["slant"])
    schema = DatasetSchema(
        dataset=names.IMAGES,
        source=parameters.source,
        task="multiclass",
        classes=tuple(str(digit) for digit in range(10)),
        attributes=("thickness", "slant"),
        about={
            **ABOUT,
            "attributes": _attribute_notes(first),
            "thresholds": thresholds,
            "measured_at": first,
            "labels_per_class": parameters.labels_per_class,
        },
    )
    images = {size: stack[:, None] for size, stack in stacks.items()}
    return PreparedData(schema=schema, table=table, images=images)


def enlarge(pixels: npt.NDArray[np.float64], *, size: int) -> npt.NDArray[np.uint8]:
    """Return 8×8 counts in [0, 16] as uint8 images of full contrast, ``(N, size, size)``."""
    scaled = resize(pixels, size) * (255 / GREY_LEVELS)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _check_digits(pixels: npt.NDArray[Any], digits: npt.NDArray[Any]) -> None:
    if pixels.ndim != 3 or pixels.shape != (len(digits), 8, 8):
        raise DataError(
            f"digits: images must be of shape ({len(digits)}, 8, 8), got {pixels.shape}"
        )
    # The comparison is written so that NaN fails it.
    wrong = int((~((pixels >= 0) & (pixels <= GREY_LEVELS))).any(axis=(1, 2)).sum())
    if wrong:
        raise DataError(
            f"digits: pixels must be in 0…{GREY_LEVELS}, got other values in {wrong} images"
        )


def _attribute_notes(size: int) -> dict[str, str]:
    return {
        "thickness": (
            f"Mean stroke width of the {size}×{size} image, twice the ink's area over the length "
            f"of its outline; {', '.join(THICKNESS_GROUPS)} are the thirds of the training split."
        ),
        "slant": (
            f"Slope of the ink from the second moments of the {size}×{size} image (-mu11/mu02, "
            f"positive to the right); {', '.join(SLANT_GROUPS)} are the thirds of the training "
            "split, so that upright means the middle third. The slope also holds the digit's own "
            "shape: nearly every 6 is in the left group and nearly every 7 in the right one, so a "
            "gap between slants is partly a gap between digits."
        ),
    }
