"""Small networks on a GPU: images, their changes and the whole step stay there, as a CUDA graph.

A step of a network this small takes the GPU less time than the interpreter needs to ask for it. A
graph asks once ("CUDA graphs" in the notes of torch's documentation). Without a GPU the same step
runs without a graph, so that its arithmetic can be tested.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import torch
from feeding_speed import Pictures
from gpu_clock import AUTOCAST, DEVICE, ON_GPU, Loaded, lightning, plain, ratio
from torch import Tensor, nn
from torch.utils.data import DataLoader

from plumbline.models import build
from plumbline.params import Params
from plumbline.params.models import Augmentation
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.engine.augment import random_affine, uniform
from plumbline.training.engine.loaders import MemoryBatches

from measure import Row

SEED, SIDE, CLASSES, LR, CHECKED = 1, 32, 10, 1e-3, 4
FP32, BF16 = 1e-3, 3e-2  # how far losses may be from an eager step's, relative
CROP = Augmentation(shift=4, rotate=0, scale=0, mirror=True)
WORKERS = min(8, os.cpu_count() or 1) if ON_GPU else 0


def rows(architecture: str, parameters: Params, *, count: int, batch: int, epochs: int
         ) -> Iterator[Row]:  # fmt: skip
    """Yield the step beside eager Lightning with a DataLoader, and its feeding beside the step.

    ``count``, a multiple of ``batch``, is the images of an epoch.
    """
    torch.use_deterministic_algorithms(False)  # what an earlier fit may have left on
    images, labels = pictures(count)
    check(architecture, images, labels, batch=batch)
    feeding = Feeding(images, labels, batch=batch)
    step = captured(Step(network(architecture, channels_last=True), feeding))
    ours = seconds_of_an_epoch(feeding, step, epochs)
    alone = seconds_of_an_epoch(feeding, captured(feeding.batch), epochs)
    transform = crop()
    loader = DataLoader(
        Pictures(images, labels, transform), batch_size=batch, shuffle=True, num_workers=WORKERS,
        persistent_workers=WORKERS > 0, pin_memory=ON_GPU,
    )  # fmt: skip
    task = ClassifierTask(network(architecture), settings=parameters.finetune.optimisation)
    eager = lightning(task, Loaded(loader), parameters)
    shape = f"{batch} × {SIDE} × {SIDE}"
    how = "one CUDA graph a step" if ON_GPU else "no GPU: the same step without a graph"
    yield ratio(22, f"training {architecture}", shape,
                f"eager Lightning, bf16, DataLoader, {WORKERS} workers", ours, eager, goal=5,
                note=f"{count / ours:,.0f} images/s, cropped and mirrored; {how}; first "
                f"{CHECKED} losses within {FP32:.1%} (fp32) and {BF16:.0%} (bf16) of "
                "eager steps'")  # fmt: skip
    yield ratio(22, f"feeding {architecture}", shape, "the step, which feeds itself", alone, ours,
                goal=2, note=f"{count / alone:,.0f} images/s alone, cropped and mirrored; {how}",
                )  # fmt: skip


def pictures(count: int) -> tuple[Tensor, Tensor]:
    """Return noise whose brightness tells the class, so that a loss has somewhere to go."""
    draw = torch.Generator().manual_seed(SEED)
    labels = torch.randint(CLASSES, (count,), generator=draw)
    noise = torch.randint(0, 128, (count, 3, SIDE, SIDE), generator=draw)
    return (noise + 12 * labels[:, None, None, None]).to(torch.uint8), labels


def network(architecture: str, *, channels_last: bool = False) -> nn.Module:
    torch.manual_seed(SEED)
    return build(
        "timm", architecture=architecture, outputs=CLASSES, image_size=SIDE, channels=3,
        mean=[0.5] * 3, scale=[0.25] * 3, dropout=0.0,
        memory_format="channels_last" if channels_last else "contiguous",
    ).to(DEVICE)  # fmt: skip


def in_memory(images: Tensor, labels: Tensor, *, batch: int) -> MemoryBatches:
    """Return the batches of this package's own loader, which `Feeding` makes on the device."""
    return MemoryBatches(
        images, labels, batch_size=batch, shuffle=True, seed=SEED,
        transform=random_affine(CROP, seed=SEED),
    )  # fmt: skip


class Feeding:
    """Images on the device, cropped and mirrored there: the bits of ``in_memory``'s batches.

    Only the order and three numbers for each sample are made elsewhere, once an epoch.
    """

    def __init__(self, images: Tensor, labels: Tensor, *, batch: int) -> None:
        self._size, self._order = batch, in_memory(images, labels, batch=batch)
        self._images = images.permute(0, 2, 3, 1).contiguous().to(DEVICE)  # a pixel's bytes as one
        self._labels = labels.to(DEVICE)
        self._moves = torch.zeros(len(images), 3, dtype=torch.long, device=DEVICE)
        self._pixels = torch.arange(SIDE, device=DEVICE)
        self.chosen = torch.zeros(batch, dtype=torch.long, device=DEVICE)

    def begin(self, epoch: int) -> tuple[Tensor, ...]:
        """Bring the changes of an epoch; return the sample numbers of each batch."""
        self._order.set_epoch(epoch)
        samples = torch.arange(len(self._images))
        draws = uniform(samples, seed=SEED, epoch=epoch, draws=5)
        reach = int(CROP.shift)
        steps = ((draws[:, 2:4] + 1) / 2 * (2 * reach + 1)).long() - reach
        self._moves.copy_(torch.cat([steps, (draws[:, 4:] < 0).long()], dim=1))
        return self._order.order().to(DEVICE).split(self._size)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return bytes ``(B, C, H, W)``, channels last, and labels of the ``chosen`` samples."""
        right, down, mirrored = self._moves[self.chosen].unbind(1)
        across, below = (self._pixels + move[:, None] for move in (right, down))
        inside = ((across >= 0) & (across < SIDE))[:, None, :] & (
            (below >= 0) & (below < SIDE))[:, :, None]  # fmt: skip
        across = torch.where(mirrored[:, None] > 0, SIDE - 1 - across, across)
        found = self._images[
            self.chosen[:, None, None],
            below.clamp(0, SIDE - 1)[:, :, None],
            across.clamp(0, SIDE - 1)[:, None, :],
        ]
        return (found * inside[..., None]).permute(0, 3, 1, 2), self._labels[self.chosen]


class Step:
    """A training step on the ``chosen`` samples whose tensors all stay in their places."""

    def __init__(self, network: nn.Module, feeding: Feeding, *, half: bool = True) -> None:
        self.network, self.loss = network, torch.zeros((), device=DEVICE)
        self._feeding, self._half = feeding, half
        self._optimizer = torch.optim.AdamW(
            network.parameters(), lr=LR, fused=True, capturable=ON_GPU
        )
        self._start = [x.detach().clone() for x in self._places()]

    def __call__(self) -> None:
        """Learn from the batch, and leave its loss in ``loss``."""
        inputs, labels = self._feeding.batch()
        self._optimizer.zero_grad()
        # A cast that is kept would be read by later steps, after the weights have moved.
        with torch.autocast(**AUTOCAST, enabled=self._half, cache_enabled=False):
            loss = nn.functional.cross_entropy(self.network(inputs), labels)
        loss.backward()
        self._optimizer.step()
        self.loss.copy_(loss.detach())

    def restart(self) -> None:
        """Undo all steps, in place: a graph goes on reading and writing where it was captured."""
        with torch.no_grad():
            for place, start in zip(self._places(), self._start, strict=True):
                place.copy_(start)
        for state in self._optimizer.state.values():
            for average in state.values():
                average.zero_()

    def _places(self) -> list[Tensor]:
        return [*self.network.parameters(), *self.network.buffers()]


def captured(work: Callable[[], object]) -> Callable[[], object]:
    """Return ``work`` as one CUDA graph; without a GPU, as it is."""
    if not ON_GPU:
        return work
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # kernels are chosen and workspaces made before the capture
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
        work()
    return graph.replay


def check(architecture: str, images: Tensor, labels: Tensor, *, batch: int) -> None:
    """Hold the first losses against those of an eager step, exactly computed and as timed."""
    for half, within in ((False, FP32), (True, BF16)):
        allowed, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
        try:
            ours, eager = (
                losses(architecture, images, labels, batch=batch, half=half)
                for losses in (first_losses, eager_losses)
            )
        finally:
            torch.backends.cudnn.allow_tf32 = allowed
        if not torch.allclose(ours, eager, rtol=within, atol=0):
            raise ArithmeticError(
                f"benchmarks.gpu_small: losses of {architecture} must be within {within:g} of the "
                f"eager step's {eager.tolist()}, got {ours.tolist()}"
            )


def first_losses(
    architecture: str, images: Tensor, labels: Tensor, *, batch: int, half: bool
) -> Tensor:
    feeding = Feeding(images, labels, batch=batch)
    step = Step(network(architecture, channels_last=True), feeding, half=half)
    run, found = captured(step), []
    step.restart()  # a capture begins with steps that count for nothing
    for part in feeding.begin(0)[:CHECKED]:
        feeding.chosen.copy_(part)
        run()
        found.append(step.loss.clone())
    return torch.stack(found)


def eager_losses(
    architecture: str, images: Tensor, labels: Tensor, *, batch: int, half: bool
) -> Tensor:
    """Return the same by this package's loader, contiguous images and torch's plain AdamW."""
    made, found = network(architecture), []
    optimizer = torch.optim.AdamW(made.parameters(), lr=LR, fused=False)
    for inputs, wanted in list(in_memory(images, labels, batch=batch))[:CHECKED]:
        with torch.autocast(**AUTOCAST, enabled=half):
            loss = nn.functional.cross_entropy(made(inputs.to(DEVICE)), wanted.to(DEVICE))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.detach())
    return torch.stack(found)


def seconds_of_an_epoch(feeding: Feeding, run: Callable[[], object], epochs: int) -> float:
    def batches() -> Iterator[Tensor]:
        for epoch in range(epochs):
            yield from feeding.begin(epoch)

    def step(chosen: Tensor) -> None:
        feeding.chosen.copy_(chosen)
        run()

    return plain(step, batches) / epochs


def crop() -> Callable[..., Tensor]:
    from torchvision import transforms  # behind the guard that gpu_clock installs

    kinds = [transforms.RandomCrop(SIDE, padding=int(CROP.shift)),
             transforms.RandomHorizontalFlip(), transforms.PILToTensor()]  # fmt: skip
    return transforms.Compose(kinds)  # type: ignore[no-any-return]
