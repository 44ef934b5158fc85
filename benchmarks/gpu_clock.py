"""How training is timed for ``gpu.py``: through Lightning and by plain loops."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from plumbline.compat import torchvision

torchvision.install()
# Asked at a process's first matrix product, which is long before the deterministic fits.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch  # noqa: E402
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer  # noqa: E402
from torch import Tensor  # noqa: E402

from plumbline.params import Params  # noqa: E402
from plumbline.runs.checkpoints import Checkpoints  # noqa: E402
from plumbline.training.engine.factory import build_trainer, fit  # noqa: E402
from plumbline.training.engine.history import RunRecordLogger  # noqa: E402
from plumbline.training.engine.loaders import Batches  # noqa: E402

from measure import Row  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ON_GPU = DEVICE.type == "cuda"
AUTOCAST = {"device_type": DEVICE.type, "dtype": torch.bfloat16}


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


class Given(LightningDataModule):
    """A loader that is given."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self._batches = batches

    def train_dataloader(self) -> Any:
        """Return it."""
        return self._batches


class Validated(Given):
    """A loader that is given, for training and validation."""

    def val_dataloader(self) -> Any:
        """Return it."""
        return self._batches


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
            logger=RunRecordLogger(), seed=0, max_epochs=2, callbacks=[clock], validate_every=3,
        )  # fmt: skip
        # Never validated, but a task that could be asks for something to validate on.
        kind = Validated if task.automatic_optimization else Given
        fit(trainer, task, kind(batches))
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
