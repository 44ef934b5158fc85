"""Randomly distorted printed characters, on which the backbone is pretrained.

Each sample is a function of (seed, sample id) alone. A character of a font is distorted by a random
affine map and a smooth random displacement, its stroke made thinner or wider, and drawn as a 32×32
bitmap. Then it is processed like the handwritten digits: pixels are counted in blocks of 4×4, and
the counts enlarged. Both sources have the same blur, contrast and position in the frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plumbline import names
from plumbline.artifacts import DatasetSchema
from plumbline.data.base.draws import uniforms
from plumbline.data.base.prepared import PreparedData
from plumbline.data.base.sources import SOURCES
from plumbline.data.base.splits import assign_splits
from plumbline.data.glyphs.fonts import CANVAS, Master, font_folder, load_masters
from plumbline.data.pixels.resize import enlarge, resize_matrix
from plumbline.params.data import GlyphData

Floats = npt.NDArray[np.float64]

# The "balanced" classes of EMNIST (Cohen et al., 2017, section II-C): small letters that look like
# their capital are left out; and so are I and O, which look like 1 and 0.
CHARACTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabdefghnqrt"

BITMAP = 32  # pixels of the bitmap's side
GRID = 4  # nodes of the displacement's side
CHUNK = 512  # samples drawn at once; bounds memory

ROTATION = 0.15  # radians, both ways
SHEAR = 0.30  # pixels to the right per pixel upwards, both ways
ASPECT = (0.65, 1.1)  # width, relative to the font's
HEIGHT = (0.84, 1.0)  # of the character, relative to the frame
SHIFT = 1.5  # bitmap pixels, both ways
BEND = 3.2  # bitmap pixels, both ways: displacement at a node of the grid
STROKE = (3.5, 6.5)  # bitmap pixels: width of a stroke as a pen would draw it
PEN = 0.7  # weight of it against the font's own stroke width, in [0, 1]
# As `plumbline.data.images.encoding.ImageEncoding` reads it: 8×8 counts, like the digits.
ENCODING = {"mode": "grey", "fit": None, "max_pixels": 2**26, "counts": True}
_NUMBERS = 7 + 2 * GRID * GRID


def prepare(parameters: GlyphData, *, seed: int) -> PreparedData:
    """Draw ``per_class`` samples of each character.

    Raises
    ------
    DataError
        If matplotlib's fonts are missing, or a class or group from a split.
    """
    import pandas as pd

    masters = load_masters(CHARACTERS, folder=font_folder())
    chosen = choose_masters(masters, per_class=parameters.per_class)
    ids = [_sample_id(masters[m], draw) for m, draw in chosen]
    table = pd.DataFrame(
        {
            "sample_id": ids,
            "y": [CHARACTERS.index(masters[m].character) for m, _ in chosen],
            "typeface": [masters[m].font.typeface for m, _ in chosen],
            "weight": [masters[m].font.weight for m, _ in chosen],
        }
    )
    splits = assign_splits(
        ids,
        strata=list(zip(table["y"], table["typeface"], strict=True)),
        val_fraction=parameters.val_fraction,
        test_fraction=parameters.test_fraction,
        salt=parameters.source,
    )
    table.insert(1, "split", splits)
    bitmaps = draw_bitmaps([masters[m] for m, _ in chosen], ids, seed=seed)
    pixels = enlarge(count_blocks(bitmaps), size=parameters.pixels)
    schema = DatasetSchema(
        dataset=names.GLYPHS,
        source=parameters.source,
        task="multiclass",
        classes=tuple(CHARACTERS),
        attributes=("typeface", "weight"),
        about=SOURCES[parameters.source].about(count=len(CHARACTERS)),
    )
    images = {parameters.pixels: pixels[:, None]}
    return PreparedData(schema=schema, table=table, images=images, encoding=ENCODING)


def choose_masters(masters: Sequence[Master], *, per_class: int) -> list[tuple[int, int]]:
    """Return (index of the master, number of the drawing) for each sample, class by class.

    The fonts take turns, so that a larger ``per_class`` adds samples and changes none.
    """
    chosen = []
    for character in dict.fromkeys(master.character for master in masters):
        here = [i for i, master in enumerate(masters) if master.character == character]
        chosen += [(here[k % len(here)], k // len(here)) for k in range(per_class)]
    return chosen


def draw_bitmaps(
    masters: Sequence[Master], ids: Sequence[str], *, seed: int
) -> npt.NDArray[np.bool_]:
    """Draw one distorted character per id, ``(N, BITMAP, BITMAP)``."""
    fields = {id(master): master for master in masters}
    place = {key: row for row, key in enumerate(fields)}
    stack = np.stack([master.field for master in fields.values()])
    rows = np.array([place[id(master)] for master in masters])
    boxes = np.array([(master.extent, master.stroke) for master in masters])
    numbers = np.stack([uniforms(f"{seed}/{name}", _NUMBERS) for name in ids])
    parts = [
        _draw(stack, rows[part], boxes[part], numbers[part])
        for part in (slice(start, start + CHUNK) for start in range(0, len(ids), CHUNK))
    ]
    return np.concatenate(parts)


def count_blocks(bitmaps: npt.NDArray[np.bool_]) -> Floats:
    """Count the set pixels in blocks of 4×4: ``(N, 32, 32)`` to ``(N, 8, 8)`` in [0, 16]."""
    count, side = len(bitmaps), BITMAP // 4
    blocks = bitmaps.reshape(count, side, 4, side, 4)
    counts: Floats = blocks.sum(axis=(2, 4), dtype=np.float64)
    return counts


def _draw(
    stack: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    boxes: Floats,
    numbers: Floats,
) -> npt.NDArray[np.bool_]:
    def spread(column: int, low: float, high: float) -> Floats:
        number: Floats = (low + (high - low) * numbers[:, column])[:, None, None]
        return number

    angle, shear = spread(0, -ROTATION, ROTATION), spread(1, -SHEAR, SHEAR)
    aspect, height = spread(2, *ASPECT), spread(3, *HEIGHT)
    grid = numbers[:, 7:].reshape(-1, 2, GRID, GRID) * 2 - 1
    matrix = resize_matrix(GRID, BITMAP)
    bend = BEND * np.einsum("hi,ncij,wj->nchw", matrix, grid, matrix, optimize=True)
    nodes = np.arange(BITMAP) - (BITMAP - 1) / 2
    x = nodes[None, None, :] + bend[:, 0] + spread(4, -SHIFT, SHIFT)
    y = nodes[None, :, None] + bend[:, 1] + spread(5, -SHIFT, SHIFT)
    # From the bitmap back to the font: turn, unshear, then undo both scales.
    x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    x = x + shear * y
    extent, own_stroke = boxes[:, 0, None, None], boxes[:, 1, None, None]
    scale = extent / (BITMAP * height)  # canvas pixels per bitmap pixel
    field = _sample(stack, rows, x * scale / aspect, y * scale)
    widening = PEN * (spread(6, *STROKE) * scale - own_stroke)
    bitmap: npt.NDArray[np.bool_] = field > -widening / 2
    return bitmap


def _sample(
    stack: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], x: Floats, y: Floats
) -> Floats:
    """Sample the fields bilinearly at offsets from their centre; outside, the border value."""
    middle, last = (CANVAS - 1) / 2, CANVAS - 1
    x, y = np.clip(x + middle, 0, last), np.clip(y + middle, 0, last)
    left = np.minimum(x.astype(np.int64), last - 1)
    top = np.minimum(y.astype(np.int64), last - 1)
    fx, fy = x - left, y - top
    base = (rows[:, None, None] * CANVAS + top) * CANVAS + left
    flat = stack.ravel()
    upper = flat[base] * (1 - fx) + flat[base + 1] * fx
    lower = flat[base + CANVAS] * (1 - fx) + flat[base + CANVAS + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, dtype=np.float64)


def _sample_id(master: Master, draw: int) -> str:
    stem = master.font.file.removesuffix(".ttf")
    return f"U+{ord(master.character):04X}-{stem}-{draw:04d}"
