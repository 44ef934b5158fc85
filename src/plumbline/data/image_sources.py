"""The image sources by name: what their raw files become, and what is not known about them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline import names
from plumbline.data import image_files
from plumbline.data.decode import Shape, decode_all, resized
from plumbline.data.folder import list_folder
from plumbline.data.images import RawImages
from plumbline.data.moments import CHARACTER_STYLES
from plumbline.data.resize import GREY_LEVELS, enlarge
from plumbline.data.sources import SOURCES, raw_folder
from plumbline.data.splits import hash_order
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params import ImageData

Pixels = npt.NDArray[np.uint8]
Stacks = dict[int, Pixels]

NAMED = 20  # broken images named in the schema and in errors
MAX_PIXELS = 2**26  # of CelebA's pictures, which are small
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
_BY_ID = "by SHA-256 of the sample id, stratified by class"
_BOUNDS = "; the attributes' bounds are the tertiles of the training split"


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
            "split": "by SHA-256 of the sample id, stratified by digit" + _BOUNDS,
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
        images, labels = image_files.read_cifar(folder / name, classes=len(CIFAR))
        pixels.append(images)
        codes.append(labels)
        ids += [f"{name.removesuffix('.bin')}-{row:05d}" for row in range(len(labels))]
        official += [split] * len(labels)
    return _arrays(
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
            "split": _OFFICIAL + _BOUNDS,
        },
    )


def celeba(parameters: ImageData, root: Path) -> RawImages:
    """Return CelebA's faces with one attribute as the label and others as groups.

    Raises
    ------
    DataError
        If an attribute does not exist, or a list or picture is unfit.
    """
    folder, chosen = raw_folder("celeba", root), parameters.celeba
    assert chosen is not None  # the parameters were checked
    table = image_files.read_celeba_attributes(folder / "list_attr_celeba.txt")
    lists = {
        name: image_files.read_celeba_pairs(folder / file).reindex(table.index)
        for name, file in (
            ("split", "list_eval_partition.txt"), ("entity", "identity_CelebA.txt"),
        )
    }  # fmt: skip
    for name in (chosen.target, *chosen.attributes):
        if name not in table:
            raise DataError(
                f"celeba: attribute must be one of {', '.join(table.columns)}, got {name!r}"
            )
    for name, values in lists.items():
        if missing := int(values.isna().sum()):
            raise DataError(f"celeba: {name} must be known of every image, got {missing} without")
    ids = _chosen(list(table.index), parameters)
    table = table.loc[ids]
    shape = Shape(parameters.sizes, mode="rgb", fit="crop", max_pixels=MAX_PIXELS)
    with zipfile.ZipFile(folder / "img_align_celeba.zip") as archive:
        pictures = (archive.read(f"img_align_celeba/{name}") for name in ids)
        stacks, broken = stack_all(pictures, ids, shape, workers=parameters.workers)
    _refuse_broken("celeba", broken, len(ids))
    split = lists["split"].loc[ids].map({0: names.TRAIN, 1: names.VAL, 2: names.TEST})
    groups = pd.DataFrame(
        {name: np.where(table[name] == 1, "yes", "no") for name in chosen.attributes}
    )
    return RawImages(
        ids=ids,
        codes=np.asarray(table[chosen.target] == 1, dtype=np.int64),
        classes=(f"not {chosen.target}", chosen.target),
        images=stacks,
        groups=groups,
        measures=("brightness",),
        entities=[str(int(number)) for number in lists["entity"].loc[ids]],
        official=split.to_numpy(dtype=object),
        about={
            **SOURCES["celeba"].about(),
            "description": (
                f"Faces of well-known people, aligned and cropped, with attributes that annotators "
                f"saw in them; here the label is {chosen.target}."
            ),
            "not_known": (
                "What the people would say about themselves: the attributes are judgements of "
                "annotators, some of them (attractive, young, male) contested, and nobody was "
                "asked for consent."
            ),
            "split": "the source's own, in which no person is in two splits" + _BOUNDS,
            "entity": "the person, by the source's list of identities",
            "attributes": {n: f"As annotators saw it: {n}." for n in chosen.attributes},
        },
    )


def folder(parameters: ImageData, root: Path) -> RawImages:
    """Return a folder of images of one's own.

    Raises
    ------
    DataError
        If the folder or its table is unfit, or pictures are broken and not to be skipped.
    """
    own = parameters.folder
    assert own is not None  # the parameters were checked
    listing = list_folder(root / own.path, own)
    wanted = set(_chosen(listing.ids, parameters))
    listing = listing.without({i for i, name in enumerate(listing.ids) if name not in wanted})
    shape = Shape(parameters.sizes, mode=own.mode, fit=own.fit, max_pixels=own.max_pixels)
    stacks, broken = stack_all(listing.paths, listing.ids, shape, workers=parameters.workers)
    if own.broken == "refuse":
        _refuse_broken("folder", broken, len(listing.ids))
    lost = {i for i, name in enumerate(listing.ids) if name in broken}
    listing = listing.without(lost)
    classes = tuple(sorted(set(listing.labels)))
    place = {name: code for code, name in enumerate(classes)}
    about: dict[str, Any] = {
        **own.about.model_dump(),
        "split": _BY_ID + (_BOUNDS if own.measured else ""),
        "attributes": dict.fromkeys(map(str, listing.groups), "From the owner's table."),
    }
    if listing.entities is not None:
        about["entity"] = f"column {own.columns.entity} of {own.table}"
        about["split"] = f"by SHA-256 of {own.columns.entity}, which is never in two splits"
    if listing.splits is not None:
        about["split"] = f"column {own.columns.split} of {own.table}; where it is empty, " + _BY_ID
    if broken:
        about["broken_images"] = len(broken)
        about["broken_image_names"] = [f"{n}: {why}" for n, why in list(broken.items())[:NAMED]]
    return RawImages(
        ids=listing.ids,
        codes=np.array([place[label] for label in listing.labels], dtype=np.int64),
        classes=classes,
        images=stacks,
        groups=listing.groups,
        measures=tuple(own.measured),
        about=about,
        entities=listing.entities,
        official=None if listing.splits is None else np.array(listing.splits, dtype=object),
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


def stack_all(
    items: Iterable[Path | bytes], ids: Sequence[str], shape: Shape, *, workers: int
) -> tuple[Stacks, dict[str, str]]:
    """Return the pictures that can be read, by size, and why the others cannot, by id."""
    channels = 1 if shape.mode == "grey" else 3
    stacks = {s: np.empty((len(ids), channels, s, s), dtype=np.uint8) for s in shape.sizes}
    broken: dict[str, str] = {}
    read = 0
    decoded: Iterator[dict[int, Pixels] | str] = decode_all(items, shape, workers=workers)
    for name, found in zip(ids, decoded, strict=True):
        if isinstance(found, str):
            broken[name] = found
            continue
        for size, pixels in found.items():
            stacks[size][read] = pixels
        read += 1
    return {size: stack[:read] for size, stack in stacks.items()}, broken


def _refuse_broken(source: str, broken: dict[str, str], total: int) -> None:
    if not broken:
        return
    shown = "; ".join(f"{name} ({why})" for name, why in list(broken.items())[:NAMED])
    rest = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    raise DataError(
        f"{source}: every image must be readable, got {len(broken)} of {total} that are not: "
        f"{shown}{rest}; mend or remove them, or set data_images.folder.broken to skip"
    )


def _chosen(ids: list[str], parameters: ImageData) -> list[str]:
    """Return at most ``max_images`` of the ids, chosen by their hash, in their order."""
    if parameters.max_images is None or len(ids) <= parameters.max_images:
        return ids
    kept = set(hash_order(ids, salt=f"{parameters.source}/chosen")[: parameters.max_images])
    return [name for name in ids if name in kept]


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
        images, labels = image_files.read_idx_pair(
            _existing(home, source, f"{part}-images-idx3-ubyte.gz"),
            _existing(home, source, f"{part}-labels-idx1-ubyte.gz"),
            classes=len(classes),
        )
        pixels.append(images[:, None])
        codes.append(labels)
        ids += [f"{part}-{row:05d}" for row in range(len(labels))]
        own = names.TEST if part == "t10k" and len(parts) > 1 else ""
        official += [own] * len(labels)
    split = (_OFFICIAL if len(parts) > 1 else _BY_ID) + _BOUNDS
    return _arrays(
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
    """Return the file, or the one that the registry lets lie in its place."""
    if (home / name).is_file():
        return home / name
    for other, file in SOURCES[source].files.items():
        if file.replaces == name and (home / other).is_file():
            return home / other
    raise DataError(f"{source}: raw file {name} must exist, got none; run plumbline data fetch "
                    f"{source}, or lay the file there by hand")  # fmt: skip


def _arrays(
    parameters: ImageData,
    pixels: Pixels,
    codes: npt.NDArray[np.int64],
    ids: list[str],
    *,
    official: npt.NDArray[np.object_],
    classes: tuple[str, ...],
    measures: tuple[str, ...],
    about: dict[str, Any],
) -> RawImages:
    """Return images ``(N, C, H, W)`` that need no decoding, at the sizes used."""
    from PIL import Image

    kept = set(_chosen(ids, parameters))
    rows = np.array([row for row, name in enumerate(ids) if name in kept], dtype=np.int64)
    side = (len(rows), pixels.shape[1])
    stacks = {size: np.empty((*side, size, size), dtype=np.uint8) for size in parameters.sizes}
    for place, row in enumerate(rows):
        plain = pixels[row, 0] if side[1] == 1 else pixels[row].transpose(1, 2, 0)
        picture = Image.fromarray(np.ascontiguousarray(plain))
        for size, stack in stacks.items():
            stack[place] = resized(picture, size)
    return RawImages(
        ids=[ids[row] for row in rows],
        codes=codes[rows],
        classes=classes,
        images=stacks,
        groups=pd.DataFrame(index=range(len(rows))),
        measures=measures,
        about=about,
        official=official[rows],
    )


def _check_digits(pixels: npt.NDArray[Any], codes: npt.NDArray[Any]) -> None:
    if pixels.ndim != 3 or pixels.shape != (len(codes), 8, 8):
        raise DataError(f"digits: images must be of shape ({len(codes)}, 8, 8), got {pixels.shape}")
    # The comparison is written so that NaN fails it.
    wrong = int((~((pixels >= 0) & (pixels <= GREY_LEVELS))).any(axis=(1, 2)).sum())
    if wrong:
        raise DataError(
            f"digits: pixels must be in 0…{GREY_LEVELS}, got other values in {wrong} images"
        )
