"""Fit two networks in the processes that torchrun started: ``sharded_fit.py ddp|fsdp OUT``.

The first process writes what the test compares: losses, the share of the weights that its optimiser
holds, and whether all that is left is whole.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from plumbline.compat import torchvision

torchvision.install()

import torch  # noqa: E402
from pytorch_lightning import Callback, LightningDataModule  # noqa: E402

from plumbline.models import build  # noqa: E402
from plumbline.models.streams import Chunk  # noqa: E402
from plumbline.params.models import TrainerParams  # noqa: E402
from plumbline.runs.checkpoints import Checkpoints  # noqa: E402
from plumbline.tasks.classify import ClassifierTask  # noqa: E402
from plumbline.tasks.language import LanguageTask  # noqa: E402
from plumbline.training.engine.factory import build_trainer, fit, restore_best  # noqa: E402
from plumbline.training.engine.history import RunRecordLogger  # noqa: E402
from plumbline.training.engine.loaders import Batches, MemoryBatches  # noqa: E402
from plumbline.training.recipes.base import VAL_LOSS  # noqa: E402
from plumbline.training.recipes.fitted import portable_weights  # noqa: E402

SETTINGS = SimpleNamespace(
    optimizer="adamw", lr=0.01, beta2=0.999, weight_decay=0.1, schedule="cosine",
    warmup_fraction=0.1, label_smoothing=0.0, l1=0.001,
)  # fmt: skip


class Loaders(LightningDataModule):
    def __init__(self, train, val):
        super().__init__()
        self.train, self.val = train, val

    def train_dataloader(self):
        return self.train

    def val_dataloader(self):
        return self.val


class Chunks(Batches[Chunk]):
    def __init__(self, chunks):
        super().__init__()
        self.chunks = chunks

    def __len__(self):
        return len(self.chunks)

    def batches(self, first):
        yield from self.chunks[first:]


class Held(Callback):
    """The share of a network's numbers for which this process's optimiser has a state."""

    def on_train_end(self, trainer, module):
        local = [
            p.to_local() if hasattr(p, "to_local") else p
            for group in trainer.optimizers[0].param_groups for p in group["params"]
        ]  # fmt: skip
        every = sum(p.numel() for p in module.parameters())
        self.share = sum(p.numel() for p in local) / every


def cnn():
    draw = torch.Generator().manual_seed(0)
    targets = torch.arange(64) % 4
    images = (
        torch.randint(0, 128, (64, 1, 16, 16), generator=draw) + 30 * targets[:, None, None, None]
    )
    network = build("cnn", image_size=16, image_channels=1, channels=[4, 8], feature_dim=8,
                    outputs=4, dropout=0.0, mean=[0.5], scale=[0.25])  # fmt: skip
    batches = MemoryBatches(images.to(torch.uint8), targets, batch_size=8, shuffle=False)
    return ClassifierTask(network, settings=SETTINGS), batches


def rnn():
    network = build("rnn", vocabulary_size=12, cell="lstm", embedding_dim=8, hidden_dim=16,
                    layers=2, dropout=0.0, tied=False)  # fmt: skip
    text = (torch.arange(9)[:, None] * torch.arange(1, 5)) % 12
    chunk = Chunk(text[:-1], text[1:], torch.zeros(4, dtype=torch.bool))
    return LanguageTask(network, settings=SETTINGS), Chunks([chunk] * 4)


def fitted(start, strategy, folder):
    torch.manual_seed(0)
    task, batches = start()
    network, logger, held = task.network, RunRecordLogger(), Held()
    params = TrainerParams(
        accelerator="cpu", devices=2, num_nodes=1, strategy=strategy, precision="32-true",
        deterministic=True, threads=1, kernels="portable", checkpoint_seconds=1e9, trace=False,
        diagnostics=False,
    )  # fmt: skip
    trainer = build_trainer(
        params, stage="fit", checkpoints=Checkpoints(folder), logger=logger, seed=0, max_epochs=3,
        monitor=VAL_LOSS, gradient_clip=0.5, accumulate=2, callbacks=[held],
    )  # fmt: skip
    fit(trainer, task, Loaders(batches, batches))
    restore_best(trainer, task)
    weights = portable_weights(network)
    return {
        "losses": [row[VAL_LOSS] for row in logger.history.rows.values()],
        "share": held.share,
        "same": task.network is network,
        "sum": sum(float(value.double().abs().sum()) for value in weights.values()),
    }


if __name__ == "__main__":
    strategy, out = sys.argv[1:]
    found = {
        start.__name__: fitted(start, strategy, Path(out).parent / start.__name__)
        for start in (cnn, rnn)
    }
    if torch.distributed.get_rank() == 0:
        Path(out).write_text(json.dumps(found))
    torch.distributed.destroy_process_group()
