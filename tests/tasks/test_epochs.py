from __future__ import annotations

import pytest
import torch
from pytorch_lightning import Callback, LightningModule

from plumbline.runs.checkpoints import Checkpoints
from plumbline.tasks.epochs import record
from plumbline.training.engine.factory import build_trainer, fit
from plumbline.training.engine.history import JournalLogger
from plumbline.training.engine.loaders import MemoryBatches


class Slope(LightningModule):
    """One weight that says something of each epoch, by Lightning's way or by ours."""

    def __init__(self, *, ours: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.say = (lambda values: record(self, values)) if ours else self.log_dict

    def training_step(self, batch, batch_idx):
        return self.weight.square().sum()

    def validation_step(self, batch, batch_idx):
        pass

    def on_validation_epoch_end(self):
        self.say({"val/loss": self.weight.square().sum(), "val/third": torch.tensor(1 / 3)})

    def on_train_epoch_end(self):
        # A number of Python's is rounded to single precision, as Lightning does.
        self.say({"train/loss": self.weight.sum(), "learning_rate": 0.1})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Heard(Callback):
    """What callbacks can read at the end of a validation and of an epoch."""

    def __init__(self) -> None:
        self.found: list[dict[str, float]] = []

    def on_validation_end(self, trainer, module):
        self.found.append({k: float(v) for k, v in trainer.callback_metrics.items()})

    def on_train_epoch_end(self, trainer, module):
        self.on_validation_end(trainer, module)


@pytest.mark.parametrize("validate_every", [1, 2])
def test_logger_and_callbacks_hear_what_lightnings_own_log_tells_them(
    tmp_path, trainer_params, validate_every
):
    def run(*, ours: bool):
        logger, heard = JournalLogger(), Heard()
        trainer = build_trainer(
            trainer_params(),
            stage="train_toy",
            checkpoints=Checkpoints(tmp_path / str(ours)),
            logger=logger,
            seed=1,
            max_epochs=4,
            validate_every=validate_every,
            callbacks=[heard],
        )
        rows = MemoryBatches(torch.zeros(6, 1), torch.arange(6), batch_size=2, shuffle=False)
        fit(trainer, Slope(ours=ours), rows, rows)
        return logger.history.entries, heard.found

    assert run(ours=True) == run(ours=False)
    entries, _ = run(ours=True)
    assert [step for *_, step in entries if step % 3 != 2] == []  # the third update of each epoch
