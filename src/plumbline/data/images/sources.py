"""Image sources by name: from raw files to arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.data.base.sources import SOURCES, raw_folder
from plumbline.data.images import formats
from plumbline.data.images.photographs import celeba, folder
from plumbline.data.images.raw import SQUARE, RawImages
from plumbline.data.images.stacks import BOUNDS, BY_ID, raw_arrays
from plumbline.data.pixels.moments import CHARACTER_STYLES
from plumbline.data.pixels.resize import enlarge

if TYPE_CHECKING:
    from plumbline.params.data import ImageData

Pixels = npt.NDArray[np.uint8]

DIGITS = tuple(str(digit) for digit in range(10))
FASHION = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip
CIFAR = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
# Parts of the files, classes, and measures that become attributes.
IDX_SOURCES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "mnist": (("train", "t10k"), DIGITS, CHARACTER_STYLES),
    "mnist_t10k": (("t10k",), DIGITS, CHARACTER_STYLES),
    "fashion_mnist": (("train", "t10k"), FASHION, ("brightness",)),
}
_OFFICIAL = (
    "the source's own test split; validation by SHA-256 of the sample id, stratified by class"
)


def digits(parameters: ImageData, root: Path) -> RawImages:
    """Return the handwritten digits inside scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return RawImages(
        ids=[f"digits-{row:04d}" for row in range(len(bunch.target))],
        codes=bunch.target.astype(np.int64),
        classes=DIGITS,
        images={size: enlarge(bunch.images, size=size)[:, None] for size in parameters.sizes},
        groups=pd.DataFrame(index=range(len(bunch.target))),
        measures=CHARACTER_STYLES,
        about={
            **SOURCES["digits"].about(),
            "split": "by SHA-256 of the sample id, stratified by digit" + BOUNDS,
        },
        encoding=replace(SQUARE, counts=True),
    )


def idx(parameters: ImageData, root: Path) -> RawImages:
    """Return a source of `IDX_SOURCES`; its official test part, if it has one, as test split."""
    source = parameters.source
    parts, classes, measures = IDX_SOURCES[source]
    home = raw_folder(source, root)
    pixels, codes, ids, official = [], [], [], []
    for part in parts:
        images, labels = formats.read_idx_pair(
            home / f"{part}-images-idx3-ubyte.gz",
            home / f"{part}-labels-idx1-ubyte.gz",
            classes=len(classes),
        )
        pixels.append(images[:, None])
        codes.append(labels)
        ids += [f"{part}-{row:05d}" for row in range(len(labels))]
        own = names.TEST if part == "t10k" and len(parts) > 1 else ""
        official += [own] * len(labels)
    split = _OFFICIAL if len(parts) > 1 else BY_ID
    return raw_arrays(
        parameters,
        np.concatenate(pixels),
        np.concatenate(codes),
        ids,
        official=np.array(official, dtype=object),
        classes=classes,
        measures=measures,
        about={**SOURCES[source].about(), "split": split + BOUNDS},
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
            "split": _OFFICIAL + BOUNDS,
        },
    )


LOADERS: dict[str, Callable[[ImageData, Path], RawImages]] = {
    "digits": digits,
    **dict.fromkeys(IDX_SOURCES, idx),
    "cifar10": cifar10,
    "celeba": celeba,
    "folder": folder,
}
