"""A linear probe on features that are computed once, against the frozen network in every epoch.

Two networks with the weights they start from, whose features are as dear as good ones: that of the
default pipeline on its 100 images, and a larger one on 900. Both sides train the head on the digits
by the same updates in the same order.
"""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from plumbline import artifacts, models, names, params
from plumbline.artifacts import DatasetSchema
from plumbline.data.images.prepare import prepare
from plumbline.models import backbones
from plumbline.models.layers import pixel_statistics
from plumbline.params import Params
from plumbline.params.models import FinetuneParams
from plumbline.params.regularisation import Augmentation
from plumbline.runs.fit_context import FitContext
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.data_modules.images import ImageDataModule
from plumbline.training.engine.history import History
from plumbline.training.recipes.base import fit_supervised
from plumbline.training.recipes.fitted import FittedModel
from plumbline.training.recipes.pretraining import HUB, PretrainedBackbone
from plumbline.training.recipes.transfer import finetune

import measure
from measure import Row, Turns, faster, take_turns

SEED = 1
SHORT, LONG = 10, 30  # epochs
STILL = Augmentation(shift=0, rotate=0, scale=0, mirror=False)


@dataclass(frozen=True)
class Case:
    """A network and what it learns from."""

    architecture: str
    size: int
    labels: int  # per class
    batch: int
    whole: bool  # whether the peer goes all epochs of the longer fit
    left: str


def rows() -> Iterator[Row]:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Found .* in eval mode")  # of the naive side
    parameters = params.load()
    default = Case(
        parameters.pretrain.backbone,
        parameters.finetune.image_size,
        parameters.data_images.labels_per_class,
        parameters.finetune.optimisation.batch_size,
        whole=True,
        left="An epoch takes 12 ms of processor time, four steps and a validation in Lightning, "
        "where the peer's takes 84: so small a network is no more than seven times that.",
    )
    larger = Case(
        "test_efficientnet", size=64, labels=90, batch=128, whole=False,
        left="What is left is one pass of the backbone, and Lightning's millisecond for a step of "
        "the head.",
    )  # fmt: skip
    for case in (default, larger):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            images = parameters.data_images.model_copy(
                update={"sizes": (case.size,), "labels_per_class": case.labels}
            )
            prepare(images, seed=1).write(folder / "data")
            write_backbone(folder, case)
            yield from compare(folder, parameters, case)


def write_backbone(folder: Path, case: Case) -> None:
    schema = DatasetSchema.read(folder / "data")
    torch.manual_seed(SEED)
    pixels = torch.from_numpy(images_of(folder, case))
    mean, scale = pixel_statistics(pixels)
    network: Any = models.build(
        "timm", architecture=case.architecture, outputs=len(schema.classes), image_size=case.size,
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
    PretrainedBackbone(network.eval(), config, History()).save(folder / "backbone")


def images_of(folder: Path, case: Case) -> Any:
    rows = len(artifacts.read_split_table(folder / "data"))
    return artifacts.read_images(folder / "data", case.size, rows=rows)


def compare(folder: Path, parameters: Params, case: Case) -> Iterator[Row]:
    numbers = itertools.count()

    def settings(epochs: int) -> FinetuneParams:
        chosen = parameters.finetune
        changes = {"max_epochs": epochs, "batch_size": case.batch}
        return chosen.model_copy(
            update={
                "backbone": f"local-dir:{folder / 'backbone' / HUB}",
                "image_size": case.size,
                "augmentation": STILL,
                "probe_views": 1,
                "optimisation": chosen.optimisation.model_copy(update=changes),
            }
        )

    def context() -> FitContext:
        work = folder / f"fit{next(numbers)}"
        return FitContext(stage="bench", work=work, seed=SEED, trainer=parameters.trainer)

    def ours(epochs: int = SHORT) -> FittedModel:
        data = folder / "data"
        return finetune(settings(epochs), strategy="linear_probe", data=data, context=context())

    def peer(epochs: int = SHORT) -> tuple[nn.Module, History]:
        return naive(settings(epochs), case, folder, context())

    accuracy = check(ours(), *peer())
    works = [lambda: ours(LONG), *([lambda: peer(LONG)] if case.whole else [])]
    short, naive_short, long, *more = take_turns(ours, peer, *works, turns=3).seconds
    naive_long = more[0] if more else tuple(LONG / SHORT * seconds for seconds in naive_short)
    network = f"{case.architecture}, {case.size} px, 1 thread, no augmentation"
    told = f"{network}; validation accuracy {accuracy:.3f} both"
    scaled = network if case.whole else f"{network}; peer: {SHORT} epochs, scaled"
    for epochs, seconds, goal, note in (
        (SHORT, (short, naive_short), 8, told),
        (LONG, (long, naive_long), 20, scaled),
    ):
        yield faster(
            12, "linear probe, features kept", f"{epochs} epochs, {10 * case.labels} images",
            "frozen network in every step", Turns(seconds), goal=goal, note=note, why=case.left,
        )  # fmt: skip


def check(mine: FittedModel, theirs: nn.Module, history: History) -> float:
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


def naive(
    settings: FinetuneParams, case: Case, folder: Path, context: FitContext
) -> tuple[nn.Module, History]:
    images = ImageDataModule(
        folder / "data", size=case.size, labelled=True, batch_size=case.batch, seed=context.seed
    )
    torch.manual_seed(context.seed)
    network, _ = backbones.load_pretrained(
        settings.backbone, outputs=len(images.schema.classes), image_size=case.size, channels=1
    )
    frozen = Frozen(network)
    history, _ = fit_supervised(
        ClassifierTask(frozen, settings=settings.optimisation),
        images,
        context=context,
        optimisation=settings.optimisation,
        keep_best=False,
    )
    return frozen, history


if __name__ == "__main__":
    measure.main(rows, __doc__)
