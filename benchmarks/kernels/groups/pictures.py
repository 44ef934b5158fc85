"""Pillow, matplotlib and the library's own resampling."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from plumbline.data.pixels import moments, resize

from . import Quantities

FILTERS = ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")
KINDS = ("L", "RGB", "F", "RGBA")


def quantities() -> Quantities:
    random = np.random.default_rng(2)
    smooth = random.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    picture = Image.fromarray(smooth).resize((97, 83), Image.Resampling.BICUBIC)
    yield from of_pillow(picture)
    yield from files(picture)
    yield from of_matplotlib(random)
    stack = random.integers(0, 256, (7, 32, 32), dtype=np.uint8)
    yield (
        "plumbline.resize",
        (resize.resize(stack, 12), resize.enlarge(stack[:, :8, :8] / 16, size=20)),
    )
    yield "plumbline.moments", (
        moments.slant(stack), moments.thickness(stack), moments.brightness(stack),
    )  # fmt: skip


def of_pillow(picture: Image.Image) -> Quantities:
    for kind in KINDS:
        converted = picture.convert(kind)
        yield f"pillow.convert {kind}", converted.tobytes()
        for name in FILTERS:
            chosen = Image.Resampling[name]
            smaller, larger = (
                converted.resize((40, 31), chosen),
                converted.resize((131, 99), chosen),
            )
            yield f"pillow.resize {name} {kind}", (smaller.tobytes(), larger.tobytes())
    yield "pillow.rotate", picture.rotate(17, Image.Resampling.BICUBIC).tobytes()
    shear = (1, 0.2, 3, 0.1, 1, 2)
    affine = picture.transform((60, 60), Image.Transform.AFFINE, shear, Image.Resampling.BILINEAR)
    yield "pillow.affine", affine.tobytes()
    yield "pillow.GaussianBlur", picture.filter(ImageFilter.GaussianBlur(1.7)).tobytes()
    for mode in ("YCbCr", "HSV", "LAB", "CMYK"):
        if mode != "LAB":
            yield f"pillow.convert {mode}", picture.convert(mode).tobytes()
    yield "pillow.quantize", picture.quantize(16).convert("RGB").tobytes()
    drawn = Image.new("L", (120, 40))
    ImageDraw.Draw(drawn).text((3, 2), "Gauge 0.5", fill=255, font=ImageFont.load_default(24))
    yield "pillow.text", drawn.tobytes()


def files(picture: Image.Image) -> Quantities:
    for kind, options in (
        ("JPEG", {"quality": 85}),
        ("JPEG", {"quality": 95, "subsampling": 0, "optimize": True}),
        ("JPEG", {"quality": 60, "progressive": True}),
        ("PNG", {}),
        ("PNG", {"optimize": True}),
        ("WEBP", {"quality": 80}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_deflate"}),
    ):
        written = io.BytesIO()
        picture.save(written, kind, **options)
        name = " ".join([kind, *(f"{key}={value}" for key, value in options.items())])
        yield f"pillow.encode {name}", written.getvalue()
        yield f"pillow.decode {name}", Image.open(io.BytesIO(written.getvalue())).tobytes()


def of_matplotlib(random: np.random.Generator) -> Quantities:
    x = np.sort(random.standard_normal(60))
    with matplotlib.rc_context({"svg.hashsalt": "plumbline", "svg.fonttype": "none"}):
        figure = Figure(figsize=(4, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(x, np.tanh(x), label="curve")
        left.hist(x, bins=9)
        left.legend(title="$x^2$")
        right.imshow(random.random((12, 9)), cmap="viridis")
        right.errorbar([1, 2, 3], [1, 2, 3], yerr=[0.1, 0.2, 0.1])
        for kind in ("svg", "png"):
            written = io.BytesIO()
            metadata = {"Date": None} if kind == "svg" else {"Software": None}
            figure.savefig(written, format=kind, metadata=metadata)
            yield f"matplotlib.{kind}", written.getvalue()
