"""Encoding of prepared images: how a picture becomes the pixels that models read.

``encoding.json`` holds ``{"mode", "fit", "max_pixels", "counts"}``: see `ImageEncoding`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline import artifacts
from plumbline.data.images.decode import Shape, UnreadableImageError, decode, resized, square
from plumbline.data.pixels.resize import GREY_LEVELS, enlarge
from plumbline.errors import DataError

Pixels = npt.NDArray[np.uint8]

COUNTED = 8  # pixels of the side of images that are counts
MAX_PIXELS = 2**26  # of sources that declare no other number


@dataclass(frozen=True)
class ImageEncoding:
    """How the pictures of a source become pixels.

    Attributes
    ----------
    mode : {'grey', 'rgb'}
    fit : {'crop', 'pad', 'stretch'} or None
        How an oblong becomes a square; None refuses it, as all pictures of the source are square.
    max_pixels : int
        Larger pictures are refused.
    counts : bool
        Whether an 8×8 array holds counts from 0 to 16, as those of the handwritten digits.
    """

    mode: str
    fit: str | None
    max_pixels: int
    counts: bool

    def write(self, folder: Path) -> None:
        """Write ``encoding.json`` of a prepared folder."""
        artifacts.write_encoding(folder, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> ImageEncoding:
        """Read ``encoding.json`` of a prepared folder.

        Raises
        ------
        ArtifactError
            If the file is missing or damaged.
        """
        return cls(**artifacts.read_encoding(folder, [field.name for field in fields(cls)]))

    def pixels(
        self, pictures: Sequence[Any], size: int, *, where: str, names: Sequence[str] | None = None
    ) -> Pixels:
        """Return pictures as uint8 ``(N, C, size, size)``.

        Parameters
        ----------
        pictures : sequence
            Each an array or nested list ``(H, W)`` or ``(H, W, C)`` of grey levels from 0 to 255,
            the bytes of an image file, or these in base64.
        size : int
        where : str
            Prefix of error messages.
        names : sequence of str, optional
            Names of the pictures in error messages; by default their numbers.

        Raises
        ------
        DataError
            If one is none of these, or has another shape or other values.
        """
        channels = 1 if self.mode == "grey" else 3
        found = np.empty((len(pictures), channels, size, size), dtype=np.uint8)
        for row, item in enumerate(pictures):
            found[row] = self._one(item, size, f"{where}: image {names[row] if names else row}")
        return found

    def _one(self, item: Any, size: int, where: str) -> Pixels:
        if isinstance(item, str):
            item = _from_base64(item, where)
        if isinstance(item, bytes | bytearray):
            return self._decoded(bytes(item), size, where)
        array = _levels(item, where)
        if self.counts and array.shape[:2] == (COUNTED, COUNTED) and array.ndim == 2:
            if array.max() > GREY_LEVELS:
                raise DataError(
                    f"{where} must hold counts from 0 to {GREY_LEVELS} where it is "
                    f"{COUNTED}×{COUNTED}, got {int(array.max())}; give grey levels as "
                    f"{size}×{size} pixels"
                )
            return enlarge(array[None].astype(np.float64), size=size)
        if self.counts and array.shape[:2] != (size, size):
            raise DataError(
                f"{where} must have {COUNTED}×{COUNTED} counts or {size}×{size} grey levels, got "
                f"{array.shape[0]}×{array.shape[1]}; resize it"
            )
        return self._resized(array, size, where)

    def _decoded(self, data: bytes, size: int, where: str) -> Pixels:
        shape = Shape((size,), mode=self.mode, fit=self.fit or "refuse", max_pixels=self.max_pixels)
        try:
            return decode(data, shape)[size]
        except UnreadableImageError as error:
            raise DataError(f"{where} must be a readable picture, got: {error}") from error

    def _resized(self, array: Pixels, size: int, where: str) -> Pixels:
        from PIL import Image

        plain = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
        wanted = 2 if self.mode == "grey" else 3
        if plain.ndim == wanted and plain.shape[:2] == (size, size):
            return plain[None] if wanted == 2 else plain.transpose(2, 0, 1)
        mode = "L" if self.mode == "grey" else "RGB"
        picture = Image.fromarray(np.ascontiguousarray(plain))
        picture = picture if picture.mode == mode else picture.convert(mode)
        try:
            return resized(square(picture, self.fit or "refuse"), size)
        except UnreadableImageError as error:
            raise DataError(f"{where} must be square, got: {error}; crop or pad it") from error


def _from_base64(text: str, where: str) -> bytes:
    _, _, plain = text.rpartition(",") if text.startswith("data:") else ("", "", text)
    try:
        return base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"{where} must be base64 of an image file where it is text, got {text[:30]!r}; encode "
            "the bytes of the file"
        ) from error


def _levels(item: Any, where: str) -> Pixels:
    try:
        array = np.asarray(item)
        if array.dtype == object and array.ndim:  # arrays of arrays, as data frames hold them
            array = np.array([np.asarray(row).tolist() for row in array])
    except (TypeError, ValueError):
        array = np.empty(0, dtype=object)
    shape = array.shape
    if array.dtype.kind not in "uif" or len(shape) not in (2, 3) or array.size == 0:
        raise DataError(
            f"{where} must be an array (H, W) or (H, W, C) of numbers, or an image file, got "
            f"{type(item).__name__} of shape {tuple(shape)}"
        )
    if len(shape) == 3 and shape[2] not in (1, 3):
        raise DataError(f"{where} must have 1 or 3 channels as its last axis, got shape {shape}")
    if array.dtype != np.uint8:
        whole = np.isfinite(array).all() and (array == np.rint(array)).all()
        if not whole or array.min() < 0 or array.max() > 255:
            raise DataError(
                f"{where} must hold whole numbers from 0 to 255, got values from {array.min():g} "
                f"to {array.max():g}; scale them"
            )
    return array.astype(np.uint8)
