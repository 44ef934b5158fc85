"""A folder of JPEG files, in the first epoch and in later ones, against ImageFolder.

Ours decodes once, when the data are prepared, and reads the kept bytes in every later epoch; the
peer decodes in every epoch. Both scale by the same cubic kernel, to the same bytes. Freed memory is
kept as in every fit of ours, for both. The decoder of another package, which some keep for its
speed, is held against Pillow's, too.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from plumbline.data.images.decode import Shape
from plumbline.data.images.stacks import stack_all
from plumbline.models.layers import ScalePixels
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.engine.malloc import keep_freed_memory

import measure
from measure import Row, faster, take_turns

COUNT, SIDE, SIZE, BATCH = 400, 224, 96, 64
SCALING = (
    "All but a twentieth of ours is inside Pillow, most of it scaling, the rest decoding, and the "
    "peer does the same."
)


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        yield from compare(Path(name))


def compare(folder: Path) -> Iterator[Row]:
    paths = write_pictures(folder / "files")
    shape = Shape(sizes=(SIZE,), mode="rgb", fit="stretch", max_pixels=10**6)
    kept = folder / "images.npy"
    unit = ScalePixels(mean=[0.0] * 3, scale=[1.0] * 3)
    labels = torch.arange(COUNT) % 2

    def first() -> int:
        stacks, broken = stack_all(paths, [path.name for path in paths], shape, workers=2)
        assert not broken
        np.save(kept, stacks[SIZE])
        return later()

    def later() -> int:
        images = torch.from_numpy(np.load(kept))
        batches = MemoryBatches(images, labels, batch_size=BATCH, shuffle=True, seed=1)
        return sum(len(unit(inputs)) for inputs, _ in batches)

    def peer() -> int:
        loader = torch.utils.data.DataLoader(
            image_folder(folder / "files"), batch_size=BATCH, shuffle=True, num_workers=2
        )
        return sum(len(inputs) for inputs, _ in loader)

    assert first() == peer() == COUNT
    stored, theirs = np.load(kept), image_folder(folder / "files")
    for number in range(0, COUNT, 50):
        assert np.array_equal(stored[number], (theirs[number][0] * 255).round().byte().numpy())
    turns = take_turns(first, peer, turns=3)
    size = f"{COUNT} JPEG files of {SIDE}×{SIDE} to {SIZE}×{SIZE}"
    yield faster(
        9, "image folder, first epoch", size, "ImageFolder, DataLoader, 2 workers", turns,
        goal=2.5, note="2 threads, the peer 2 workers; same bytes", why=SCALING,
    )  # fmt: skip
    yield faster(
        9, "image folder, later epochs", size, "ImageFolder, DataLoader, 2 workers",
        take_turns(later, peer, turns=3), goal=20, note="no worker; from the kept bytes",
    )  # fmt: skip
    yield decoders([path.read_bytes() for path in paths])


def decoders(files: list[bytes]) -> Row:
    """Hold Pillow's decoder against one that is kept for its speed; Pillow scales for both."""
    from simplejpeg import decode_jpeg

    def ours() -> None:
        for data in files:
            scaled(Image.open(io.BytesIO(data)))

    def peer() -> None:
        for data in files:
            scaled(Image.fromarray(decode_jpeg(data)))

    for data in files:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), decode_jpeg(data))
    return faster(
        9, "JPEG to a scaled picture", f"{COUNT} files of {SIDE}×{SIDE} to {SIZE}×{SIZE}",
        "simplejpeg, scaled by Pillow", take_turns(ours, peer, turns=5), goal=None,
        note="same bytes; what a second decoder would save, which is why there is none",
    )  # fmt: skip


def scaled(picture: Image.Image) -> Image.Image:
    return picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def write_pictures(folder: Path) -> list[Path]:
    """Write smooth pictures with some noise, in two classes."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(COUNT):
        path = folder / str(number * 2 // COUNT) / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (14, 14, 3), dtype=np.uint8))
        fine = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = fine + rng.integers(-6, 7, fine.shape, dtype=np.int16)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=88)
        paths.append(path)
    return paths


def image_folder(folder: Path) -> Any:
    from plumbline.compat import torchvision

    torchvision.install()
    from torchvision import datasets, transforms

    cubic = transforms.InterpolationMode.BICUBIC
    change = transforms.Compose([transforms.Resize((SIZE, SIZE), cubic), transforms.ToTensor()])
    return datasets.ImageFolder(str(folder), change)


if __name__ == "__main__":
    measure.main(rows, __doc__)
