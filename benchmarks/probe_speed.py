"""A linear probe on features that are computed once, against the frozen network in every epoch.

The network is `test_efficientnet` at 64 pixels with the weights it starts from: its features are as
dear as good ones. Both sides train the head on the digits by the same updates in the same order.
"""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from plumbline import artifacts, models, names, params
from plumbline.artifacts import DatasetSchema
from plumbline.data.images import prepare_images
from plumbline.models import backbones
from plumbline.models.layers import pixel_statistics
from plumbline.params import Params
from plumbline.params.models import Augmentation, FinetuneParams
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.fitting import Fitted, Where, fit_supervised, image_examples
from plumbline.training.history import History
from plumbline.training.pretraining import HUB, save_backbone
from plumbline.training.transfer import LINEAR_PROBE, finetune

import measure
from measure import Row, Turns, faster, take_turns

SEED, SIZE, LABELS, BATCH = 1, 64, 90, 128
SHORT, LONG = 10, 30  # epochs
STILL = Augmentation(shift=0, rotate=0, scale=0, mirror=False)
LEFT = (
    "What is left is one pass of the backbone, and Lightning's millisecond for a step of the head."
)


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Found .* in eval mode")  # of the naive side
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parameters = params.load()
        images = parameters.data_images.model_copy(
            update={"sizes": (SIZE,), "labels_per_class": LABELS}
        )
        prepare_images(images).write(folder / "data")
        write_backbone(folder)
        yield from compare(folder, parameters)


def write_backbone(folder: Path) -> None:
    schema = DatasetSchema.read(folder / "data")
    torch.manual_seed(SEED)
    pixels = torch.from_numpy(images_of(folder))
    mean, scale = pixel_statistics(pixels)
    network: Any = models.build(
        "timm", architecture="test_efficientnet", outputs=len(schema.classes), image_size=SIZE,
        channels=1, mean=mean, scale=scale,
    )  # fmt: skip
    network.train()
    with torch.no_grad():  # so that batch normalisation has statistics
        network(pixels)
    config = artifacts.ModelConfig(
        model="backbone", architecture="timm", arguments={}, kind=names.CLASSIFICATION,
        dataset=schema.dataset, source=schema.source, classes=schema.classes,
        inputs=(), outputs=(),
    )  # fmt: skip
    save_backbone(Fitted(network.eval(), config, History()), folder / "backbone")


def images_of(folder: Path) -> Any:
    rows = len(artifacts.read_split_table(folder / "data"))
    return artifacts.read_images(folder / "data", SIZE, rows=rows)


def compare(folder: Path, parameters: Params) -> Iterator[Row]:
    numbers = itertools.count()

    def settings(epochs: int) -> FinetuneParams:
        chosen = parameters.finetune
        changes = {"max_epochs": epochs, "batch_size": BATCH}
        return chosen.model_copy(
            update={
                "backbone": f"local-dir:{folder / 'backbone' / HUB}",
                "image_size": SIZE,
                "augmentation": STILL,
                "probe_views": 1,
                "optimisation": chosen.optimisation.model_copy(update=changes),
            }
        )

    def where() -> Where:
        work = folder / f"fit{next(numbers)}"
        return Where(stage="bench", work=work, seed=SEED, trainer=parameters.trainer)

    def ours(epochs: int = SHORT) -> Fitted:
        data = folder / "data"
        return finetune(settings(epochs), strategy=LINEAR_PROBE, data=data, where=where())

    def peer() -> tuple[nn.Module, History]:
        return naive(settings(SHORT), folder, where())

    accuracy = check(ours(), *peer())
    turns = take_turns(ours, peer, lambda: ours(LONG), turns=3)
    short, naive_seconds, long = turns.seconds
    note = f"1 thread, no augmentation, batch {BATCH}; validation accuracy {accuracy:.3f} both"
    for epochs, seconds, goal in ((SHORT, short, 8), (LONG, long, 20)):
        longer = epochs / SHORT
        yield faster(
            12, "linear probe, features kept", f"{epochs} epochs, {10 * LABELS} images",
            "frozen network in every step", Turns((seconds, naive_seconds)), goal=goal,
            scale=longer, why=LEFT,
            note=note if longer == 1 else f"peer: {SHORT} epochs, scaled",
        )  # fmt: skip


def check(mine: Fitted, theirs: nn.Module, history: History) -> float:
    ours: Any = mine.network
    head: Any = theirs.head
    assert torch.allclose(ours.head.weight, head.weight, atol=1e-4)
    assert torch.allclose(ours.head.bias, head.bias, atol=1e-4)
    accuracy, other = (h.rows[SHORT - 1]["val/accuracy"] for h in (mine.history, history))
    assert accuracy == other
    return accuracy


class Frozen(nn.Module):
    """A network whose head alone learns; its statistics stay what they are."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network, self.head = network.requires_grad_(False).eval(), network.head
        self.head.requires_grad_(True)

    def train(self, mode: bool = True) -> Frozen:
        """Stay in evaluation."""
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        outputs: Tensor = self.network(x)
        return outputs


def naive(settings: FinetuneParams, folder: Path, where: Where) -> tuple[nn.Module, History]:
    schema = DatasetSchema.read(folder / "data")
    table = artifacts.read_split_table(folder / "data")
    images = torch.from_numpy(images_of(folder))
    labelled = (table["split"] == names.TRAIN) & table["labelled"]
    torch.manual_seed(where.seed)
    network, _ = backbones.load_pretrained(
        settings.backbone, outputs=len(schema.classes), image_size=SIZE, channels=1
    )
    frozen = Frozen(network)
    history, _ = fit_supervised(
        ClassifierTask(frozen, settings=settings.optimisation),
        image_examples(table, images, rows=labelled),
        image_examples(table, images, rows=table["split"] == names.VAL),
        where=where,
        optimisation=settings.optimisation,
        keep_best=False,
    )
    return frozen, history


if __name__ == "__main__":
    measure.main(rows, __doc__)
