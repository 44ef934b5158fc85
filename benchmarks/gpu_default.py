"""The trainings of the default pipeline on a GPU: a repeat has the same bits, the CPU is near.

Networks and settings are those of ``params.yaml`` in its deterministic mode and full precision;
data are random numbers that say something of the targets, so that a loss has somewhere to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from gpu_clock import ON_GPU, Loaded, lightning
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from plumbline.models import build
from plumbline.models.streams import Chunk
from plumbline.params import Params
from plumbline.params.blocks import Block
from plumbline.tasks.adversarial import AdversarialTask
from plumbline.tasks.classify import ClassifierTask
from plumbline.tasks.language import LanguageTask, Reader
from plumbline.training.engine.loaders import Batches, MemoryBatches

from measure import Row

ROWS, FEATURES, CLASSES, SIDE, CODES, LENGTH, STREAMS, STEPS = 352, 8, 4, 16, 30, 32, 8, 6
WITHIN = 0.01  # how far the loss after two epochs may be from the CPU's, relative

Fit = tuple[LightningModule, Batches[Any], Callable[[Any], Tensor] | None]


def sections(parameters: Params) -> Iterator[tuple[str, Iterator[Row]]]:
    """Yield the name of each network and its rows."""
    for name, start in (("fnn", fnn), ("cnn", cnn), ("rnn", rnn), ("gan", gan)):
        yield name, rows(name, start, parameters)


def rows(name: str, start: Callable[[Params], Fit], parameters: Params) -> Iterator[Row]:
    """Fit here, here again, and on the CPU where what is drawn on the way is the same there."""
    here, again = (fitted(start, parameters, "gpu" if ON_GPU else "cpu") for _ in range(2))
    same = all(torch.equal(here[0][key], value) for key, value in again[0].items())
    yield Row(22, f"default {name}, a repeat", "2 epochs", "itself",
              "the same bits" if same else "other bits", "the same bits", same)  # fmt: skip
    if here[1] is None:
        return
    cpu = fitted(start, parameters, "cpu")[1]
    apart = abs(here[1] - cpu) / cpu
    yield Row(22, f"default {name}, its loss", "2 epochs", "the CPU", f"{apart:.1g} apart",
              f"≤ {WITHIN:g}", apart <= WITHIN, note=f"{here[1]:.4g} and {cpu:.4g}")  # fmt: skip


def fitted(
    start: Callable[[Params], Fit], parameters: Params, accelerator: str
) -> tuple[dict[str, Tensor], Any]:
    """Return the weights after a fit and its loss, None of a network that draws on the device."""
    torch.manual_seed(0)
    task, batches, loss = start(parameters)
    lightning(task, batches, parameters, accelerator=accelerator, precision="32-true",
              deterministic=True)  # fmt: skip
    task.cpu().eval()
    with torch.no_grad():
        found = None if loss is None else float(loss(task))
    return {name: value.clone() for name, value in task.state_dict().items()}, found


def fnn(parameters: Params) -> Fit:
    inputs = torch.randn(ROWS, FEATURES)
    targets = (inputs[:, 0] + 0.5 * torch.randn(ROWS) > 0).long()
    block = parameters.train_fnn
    return classifier("fnn", block, (inputs, targets), inputs=FEATURES, outputs=2)


def cnn(parameters: Params) -> Fit:
    targets = torch.arange(ROWS) % CLASSES
    noise = torch.randint(0, 128, (ROWS, 1, SIDE, SIDE))
    images = (noise + 30 * targets[:, None, None, None]).to(torch.uint8)
    return classifier("cnn", parameters.train_cnn, (images, targets), image_channels=1,
                      image_size=SIDE, outputs=CLASSES, mean=[0.5], scale=[0.25])  # fmt: skip


def classifier(name: str, block: Any, data: tuple[Tensor, Tensor], **arguments: Any) -> Fit:
    inputs, targets = data
    network = build(name, **{**options(block), "dropout": 0.0, **arguments})
    batches = MemoryBatches(inputs, targets, batch_size=32, shuffle=True, seed=0)

    def loss(task: Any) -> Tensor:
        return nn.functional.cross_entropy(task.network(inputs), targets)

    return ClassifierTask(network, settings=block.optimisation), batches, loss


def rnn(parameters: Params) -> Fit:
    made = options(parameters.train_rnn) | {"dropout": 0.0, "vocabulary_size": CODES}
    made.pop("sequence_length")
    text = (torch.arange(LENGTH + 1)[:, None] * torch.arange(1, STREAMS + 1)) % CODES
    starts = torch.zeros(STREAMS, dtype=torch.bool)
    chunks = [Chunk(text[:-1], (text[1:] + step % 2) % CODES, starts) for step in range(STEPS)]

    def loss(task: Any) -> Tensor:
        reader = Reader()
        nats, characters = zip(*(reader.read(task.network, chunk) for chunk in chunks), strict=True)
        return torch.stack(nats).sum() / sum(characters)

    task = LanguageTask(build("rnn", **made), settings=parameters.train_rnn.optimisation)
    return task, Loaded(chunks), loss


def gan(parameters: Params) -> Fit:
    block = parameters.train_gan
    shape: dict[str, Any] = {"image_size": SIDE, "channels": 1, "classes": CLASSES,
                             "base_channels": block.base_channels}  # fmt: skip
    generator: Any = build("generator", latent_dim=block.latent_dim, **shape)
    discriminator: Any = build("discriminator", spectral_norm=block.spectral_norm, **shape)
    labels = torch.arange(32) % CLASSES
    batches = [(torch.rand(len(labels), 1, SIDE, SIDE) * 2 - 1, labels) for _ in range(STEPS)]
    return AdversarialTask(generator, discriminator, settings=block), Loaded(batches), None


def options(block: Block) -> dict[str, Any]:
    fit = {"architecture", "augmentation", "classification", "optimisation", "regularisation"}
    return block.model_dump(mode="json", exclude=fit)
