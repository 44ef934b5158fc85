"""The image sources by name: what their raw files become, and what is not known about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.data.base.sources import SOURCES, raw_folder
from plumbline.data.images import formats
from plumbline.data.images.photographs import celeba, folder
from plumbline.data.images.raw import RawImages
from plumbline.data.images.stacks import BOUNDS, BY_ID, raw_arrays
from plumbline.data.pixels.moments import CHARACTER_STYLES
from plumbline.data.pixels.resize import GREY_LEVELS, enlarge
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import ImageData

Pixels = npt.NDArray[np.uint8]

FASHION = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip
CIFAR = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_OFFICIAL = (
    "the source's own test split; validation by SHA-256 of the sample id, stratified by class"
)


def digits(parameters: ImageData, root: Path) -> RawImages:
    """Return the handwritten digits inside scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return raw_digits(bunch.images, bunch.target, parameters=parameters)


def raw_digits(
    pixels: npt.NDArray[np.float64], codes: npt.NDArray[np.int64], *, parameters: ImageData
) -> RawImages:
    """Return digits ``(N, 8, 8)`` with values in [0, 16] at the sizes used.

    Raises
    ------
    DataError
        If they are of another shape or range.
    """
    _check_digits(pixels, codes)
    return RawImages(
        ids=[f"digits-{row:04d}" for row in range(len(codes))],
        codes=codes.astype(np.int64),
        classes=tuple(str(digit) for digit in range(10)),
        images={size: enlarge(pixels, size=size)[:, None] for size in parameters.sizes},
        groups=pd.DataFrame(index=range(len(codes))),
        measures=CHARACTER_STYLES,
        about={
            **SOURCES["digits"].about(),
            "description": (
                "1,797 digits written by people for the 1998 study, scanned as 32×32 bitmaps and "
                "reduced to 8×8 by counting the set pixels in blocks of 4×4 (0 to 16). Here they "
                "are enlarged by a cubic kernel to the sizes used and scaled so that 16 becomes "
                "255."
            ),
            "not_known": (
                "Who wrote a digit: the file that ships inside scikit-learn holds no writer, so "
                "digits of one writer are in several splits, and nothing is known about the "
                "writers themselves (the study had 13 for this part). The groups describe how a "
                "digit looks, not a person."
            ),
            "split": "by SHA-256 of the sample id, stratified by digit" + BOUNDS,
        },
    )


def mnist(parameters: ImageData, root: Path) -> RawImages:
    """Return MNIST's 70,000 handwritten digits, the test part as test split."""
    return _idx(
        parameters,
        root,
        parts=("train", "t10k"),
        classes=tuple(str(digit) for digit in range(10)),
        measures=CHARACTER_STYLES,
        about={
            "description": (
                "70,000 handwritten digits of 28×28 grey levels, normalised in size and centred by "
                "the publishers; writers of the training and the test part are different people."
            ),
            "not_known": (
                "Who wrote a digit: the files name no writer, so digits of one writer are in "
                "training and validation. Half of the writers were employees of the Census Bureau, "
                "half students; the files do not say which. The groups describe how a digit looks, "
                "not a person."
            ),
        },
    )


def mnist_t10k(parameters: ImageData, root: Path) -> RawImages:
    """Return the 10,000 test digits of MNIST alone, split anew."""
    return _idx(
        parameters,
        root,
        parts=("t10k",),
        classes=tuple(str(digit) for digit in range(10)),
        measures=CHARACTER_STYLES,
        about={
            "description": (
                "The 10,000 handwritten digits of MNIST's test part, 28×28 grey levels, split "
                "anew: figures on it are not figures on MNIST."
            ),
            "not_known": (
                "Who wrote a digit: the files name no writer, so digits of one writer are in "
                "several splits. The groups describe how a digit looks, not a person."
            ),
        },
    )


def fashion_mnist(parameters: ImageData, root: Path) -> RawImages:
    """Return Fashion-MNIST's 70,000 pictures of clothes, the test part as test split."""
    return _idx(
        parameters,
        root,
        parts=("train", "t10k"),
        classes=FASHION,
        measures=("brightness",),
        about={
            "description": (
                "70,000 pictures of articles of a shop, 28×28 grey levels, light on a dark ground."
            ),
            "not_known": ("Which pictures show one article; for whom the articles were made."),
        },
    )


def cifar10(parameters: ImageData, root: Path) -> RawImages:
    """Return CIFAR-10's 60,000 small photographs, the test batch as test split."""
    folder = raw_folder("cifar10", root)
    files = [(f"data_batch_{i}.bin", "") for i in range(1, 6)] + [("test_batch.bin", names.TEST)]
    pixels, codes, ids, official = [], [], [], []
    for name, split in files:
        images, labels = formats.read_cifar(folder / name, classes=len(CIFAR))
        pixels.append(images)
        codes.append(labels)
        ids += [f"{name.removesuffix('.bin')}-{row:05d}" for row in range(len(labels))]
        official += [split] * len(labels)
    return raw_arrays(
        parameters,
        np.concatenate(pixels),
        np.concatenate(codes),
        ids,
        official=np.array(official, dtype=object),
        classes=CIFAR,
        measures=("brightness",),
        about={
            **SOURCES["cifar10"].about(),
            "description": "60,000 photographs of 32×32 RGB pixels in ten classes.",
            "not_known": (
                "Who took the photographs, where and when, and which show one object; near "
                "duplicates between training and test have been reported by others."
            ),
            "split": _OFFICIAL + BOUNDS,
        },
    )


LOADERS: dict[str, Callable[[ImageData, Path], RawImages]] = {
    "digits": digits,
    "mnist": mnist,
    "mnist_t10k": mnist_t10k,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "celeba": celeba,
    "folder": folder,
}


def _idx(
    parameters: ImageData,
    root: Path,
    *,
    parts: Sequence[str],
    classes: tuple[str, ...],
    measures: tuple[str, ...],
    about: dict[str, Any],
) -> RawImages:
    source = parameters.source
    home = raw_folder(source, root)
    pixels, codes, ids, official = [], [], [], []
    for part in parts:
        images, labels = formats.read_idx_pair(
            _existing(home, source, f"{part}-images-idx3-ubyte.gz"),
            _existing(home, source, f"{part}-labels-idx1-ubyte.gz"),
            classes=len(classes),
        )
        pixels.append(images[:, None])
        codes.append(labels)
        ids += [f"{part}-{row:05d}" for row in range(len(labels))]
        own = names.TEST if part == "t10k" and len(parts) > 1 else ""
        official += [own] * len(labels)
    split = (_OFFICIAL if len(parts) > 1 else BY_ID) + BOUNDS
    return raw_arrays(
        parameters,
        np.concatenate(pixels),
        np.concatenate(codes),
        ids,
        official=np.array(official, dtype=object),
        classes=classes,
        measures=measures,
        about={**SOURCES[source].about(), "split": split, **about},
    )


def _existing(home: Path, source: str, name: str) -> Path:
    if not (home / name).is_file():
        raise DataError(f"{source}: raw file {name} must exist, got none; run plumbline data fetch "
                        f"{source}, or lay the file there by hand")  # fmt: skip
    return home / name


def _check_digits(pixels: npt.NDArray[Any], codes: npt.NDArray[Any]) -> None:
    if pixels.ndim != 3 or pixels.shape != (len(codes), 8, 8):
        raise DataError(f"digits: images must be of shape ({len(codes)}, 8, 8), got {pixels.shape}")
    # The comparison is written so that NaN fails it.
    wrong = int((~((pixels >= 0) & (pixels <= GREY_LEVELS))).any(axis=(1, 2)).sum())
    if wrong:
        raise DataError(
            f"digits: pixels must be in 0…{GREY_LEVELS}, got other values in {wrong} images"
        )
