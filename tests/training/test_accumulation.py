from __future__ import annotations

import torch
from pytorch_lightning import Callback

from plumbline.models import build
from plumbline.runs.checkpoints import Checkpoints
from plumbline.tasks.classify import ClassifierTask
from plumbline.training.engine.factory import build_trainer, fit
from plumbline.training.engine.history import RunRecordLogger
from plumbline.training.engine.loaders import MemoryBatches
from tests.training.loaders import Loaders


class Gradients(Callback):
    """The gradient of every update, all parameters in one vector."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        self.seen.append(torch.cat([p.grad.flatten() for p in module.parameters()]))


def updates(tmp_path, trainer_params, optimisation, *, batch_size: int, accumulate: int):
    draw = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(96, 5, generator=draw), torch.arange(96) % 3
    torch.manual_seed(0)
    network = build(
        "fnn", inputs=5, outputs=3, hidden=[7], activation="tanh", dropout=0.0, norm="none",
        init="default",
    )  # fmt: skip
    task, gradients = ClassifierTask(network, settings=optimisation()), Gradients()
    trainer = build_trainer(
        trainer_params(),
        stage="train_toy",
        checkpoints=Checkpoints(tmp_path),
        logger=RunRecordLogger(),
        seed=1,
        max_epochs=2,
        gradient_clip=1.0,
        accumulate=accumulate,
        callbacks=[gradients],
    )
    batches = MemoryBatches(
        inputs, targets, batch_size=batch_size, accumulate=accumulate, shuffle=True, seed=1
    )
    fit(trainer, task, Loaders(batches, batches))
    return trainer.global_step, gradients.seen, task.state_dict()


def test_four_batches_of_8_make_the_updates_of_one_of_32(tmp_path, trainer_params, optimisation):
    steps, whole, end = updates(tmp_path, trainer_params, optimisation, batch_size=32, accumulate=1)
    few, parts, same = updates(tmp_path, trainer_params, optimisation, batch_size=8, accumulate=4)
    assert steps == few == len(whole) == len(parts) == 2 * 96 // 32
    for one, sum_of_four in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, sum_of_four, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(end, same, rtol=1e-5, atol=1e-6)
