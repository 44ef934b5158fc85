"""Training on a GPU beside plain loops: python benchmarks/gpu.py (under eight minutes on one).

Needs torch, Lightning, timm, torchmetrics, SciPy, pydantic and PyYAML. On a GPU it writes
``GPU.md``; elsewhere it prints, and ``--tiny`` makes it quick enough to see that it runs. Weights
are random and images noise: nothing here is about accuracy but the rows of the default networks. A
comparison that fails, takes longer than it may or finds no time left is a row that says so, and
makes the script exit with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import faulthandler
import gc
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpu_default
import gpu_finetuning
import gpu_small
import numpy as np
import torch
import yaml
from gpu_clock import AUTOCAST, DEVICE, ON_GPU, Loaded, lightning, plain, ratio, synchronise
from torch import Tensor, nn

from plumbline.artifacts import write_text
from plumbline.metrics.generative.frechet import features_to_fid
from plumbline.models import build
from plumbline.models.gan import discriminator_loss, generator_loss, update_average
from plumbline.models.streams import Chunk
from plumbline.params import Params, check
from plumbline.tasks.adversarial import AdversarialTask
from plumbline.tasks.language import LanguageTask

import measure
from measure import Row

ROOT = Path(__file__).resolve().parents[1]
FAILED, NOT_RUN = "failed", "not run"
ALL, GRACE = 465.0, 13.0  # seconds: of all comparisons together, and for the last one to give up
BEGAN = time.monotonic()
DEVICE_NAME = torch.cuda.get_device_name() if ON_GPU else None  # asked while the device answers


@dataclass(frozen=True)
class Size:
    """How much of everything: for a GPU, or so little that a CPU shows that it runs."""

    backbones: tuple[str, ...]
    backbone_shape: dict[str, int]
    steps: int  # of the LSTM and the DCGAN
    streams: int
    hidden: int
    gan_image: int
    gan_batch: int
    inception: tuple[str, int, int]  # architecture, images, side
    small: tuple[str, ...]
    small_shape: dict[str, int]


FULL = Size(("resnet50", "vit_small_patch16_224"),
            {"image": 224, "batch": 256, "steps": 30, "matrix": 8192}, 30, 64, 256, 64, 128,
            ("inception_v3", 4096, 299), ("test_resnet", "test_vit"),
            {"count": 16_384, "batch": 128, "epochs": 10})  # fmt: skip
TINY = Size(("test_resnet",), {"image": 32, "batch": 4, "steps": 3, "matrix": 256},
            3, 2, 8, 16, 4, ("test_resnet", 16, 32), ("test_resnet",),
            {"count": 32, "batch": 8, "epochs": 1})  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="sizes at which nothing is measured")
    size = TINY if parser.parse_args().tiny else FULL
    # A device that hangs hears no alarm; the rows before it are in the file.
    faulthandler.dump_traceback_later(ALL + GRACE, exit=True)
    found: list[Row] = []
    for row in measure.announced(rows(size)):
        found.append(row)
        if ON_GPU and size is FULL:  # after every row, so that a device that fails keeps them
            write_text(Path(__file__).parent / "GPU.md", document(found))
    print(document(found))
    sys.exit(any(row.figure in (FAILED, NOT_RUN) for row in found))


def document(found: list[Row]) -> str:
    name = DEVICE_NAME or "this machine has no GPU, so the figures say nothing"
    return (
        f"# On a GPU\n\nWritten by `benchmarks/gpu.py` with torch {torch.__version__} on: {name}. "
        "Ratios are of speed, to the peer over the same network and data in this run."
        f"\n\n{measure.table(found)}"
    )


def rows(size: Size) -> Iterator[Row]:
    # PyYAML, because a machine lent for its GPU may lack the reader that DVC brings along.
    parameters = check(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")))
    for architecture in size.backbones:
        large = gpu_finetuning.rows(architecture, parameters, **size.backbone_shape)
        yield from attempted(architecture, large, seconds=150)
    yield from attempted("character LSTM", language(size, parameters), seconds=30)
    yield from attempted("DCGAN", gan(size, parameters), seconds=45)
    yield from attempted("features", features(size), seconds=60)
    for network, made in gpu_default.sections(parameters):
        yield from attempted(f"default {network}", made, seconds=30)
    for architecture in size.small:  # last: a capture that fails may leave the device unusable
        small = gpu_small.rows(architecture, parameters, **size.small_shape)
        yield from attempted(architecture, small, seconds=60)


def attempted(what: str, found: Iterable[Row], *, seconds: float) -> Iterator[Row]:
    """Yield rows, and where making them fails or takes too long one that says so.

    Each may take so many ``seconds``, less where ``ALL`` leaves less. What they held is let go.
    """
    until = min(time.monotonic() + seconds, BEGAN + ALL)
    made = iter(found)
    while True:
        if until - time.monotonic() <= 1:
            yield missing(what, NOT_RUN, f"None of its {seconds:g} seconds were left.")
            break
        try:
            with alarm(until):  # not while a row is written
                row = next(made, None)
        except Exception as error:
            traceback.print_exc()
            told = " ".join(str(error).split())[:200].replace("|", "/")
            yield missing(what, FAILED, f"{type(error).__name__}: {told}")
            break
        if row is None:
            break
        yield row
    del made, found
    with contextlib.suppress(RuntimeError):  # what a broken device answers to everything
        torch.compiler.reset()
        gc.collect()
        if ON_GPU:
            torch.cuda.empty_cache()


def missing(what: str, figure: str, why: str) -> Row:
    return Row(22, what, "", "", figure, "", reached=False, why=why)


@contextlib.contextmanager
def alarm(until: float) -> Iterator[None]:
    """Raise TimeoutError in the block when the time is over."""
    seconds = max(until - time.monotonic(), 0.01)

    def ring(*_: object) -> None:
        raise TimeoutError(f"took longer than the {seconds:.0f} seconds it had")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def language(size: Size, parameters: Params) -> Iterator[Row]:
    codes, length = 65, 64
    text = torch.randint(codes, (size.steps, length + 1, size.streams), device=DEVICE)
    starts = torch.zeros(size.streams, dtype=torch.bool, device=DEVICE)
    chunks = [Chunk(part[:-1], part[1:], starts) for part in text]
    torch.manual_seed(0)
    made = build(
        "rnn", vocabulary_size=codes, cell="lstm", embedding_dim=64, hidden_dim=size.hidden,
        layers=1, dropout=0.0, tied=False,
    ).to(DEVICE)  # fmt: skip
    task = LanguageTask(made, settings=parameters.train_rnn.optimisation)
    ours = lightning(task, Loaded(chunks), parameters)
    embedding, lstm = nn.Embedding(codes, 64), nn.LSTM(64, size.hidden)
    head = nn.Linear(size.hidden, codes)
    peer = nn.ModuleList([embedding, lstm, head]).to(DEVICE)
    optimizer = torch.optim.AdamW(peer.parameters(), lr=1e-3, fused=True)

    def step(chunk: Chunk) -> None:
        with torch.autocast(**AUTOCAST):
            logits = head(lstm(embedding(chunk.inputs))[0])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), chunk.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    theirs = plain(step, lambda: iter(chunks))
    characters = size.steps * length * size.streams / ours
    yield ratio(22, "character LSTM", f"{size.streams} × {length}, H={size.hidden}",
                 "plain loop of nn.LSTM", ours, theirs, goal=1,
                 note=f"{characters:,.0f} characters/s")  # fmt: skip


def gan(size: Size, parameters: Params) -> Iterator[Row]:
    settings = parameters.train_gan
    shape = {"image_size": size.gan_image, "channels": 3, "classes": 10,
             "base_channels": 8 if size is TINY else 64}  # fmt: skip

    def networks() -> tuple[Any, Any]:
        torch.manual_seed(0)
        made = (build("generator", latent_dim=settings.latent_dim, **shape),
                build("discriminator", spectral_norm=True, **shape))  # fmt: skip
        return tuple(part.to(DEVICE, memory_format=torch.channels_last) for part in made)  # type: ignore[return-value]

    images = torch.rand(size.gan_batch, 3, size.gan_image, size.gan_image, device=DEVICE) * 2 - 1
    labels = torch.arange(size.gan_batch, device=DEVICE) % 10
    batches = [(images, labels)] * size.steps
    ours = lightning(AdversarialTask(*networks(), settings=settings), Loaded(batches), parameters)
    generator, discriminator = networks()
    average = copy.deepcopy(generator)
    first, second = (
        torch.optim.Adam(part.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for part in (generator, discriminator)
    )

    def step(batch: tuple[Tensor, Tensor]) -> None:
        real, classes = batch
        latent = torch.randn(len(classes), settings.latent_dim, device=DEVICE)
        with torch.autocast(**AUTOCAST):
            fakes = generator(latent, classes)
            loss = discriminator_loss(
                discriminator(real, classes), discriminator(fakes.detach(), classes),
                kind=settings.loss,
            )  # fmt: skip
        second.zero_grad()
        loss.backward()
        second.step()
        with torch.autocast(**AUTOCAST):
            loss = generator_loss(discriminator(fakes, classes), kind=settings.loss)
        first.zero_grad()
        loss.backward()
        first.step()
        update_average(average, generator, decay=settings.ema_decay)

    theirs = plain(step, lambda: iter(batches))
    yield ratio(22, "DCGAN", f"{size.gan_batch} × {size.gan_image}", "plain loop", ours, theirs,
                 goal=1, note=f"{size.steps / ours:,.0f} updates/s of both")  # fmt: skip


def features(size: Size) -> Iterator[Row]:
    """Extract features for a Fréchet distance in bfloat16, and in full precision."""
    import timm

    architecture, count, side = size.inception
    torch.manual_seed(0)
    extractor = timm.create_model(architecture, num_classes=0).eval().to(DEVICE)
    images = torch.rand(count, 3, side, side, device=DEVICE)
    quick = copy.deepcopy(extractor).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def extract(network: nn.Module, *, half: bool) -> Tensor:
        with torch.autocast(**AUTOCAST, enabled=half):
            return torch.cat([network(part).float() for part in images.split(128)])

    def clock(network: nn.Module, *, half: bool) -> tuple[float, np.ndarray]:
        torch.backends.cudnn.allow_tf32 = half  # or what is called fp32 would round to 10 bits
        found = extract(network, half=half)
        synchronise()
        start = time.perf_counter()
        found = extract(network, half=half)
        synchronise()
        return time.perf_counter() - start, found.double().cpu().numpy()

    allowed = torch.backends.cudnn.allow_tf32
    try:
        (ours, reduced), (theirs, exact) = clock(quick, half=True), clock(extractor, half=False)
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    distance = features_to_fid(reduced, exact)
    yield ratio(22, f"features of {architecture}", f"{count:,} × {side}", "fp32 without TF32",
                 ours, theirs, goal=3, note=f"{distance:.2g} apart")  # fmt: skip


if __name__ == "__main__":
    main()
