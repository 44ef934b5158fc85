"""Training on a GPU beside plain loops: python benchmarks/gpu.py (under eight minutes on one).

Needs torch, Lightning, timm, torchmetrics and this package with what its parameters need. On a GPU
it writes ``GPU.md``; elsewhere it prints, and ``--tiny`` makes it quick enough to see that it runs.
Weights are random and images noise: nothing here is about accuracy but the last rows.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline import torchvision_guard

torchvision_guard.install()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from pytorch_lightning import Callback, LightningModule, Trainer  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from plumbline.artifacts import write_text  # noqa: E402
from plumbline.checkpoints import Checkpoints  # noqa: E402
from plumbline.metrics.frechet import features_to_fid  # noqa: E402
from plumbline.models import build  # noqa: E402
from plumbline.models.gan import discriminator_loss, generator_loss, update_average  # noqa: E402
from plumbline.models.streams import Chunk  # noqa: E402
from plumbline.params import Params, load  # noqa: E402
from plumbline.tasks.adversarial import AdversarialTask  # noqa: E402
from plumbline.tasks.classify import ClassifierTask  # noqa: E402
from plumbline.tasks.language import LanguageTask  # noqa: E402
from plumbline.training.factory import build_trainer, fit  # noqa: E402
from plumbline.training.history import JournalLogger  # noqa: E402
from plumbline.training.loaders import Batches, MemoryBatches  # noqa: E402

import measure  # noqa: E402
from measure import Row  # noqa: E402

ROOT = Path(__file__).parents[1]
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ON_GPU = DEVICE.type == "cuda"
AUTOCAST = {"device_type": DEVICE.type, "dtype": torch.bfloat16}


@dataclass(frozen=True)
class Size:
    """How much of everything: for a GPU, or so little that a CPU shows that it runs."""

    backbones: tuple[str, ...]
    image: int
    batch: int
    steps: int
    streams: int
    hidden: int
    gan_image: int
    gan_batch: int
    inception: tuple[str, int, int]  # architecture, images, side


FULL = Size(("resnet50", "vit_small_patch16_224"), 224, 256, 30, 64, 256, 64, 128,
            ("inception_v3", 4096, 299))  # fmt: skip
TINY = Size(("test_resnet",), 32, 4, 3, 2, 8, 16, 4, ("test_resnet", 16, 32))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="sizes at which nothing is measured")
    size = TINY if parser.parse_args().tiny else FULL
    text = document(list(measure.announced(rows(size))))
    print(text)
    if ON_GPU and size is FULL:
        write_text(Path(__file__).parent / "GPU.md", text)


def document(found: list[Row]) -> str:
    name = (
        torch.cuda.get_device_name()
        if ON_GPU
        else "this machine has no GPU, so the figures say nothing"
    )
    return (
        f"# On a GPU\n\nWritten by `benchmarks/gpu.py` with torch {torch.__version__} on: {name}. "
        "Ratios are of steps a second to a plain loop over the same network and data in this run."
        f"\n\n{measure.table(found)}"
    )


def rows(size: Size) -> Iterator[Row]:
    parameters = load(ROOT / "params.yaml")
    peak = matrix_rate(256 if size is TINY else 8192)
    for architecture in size.backbones:
        yield from finetuning(architecture, size, parameters, peak)
    yield language(size, parameters)
    yield gan(size, parameters)
    yield features(size)
    yield from default_training(parameters)


def synchronise() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def matrix_rate(side: int) -> float:
    """Return the operations a second of a bfloat16 matrix product, the limit that is stated."""
    a = torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16)
    seconds = []
    for _ in range(5):
        synchronise()
        start = time.perf_counter()
        a @ a
        synchronise()
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)


class Clock(Callback):
    """The seconds of the second epoch: the first one compiles and chooses kernels."""

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        synchronise()
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Read it."""
        synchronise()
        self.seconds = time.perf_counter() - self._start


def lightning(task: LightningModule, batches: Batches[Any], parameters: Params, **options: Any
              ) -> float:  # fmt: skip
    """Run two epochs through the pipeline's own trainer and return the seconds of the second."""
    clock = Clock()
    trainer_params = parameters.trainer.model_copy(
        update={
            "accelerator": "gpu" if ON_GPU else "cpu", "precision": "bf16-mixed",
            "deterministic": False, "checkpoint_seconds": 1e9, **options,
        }
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(
            trainer_params, stage="gpu", checkpoints=Checkpoints(Path(folder)),
            logger=JournalLogger(), seed=0, max_epochs=2, callbacks=[clock], validate_every=3,
        )  # fmt: skip
        # Never validated, but a task that could be asks for something to validate on.
        fit(trainer, task, batches, batches if task.automatic_optimization else None)
    return clock.seconds


def plain(step: Callable[[Any], object], batches: Callable[[], Iterator[Any]]) -> float:
    """Run a step over all batches twice and return the seconds of the second pass."""
    seconds = 0.0
    for _ in range(2):
        synchronise()
        start = time.perf_counter()
        for batch in batches():
            step(batch)
        synchronise()
        seconds = time.perf_counter() - start
    return seconds


def ratio(number: int, what: str, size: str, peer: str, ours: float, theirs: float, *,
          goal: float, note: str = "") -> Row:  # fmt: skip
    found = theirs / ours
    return Row(number, what, size, peer, f"{found:.2f}×", f"≥ {goal:g}×",
               found >= goal if ON_GPU else None, ours, theirs, note,
               "See the seconds; no profile was made.")  # fmt: skip


def peak_memory() -> str:
    return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if ON_GPU else "not measured"


def finetuning(architecture: str, size: Size, parameters: Params, peak: float) -> Iterator[Row]:
    count = size.batch * size.steps
    few = min(count, 2 * size.batch)  # images; the others are the same ones again
    images = torch.randint(0, 256, (few, 3, size.image, size.image), dtype=torch.uint8)
    chosen = torch.arange(count) % few
    targets = torch.arange(few) % 10
    settings = parameters.finetune.optimisation

    def network() -> nn.Module:
        torch.manual_seed(0)
        return build(
            "timm", architecture=architecture, outputs=10, image_size=size.image, channels=3,
            mean=[0.5] * 3, scale=[0.25] * 3, dropout=0.0,
        )  # fmt: skip

    def quick() -> Any:
        made = network().to(DEVICE, memory_format=torch.channels_last)
        return torch.compile(made) if ON_GPU else made

    flops = training_flops(network(), images[:1])
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()
    resident = Again(images.to(DEVICE), targets.to(DEVICE), chosen, size.batch)
    ours = lightning(ClassifierTask(quick(), settings=settings), resident, parameters)
    memory = peak_memory()
    made = quick()
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3, fused=True)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        with torch.autocast(**AUTOCAST):
            loss = nn.functional.cross_entropy(made(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    theirs = plain(step, lambda: resident.batches(0))
    share = flops * count / ours / peak
    shape = f"{size.batch} × {size.image} × {size.image}"
    yield ratio(22, f"fine-tuning {architecture}", shape, "plain loop, as compiled", ours, theirs,
                goal=0.95, note=f"{count / ours:,.0f} images/s, {memory}, {share:.0%} of the "
                "bfloat16 matrix product's rate")  # fmt: skip
    data = torch.utils.data.TensorDataset(images[chosen], targets[chosen])
    loader = Loaded(torch.utils.data.DataLoader(data, batch_size=size.batch, shuffle=True))
    naive = ClassifierTask(network(), settings=settings)
    slow = lightning(naive, loader, parameters, precision="32-true")
    yield ratio(22, f"fine-tuning {architecture}", shape, "eager Lightning, fp32, DataLoader",
                ours, slow, goal=2)  # fmt: skip


class Again(Batches[tuple[Tensor, Tensor]]):
    """Batches of rows by number from tensors on the device."""

    def __init__(self, inputs: Tensor, targets: Tensor, chosen: Tensor, size: int) -> None:
        super().__init__()
        self.inputs, self.targets = inputs, targets
        self._parts = chosen.to(inputs.device).split(size)

    def __len__(self) -> int:
        return len(self._parts)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches from number ``first`` on."""
        for part in self._parts[first:]:
            yield self.inputs[part], self.targets[part]


class Loaded(Batches[Any]):
    """Batches of any loader."""

    def __init__(self, loader: Any) -> None:
        super().__init__()
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def batches(self, first: int) -> Iterator[Any]:
        """Yield the batches; ``first`` is 0, for nothing is resumed here."""
        yield from self._loader


def training_flops(network: nn.Module, sample: Tensor) -> float:
    """Return the operations of a training step on one sample: three times the forward pass."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(sample)
    return 3.0 * counter.get_total_flops()


def language(size: Size, parameters: Params) -> Row:
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
    return ratio(22, "character LSTM", f"{size.streams} × {length}, H={size.hidden}",
                 "plain loop of nn.LSTM", ours, theirs, goal=1,
                 note=f"{characters:,.0f} characters/s")  # fmt: skip


def gan(size: Size, parameters: Params) -> Row:
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
    return ratio(22, "DCGAN", f"{size.gan_batch} × {size.gan_image}", "plain loop", ours, theirs,
                 goal=1, note=f"{size.steps / ours:,.0f} updates/s of both")  # fmt: skip


def features(size: Size) -> Row:
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
        found = extract(network, half=half)
        synchronise()
        start = time.perf_counter()
        found = extract(network, half=half)
        synchronise()
        return time.perf_counter() - start, found.double().cpu().numpy()

    (ours, reduced), (theirs, exact) = clock(quick, half=True), clock(extractor, half=False)
    distance = features_to_fid(reduced, exact)
    return ratio(22, f"features of {architecture}", f"{count:,} × {side}", "fp32", ours, theirs,
                 goal=3, note=f"distance between the two: {distance:.2g}")  # fmt: skip


def default_training(parameters: Params) -> Iterator[Row]:
    """Fit the default feed-forward network here, here again, and on the CPU."""
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(352, 8, generator=draw)
    targets = (inputs[:, 0] + 0.5 * torch.randn(352, generator=draw) > 0).long()
    options = parameters.train_fnn.model_dump(mode="json", exclude={"optimisation"})

    def fitted(accelerator: str) -> Tensor:
        torch.manual_seed(0)
        network = build("fnn", inputs=8, outputs=2, **{**options, "dropout": 0.0})
        task = ClassifierTask(network, settings=parameters.train_fnn.optimisation)
        batches = MemoryBatches(inputs, targets, batch_size=32, shuffle=True, seed=0)
        lightning(task, batches, parameters, accelerator=accelerator, precision="32-true",
                  deterministic=True)  # fmt: skip
        with torch.no_grad():
            return network.cpu().eval()(inputs).softmax(1)

    here, again = (fitted("gpu" if ON_GPU else "cpu") for _ in range(2))
    cpu = fitted("cpu")
    same, apart = torch.equal(here, again), float((here - cpu).abs().max())
    yield Row(22, "default network, a repeat", "2 epochs", "itself",
              "the same bits" if same else "other bits", "the same bits", same)  # fmt: skip
    yield Row(22, "default network, its probabilities", "2 epochs", "the CPU",
              f"{apart:.1g} apart", "≤ 0.001", apart <= 1e-3)  # fmt: skip


if __name__ == "__main__":
    main()
