"""Characters of the text fonts that ship inside matplotlib, as signed distance fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline.data.pixels.moments import thickness

CANVAS = 128  # pixels of a distance field's side
POINT_SIZE = 76  # the tallest and widest characters fill some two thirds of the canvas
NOT_A_CHARACTER = "\uffff"  # a font draws its .notdef for it


@dataclass(frozen=True)
class Font:
    """A font file with the groups it belongs to."""

    file: str
    typeface: str
    weight: str


def _family(stems: Sequence[str], typeface: str) -> list[Font]:
    weights = ("regular", "bold", "oblique", "bold oblique")
    return [Font(f"{s}.ttf", typeface, w) for s, w in zip(stems, weights, strict=True)]


def _dejavu(stem: str, slope: str, typeface: str) -> list[Font]:
    return _family([stem, f"{stem}-Bold", f"{stem}-{slope}", f"{stem}-Bold{slope}"], typeface)


# Left out: fonts of symbols, the two display cuts (they hold few letters), the Last Resort font
# (boxes) and the mathematical italic cmmi10 (its digits are in old style).
FONTS: tuple[Font, ...] = (
    *_dejavu("DejaVuSans", "Oblique", "sans"),
    *_dejavu("DejaVuSansMono", "Oblique", "mono"),
    *_dejavu("DejaVuSerif", "Italic", "serif"),
    *_family(["STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"], "serif"),
    Font("cmr10.ttf", "serif", "regular"),
    Font("cmb10.ttf", "serif", "bold"),
    Font("cmti10.ttf", "serif", "oblique"),
    Font("cmss10.ttf", "sans", "regular"),
    Font("cmtt10.ttf", "mono", "regular"),
)


@dataclass(frozen=True)
class Master:
    """One character of one font.

    Attributes
    ----------
    font : Font
    character : str
    field : array of float32, (CANVAS, CANVAS)
        Distance to the outline in pixels, positive inside the ink; the middle of the ink's box is
        the middle of the canvas.
    extent : float
        The longer side of the ink's box in pixels.
    stroke : float
        Mean stroke width in pixels; see `moments.thickness`.
    """

    font: Font
    character: str
    field: npt.NDArray[np.float32]
    extent: float
    stroke: float


def font_folder() -> Path:
    """Return where matplotlib keeps its fonts, without importing the whole of it."""
    import importlib.util

    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None  # the raw files were checked
    return Path(str(spec.origin)).parent / "mpl-data/fonts/ttf"


def load_masters(characters: str, *, folder: Path) -> list[Master]:
    """Return every character in every font that has it, by character and then by font."""
    from PIL import ImageFont

    faces = [(font, ImageFont.truetype(str(folder / font.file), POINT_SIZE)) for font in FONTS]
    masters = []
    for character in characters:
        for font, face in faces:
            if has_character(face, character):
                masters.append(_master(font, face, character))
    return masters


def has_character(face: Any, character: str) -> bool:
    """Say whether a PIL font draws a character and not nothing or its .notdef."""
    mask = face.getmask(character)
    if mask.getbbox() is None:
        return False
    return bool(bytes(mask) != bytes(face.getmask(NOT_A_CHARACTER)))


def _master(font: Font, face: Any, character: str) -> Master:
    from PIL import Image, ImageDraw
    from scipy.ndimage import distance_transform_edt

    canvas = Image.new("L", (CANVAS, CANVAS))
    middle = (CANVAS // 2, CANVAS // 2)
    ImageDraw.Draw(canvas).text(middle, character, fill=255, font=face, anchor="mm")
    drawn = np.asarray(canvas) >= 128
    # PIL centres the advance and the line; the frame is to be filled by the ink.
    down, across = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    shift = [(CANVAS - 1 - int(ends[0] + ends[-1])) // 2 for ends in (down, across)]
    ink = np.roll(drawn, shift, axis=(0, 1))
    # Half a pixel less on both sides: the outline runs between the pixels.
    inside = distance_transform_edt(ink) - 0.5
    outside = distance_transform_edt(~ink) - 0.5
    return Master(
        font=font,
        character=character,
        field=np.where(ink, inside, -outside).astype(np.float32),
        extent=float(max(np.ptp(down), np.ptp(across)) + 1),
        stroke=float(thickness(ink[None].astype(np.uint8))[0]),
    )
