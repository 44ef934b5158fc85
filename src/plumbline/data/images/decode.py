"""Safe and reproducible decoding of image files to square uint8 arrays.

Pillow decodes; it resamples in integers, so that bits do not depend on the processor. A picture is
rotated by its EXIF orientation, blended with white where it is transparent, and scaled to 8 bits.
A picture that cannot be read completely, or is larger than allowed, is an error with a reason.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

# Decoders in Pillow itself, none that starts another program as that of PostScript does.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = frozenset(
    {
        ".bmp",
        ".gif",
        ".jfif",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".mpo",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    }
)
CHUNK = 16  # files handed to a thread at once
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shape:
    """Sizes and mode of the decoded images.

    Attributes
    ----------
    sizes : tuple of int
        Sides of the squares.
    mode : {'grey', 'rgb'}
    fit : {'crop', 'pad', 'stretch', 'refuse'}
        How an oblong becomes a square: its middle, with black borders, distorted, or not at all.
    max_pixels : int
        Pictures with more pixels are refused before they are decoded.
    """

    sizes: tuple[int, ...]
    mode: str
    fit: str
    max_pixels: int


class UnreadableImageError(DataError):
    """Raised when a picture cannot be read."""


def decode(data: bytes, shape: Shape) -> dict[int, Pixels]:
    """Return a picture at every size, ``{size: (C, size, size)}``.

    Of a picture with several frames the first is taken.

    Raises
    ------
    UnreadableImageError
        If it is empty, no picture of a known format, damaged, cut off or too large.
    """
    with _without_warnings():
        return _decode(data, shape)


def _decode(data: bytes, shape: Shape) -> dict[int, Pixels]:
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise UnreadableImageError("empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > shape.max_pixels:
                raise UnreadableImageError(
                    f"{picture.width}×{picture.height} pixels, more than {shape.max_pixels}"
                )
            picture.load()
            if picture.format in ("JPEG", "MPO") and not _has_end(data):
                raise UnreadableImageError("damaged: its end is missing")
            plain = _plain(picture, grey=shape.mode == "grey")
    except UnidentifiedImageError:
        raise UnreadableImageError("no picture of a known format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableImageError(f"more than {shape.max_pixels} pixels") from None
    except UnreadableImageError:
        raise
    except Exception as error:
        # Decoders raise any exception for damaged files.
        why = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"damaged: {why}") from None
    whole = square(plain, shape.fit)
    return {size: resized(whole, size) for size in shape.sizes}


def decode_all(
    items: Iterable[Path | bytes], shape: Shape, *, workers: int
) -> Iterator[dict[int, Pixels] | str]:
    """Yield each file's picture, or the reason why it cannot be read, in the order of ``items``.

    Neither order nor bits depend on ``workers``, the number of threads: Pillow decodes and scales
    without Python's lock, and a thread costs nothing to start where a process imports everything.
    """
    from PIL import Image

    Image.init()  # all decoders, before threads could find half of them
    waiting = iter(items)
    chunks = iter(lambda: list(islice(waiting, CHUNK)), [])
    read = partial(_read_all, shape=shape)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(chunks, 8 * workers)):  # bounds the memory
            with _without_warnings():
                found = list(map(read, batch) if workers == 1 else pool.map(read, batch))
            for pictures in found:
                yield from pictures


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress warnings about broken metadata; only the pixels are used."""
    from PIL import Image

    # Warning filters are global: one thread sets and resets them while the others are idle.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _read_all(items: Sequence[Path | bytes], *, shape: Shape) -> list[dict[int, Pixels] | str]:
    return [_read(item, shape) for item in items]


def _read(item: Path | bytes, shape: Shape) -> dict[int, Pixels] | str:
    try:
        return _decode(item if isinstance(item, bytes) else item.read_bytes(), shape)
    except UnreadableImageError as fault:
        return str(fault)
    except OSError as error:
        return f"not readable: {error.strerror or type(error).__name__}"


def _plain(picture: Image, *, grey: bool) -> Image:
    from PIL import Image, ImageOps

    turned = picture
    ImageOps.exif_transpose(turned, in_place=True)
    if turned.mode == "F" or (turned.mode == "I" and picture.format == "TIFF"):
        kind = "real" if turned.mode == "F" else "32-bit whole"
        raise UnreadableImageError(f"pixels are {kind} numbers of unknown range")
    if turned.mode in _SIXTEEN_BITS or turned.mode == "I":
        values, clear = np.asarray(turned), turned.info.get("transparency")
        turned = Image.fromarray(_eight_bits(np.where(values == clear, 65535, values)))
    if turned.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in turned.info:
        turned = turned.convert("RGBA")
        ground = Image.new("RGBA", turned.size, "white")
        turned = Image.alpha_composite(ground, turned)
    if turned.mode in ("P", "LAB") and grey:  # which Pillow turns into grey by way of RGB only
        turned = turned.convert("RGB")
    mode = "L" if grey else "RGB"
    return turned if turned.mode == mode else turned.convert(mode)


def _has_end(data: bytes) -> bool:
    """Return whether a JPEG has the marker of its end behind the first scan.

    Where the rest of a file was never written and reads as zeros, as after a download that stopped,
    the decoder fills the picture with grey and says nothing.
    """
    place = 2
    while data[place : place + 1] == b"\xff" and (code := data[place + 1 : place + 2]) != b"\xda":
        # Any number of bytes FF may stand before a marker (ISO/IEC 10918-1, B.1.1.2).
        place += 1 if code == b"\xff" else 2 + int.from_bytes(data[place + 2 : place + 4])
    return data.find(b"\xff\xd9", place) >= 0


def _eight_bits(values: npt.NDArray[Any]) -> Pixels:
    wide = values.astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise UnreadableImageError("pixels are whole numbers beyond 16 bits")
    return ((wide + 128) // 257).astype(np.uint8)  # 65535 becomes 255, to the nearest


def square(picture: Image, fit: str) -> Image:
    """Return a square of a picture; see `Shape.fit`.

    Raises
    ------
    UnreadableImageError
        If ``fit`` is ``refuse`` and the picture is an oblong.
    """
    from PIL import Image

    width, height = picture.size
    if fit == "stretch" or width == height:
        return picture
    if fit == "refuse":
        raise UnreadableImageError(f"{width}×{height} pixels, which is no square")
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return picture.crop((left, top, left + side, top + side))
    side = max(width, height)
    ground = Image.new(picture.mode, (side, side))
    ground.paste(picture, ((side - width) // 2, (side - height) // 2))
    return ground


def resized(picture: Image, size: int) -> Pixels:
    """Return a picture of mode L or RGB as ``(C, size, size)``, by a cubic kernel."""
    from PIL import Image

    pixels = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels[None])
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
