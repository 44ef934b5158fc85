"""Image stacks of a prepared data set from files and arrays: selection, decoding, resizing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plumbline.data.base.splits import hash_order
from plumbline.data.images.decode import Shape, decode_all, resized
from plumbline.data.images.raw import SQUARE, RawImages
from plumbline.errors import DataError

if TYPE_CHECKING:
    from plumbline.params.data import ImageData

Pixels = npt.NDArray[np.uint8]
Stacks = dict[int, Pixels]

NAMED = 20  # broken images named in the schema and in errors
BY_ID = "by SHA-256 of the sample id, stratified by class"
BOUNDS = "; the attributes' bounds are the tertiles of the training split"


def choose(ids: list[str], parameters: ImageData) -> list[str]:
    """Return at most ``max_images`` of the ids, chosen by their hash, in their order."""
    if parameters.max_images is None or len(ids) <= parameters.max_images:
        return ids
    kept = set(hash_order(ids, salt=f"{parameters.source}/chosen")[: parameters.max_images])
    return [name for name in ids if name in kept]


def stack_all(
    items: Iterable[Path | bytes], ids: Sequence[str], shape: Shape, *, workers: int
) -> tuple[Stacks, dict[str, str]]:
    """Return the readable pictures by size, and the errors of the others by id."""
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


def refuse_broken(source: str, broken: dict[str, str], total: int) -> None:
    """Refuse a source with images that cannot be read.

    Raises
    ------
    DataError
        If there are any; the first `NAMED` are named with the reason.
    """
    if not broken:
        return
    shown = "; ".join(f"{name} ({why})" for name, why in list(broken.items())[:NAMED])
    rest = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    raise DataError(
        f"{source}: every image must be readable, got {len(broken)} of {total} that are not: "
        f"{shown}{rest}; correct or remove them, or set data_images.folder.broken to skip"
    )


def raw_arrays(
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

    kept = set(choose(ids, parameters))
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
        encoding=replace(SQUARE, mode="grey" if side[1] == 1 else "rgb"),
    )
