"""Augmented batches of small images in memory, against torchvision's transforms in a DataLoader.

Both change every image by its own draw, shuffle, and standardise the pixels. Freed memory is kept
as in every fit of ours, for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from plumbline.models.layers import ScalePixels
from plumbline.params.models import Augmentation
from plumbline.training.engine.augment import random_affine, uniform
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.engine.malloc import keep_freed_memory

import measure
from measure import Row, faster, take_turns

Change = Callable[[Image.Image], Tensor]

SEED, SIZE, COUNT, BATCH, EPOCHS = 1, 32, 4_096, 128, 10
CROP = Augmentation(shift=4, rotate=0, scale=0, mirror=True)
AFFINE = Augmentation(shift=2, rotate=10, scale=0.1, mirror=False)  # that of the backbone
MEAN, SCALE = [0.491, 0.482, 0.447], [0.247, 0.243, 0.262]  # of CIFAR-10, as is usual
SAMPLING = (
    "Half of ours is torch's grid_sample, 12 fetches for each pixel of three channels: by itself "
    "some twenty times as fast as the peer. A sixth is scaling, the rest drawing and placing."
)


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    keep_freed_memory()
    drawn = torch.Generator().manual_seed(SEED)
    images = torch.randint(0, 256, (COUNT, 3, SIZE, SIZE), dtype=torch.uint8, generator=drawn)
    check_affine(images[:64])
    check_crop(images[0])
    check_scaling(images[0])
    for what, change, peer in (
        ("crop and mirror", CROP, crop()),
        ("rotate, scale and shift", AFFINE, affine()),
    ):
        yield from compare(images, what, change, peer)


def compare(images: Tensor, what: str, change: Augmentation, peer: Change) -> Iterator[Row]:
    labels = torch.arange(COUNT) % 10
    unit = ScalePixels(mean=MEAN, scale=SCALE)
    batches = MemoryBatches(
        images, labels, batch_size=BATCH, shuffle=True, seed=SEED,
        transform=random_affine(change, seed=SEED),
    )  # fmt: skip

    def ours() -> int:
        seen = 0
        for epoch in range(EPOCHS):
            batches.set_epoch(epoch)
            seen += sum(len(unit(inputs)) for inputs, _ in batches)
        return seen // EPOCHS

    def usual(workers: int) -> int:
        pictures = Pictures(images, labels, peer)
        loader = DataLoader(pictures, batch_size=BATCH, shuffle=True, num_workers=workers)
        return sum(len(inputs) for inputs, _ in loader)

    assert ours() == usual(0) == usual(2) == COUNT
    turns = take_turns(ours, lambda: usual(0), lambda: usual(2), turns=5)
    for place, workers in ((1, 0), (2, 2)):
        yield faster(
            8, f"batches in memory: {what}", f"{COUNT:,} of {SIZE}×{SIZE}×3",
            f"torchvision, DataLoader, {workers} workers", turns, goal=15, which=place,
            scale=EPOCHS, why=SAMPLING if change is AFFINE else "",
            note=f"1 thread, no worker, no numba; ours {EPOCHS} epochs, the peer one, scaled",
        )  # fmt: skip


def crop() -> Change:
    from torchvision import transforms  # behind the guard that plumbline.training installs

    return transforms.Compose(
        [
            transforms.RandomCrop(SIZE, padding=int(CROP.shift)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, SCALE),
        ]
    )


def affine() -> Change:
    from torchvision import transforms

    share = AFFINE.shift / SIZE
    return transforms.Compose(
        [
            transforms.RandomAffine(
                AFFINE.rotate,
                translate=(share, share),
                scale=(1 - AFFINE.scale, 1 + AFFINE.scale),
                interpolation=transforms.InterpolationMode.BILINEAR,
            ),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, SCALE),
        ]
    )


def check_crop(image: Tensor) -> None:
    """Find every batch of ours among the crops that the peer draws from, and all of those."""
    from torchvision.transforms import functional

    reach = int(CROP.shift)
    framed = functional.pad(image, [reach] * 4)
    sides = range(2 * reach + 1)
    cut = [functional.crop(framed, top, left, SIZE, SIZE) for top in sides for left in sides]
    possible = {x.numpy().tobytes() for one in cut for x in (one, functional.hflip(one))}
    many = image.expand(4_000, -1, -1, -1)
    found = random_affine(CROP, seed=SEED)(many, torch.arange(4_000), 0)
    assert {x.numpy().tobytes() for x in found} == possible


def check_scaling(image: Tensor) -> None:
    from torchvision import transforms

    theirs = transforms.Normalize(MEAN, SCALE)(image.float() / 255)
    assert torch.allclose(ScalePixels(mean=MEAN, scale=SCALE)(image[None])[0], theirs, atol=1e-6)


def check_affine(images: Tensor) -> None:
    """Hold our change against torchvision's of floats, with the same draws."""
    from torchvision.transforms import InterpolationMode, functional

    samples = torch.arange(len(images))
    ours = random_affine(AFFINE, seed=SEED)(images, samples, 0)
    draws = uniform(samples, seed=SEED, epoch=0, draws=4).double()
    for image, mine, (turn, size, right, down) in zip(images, ours, draws.tolist(), strict=True):
        angle, scale = turn * AFFINE.rotate, 1 + size * AFFINE.scale
        # Where torchvision moves what it has turned, ours turns what it has moved.
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        x, y = right * AFFINE.shift, down * AFFINE.shift
        moved = [-scale * (cos * x + sin * y), -scale * (cos * y - sin * x)]
        theirs = functional.affine(
            image.float(), angle=-angle, translate=moved, scale=scale, shear=[0.0],
            interpolation=InterpolationMode.BILINEAR,
        )  # fmt: skip
        assert torch.allclose(mine, theirs, atol=0.05)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's own data sets give them: one picture at a time."""

    def __init__(self, images: Tensor, labels: Tensor, change: Change) -> None:
        self.images: np.ndarray = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels, self.change = labels.tolist(), change

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return a picture, changed, and its label."""
        return self.change(Image.fromarray(self.images[index])), self.labels[index]


if __name__ == "__main__":
    measure.main(rows, __doc__)
