from __future__ import annotations

import re
import signal

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.strategies import ParallelStrategy

from plumbline.errors import TrainingError
from plumbline.runs.checkpoints import Checkpoints
from plumbline.training.engine.factory import build_trainer, fit, restore_best
from plumbline.training.engine.history import RunRecordLogger
from plumbline.training.engine.loaders import MemoryBatches
from plumbline.training.engine.sharding import Sharded
from tests.training.loaders import Loaders


class Descent(LightningModule):
    """One weight; the loss of an epoch is what ``losses`` says."""

    def __init__(self, losses: list[float], *, validation: list[float] | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.losses, self.validation = losses, validation or losses
        self.seen: list[list[int]] = []
        self.draws: list[float] = []

    def on_train_epoch_start(self) -> None:
        self.seen.append([])

    def training_step(self, batch, batch_idx):
        self.seen[-1] += batch[1].tolist()
        self.draws.append(torch.rand(1).item())
        return (self.weight - 1).sum() * 0 - self.weight.sum() + self.losses[self.current_epoch]

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.validation[self.current_epoch], batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def rows(**changes):
    defaults = {"batch_size": 4, "shuffle": True, "seed": 1}
    return MemoryBatches(torch.zeros(8, 1), torch.arange(8), **{**defaults, **changes})


def data():
    return Loaders(rows(), rows(shuffle=False))


@pytest.fixture
def make(tmp_path, trainer_params):
    def build(**changes):
        defaults = {
            "stage": "train_toy",
            "checkpoints": Checkpoints(tmp_path / "fit"),
            "logger": RunRecordLogger(),
            "seed": 7,
            "max_epochs": 4,
        }
        params = changes.pop("params", trainer_params())
        return build_trainer(params, **{**defaults, **changes})

    return build


def test_parameters_reach_lightning_as_they_are(make, trainer_params):
    trainer = make(
        params=trainer_params(precision="64-true", devices=1, num_nodes=1, deterministic=True),
        gradient_clip=0.5,
        validate_every=2,
    )
    assert trainer.precision == "64-true"
    assert (trainer.num_devices, trainer.num_nodes) == (1, 1)
    assert trainer.gradient_clip_val == 0.5
    assert trainer.check_val_every_n_epoch == 2
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("unused_parameters", "changes", "looks"),
    [
        (True, {"devices": 2, "strategy": "ddp"}, True),
        (True, {"devices": 2}, True),
        (True, {"num_nodes": 2, "strategy": "ddp"}, True),
        (True, {"devices": 2, "strategy": "fsdp"}, True),
        (False, {"devices": 2, "strategy": "ddp"}, False),
        (True, {"devices": 2, "strategy": "ddp_find_unused_parameters_false"}, False),
    ],
)
def test_parameters_may_go_without_a_gradient_where_the_task_says_so(
    make, trainer_params, unused_parameters, changes, looks
):
    trainer = make(params=trainer_params(**changes), unused_parameters=unused_parameters)
    assert trainer.world_size == 2
    assert trainer.strategy._ddp_kwargs.get("find_unused_parameters", False) is looks


def test_several_processes_share_the_weights_and_one_keeps_them(make, trainer_params):
    several = make(params=trainer_params(devices=2, strategy="fsdp"))
    assert isinstance(several.strategy, Sharded)
    alone = make(params=trainer_params(devices=1, num_nodes=1, strategy="fsdp"))
    assert not isinstance(alone.strategy, ParallelStrategy)


def test_a_single_process_does_not_look_for_parameters_without_a_gradient(make):
    assert not isinstance(make(unused_parameters=True).strategy, ParallelStrategy)


def test_draws_differ_between_processes(make, monkeypatch):
    def draws(rank: int) -> list[float]:
        monkeypatch.setattr(Trainer, "global_rank", rank)
        module = Descent([0.0] * 2)
        fit(make(max_epochs=2), module, data())
        return module.draws

    assert not set(draws(0)) & set(draws(1))


def test_a_signal_has_the_answer_of_the_stage_while_a_fit_runs(make):
    def answer(number, frame):
        raise AssertionError

    class Asking(Descent):
        def training_step(self, batch, batch_idx):
            self.answer = signal.getsignal(signal.SIGTERM)
            return super().training_step(batch, batch_idx)

    before = signal.signal(signal.SIGTERM, answer)
    try:
        module = Asking([0.0] * 4)
        fit(make(), module, data())
        assert module.answer is answer
        assert signal.getsignal(signal.SIGTERM) is answer
    finally:
        signal.signal(signal.SIGTERM, before)


def test_no_epoch_is_kept_without_a_metric_to_choose_by(make):
    trainer = make()
    message = "training.restore_best: trainer must have kept the best epoch, got no monitor"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        restore_best(trainer, Descent([1.0]))


def test_patience_as_long_as_the_fit_needs_no_early_stop(make):
    def kinds(trainer):
        return [type(callback) for callback in trainer.callbacks]

    assert EarlyStopping in kinds(make(monitor="val/loss", patience=3))
    assert EarlyStopping not in kinds(make(monitor="val/loss", patience=4))


def test_the_weights_of_the_best_epoch_come_back(make):
    trainer, module = make(monitor="val/loss"), Descent([0.0] * 4, validation=[3.0, 1.0, 2.0, 2.5])
    fit(trainer, module, data())
    # Every update adds the learning rate 1; two batches an epoch.
    assert module.weight.item() == 8
    assert restore_best(trainer, module) == 1
    assert module.weight.item() == 4


def test_a_fit_without_a_validation_has_no_best_epoch(make):
    message = "training.KeepBest: fit must have been validated, got no epoch"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        restore_best(make(monitor="val/loss"), Descent([1.0]))


def test_a_fit_stops_when_the_metric_no_longer_gets_better(make):
    trainer = make(monitor="val/loss", patience=1)
    fit(trainer, Descent([0.0] * 4, validation=[1.0, 2.0, 0.5, 0.4]), data())
    assert trainer.current_epoch == 2


def test_every_epoch_has_the_order_of_its_number(make):
    module = Descent([0.0] * 3)
    fit(make(max_epochs=3), module, data())
    for epoch, seen in enumerate(module.seen):
        loader = rows()
        loader.set_epoch(epoch)
        assert seen == torch.cat([y for _, y in loader]).tolist()
    assert len({tuple(seen) for seen in module.seen}) == 3


def test_draws_within_a_fit_depend_on_seed_and_epoch_alone(make):
    def draws(seed: int) -> list[float]:
        module = Descent([0.0] * 2)
        torch.rand(seed + 3)  # whatever was drawn before
        fit(make(max_epochs=2, seed=seed), module, data())
        return module.draws

    assert draws(7) == draws(7)
    assert len(set(draws(7))) == 4
    assert draws(7) != draws(8)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_first_training_loss_that_is_not_finite_stops_the_fit(make, bad):
    message = (
        f"train_toy: training loss must be finite, got {bad} at batch 3 (epoch 1); "
        "lower the learning rate, clip gradients, or look for extreme values in the data"
    )
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
        fit(make(), Descent([0.0, bad, 0.0, 0.0]), data())


def test_a_validation_loss_that_is_not_finite_stops_the_fit_before_patience_does(make):
    message = (
        "train_toy: validation loss must be finite, got nan (epoch 0); "
        "lower the learning rate, clip gradients, or look for extreme values in the data"
    )
    trainer = make(monitor="val/loss", patience=1)
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
        fit(trainer, Descent([0.0] * 4, validation=[float("nan")] * 4), data())


def test_values_logged_before_a_failure_reach_the_sink(make):
    heard = []
    logger = RunRecordLogger(lambda values, *, step: heard.append(values))
    module = Descent([0.0, float("nan")], validation=[0.25, 0.25])
    with pytest.raises(TrainingError):
        fit(make(logger=logger, max_epochs=2), module, data())
    assert heard == [{"val/loss": 0.25}]


def test_an_interrupted_fit_raises_the_interrupt(make):
    class Interrupted(Descent):
        def training_step(self, batch, batch_idx):
            raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(make(), Interrupted([0.0] * 4), data())
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it ignored


def test_an_exit_that_is_no_interrupt_stays_an_exit(make):
    class Leaving(Descent):
        def training_step(self, batch, batch_idx):
            raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        fit(make(), Leaving([0.0] * 4), data())
    assert caught.value.code == 3


def test_sixteen_bit_precision_is_used_where_asked(make, trainer_params):
    class Typed(Descent):
        def training_step(self, batch, batch_idx):
            self.product = torch.ones(2, 2) @ torch.ones(2, 2)
            return super().training_step(batch, batch_idx)

    module = Typed([0.0] * 4)
    fit(
        make(params=trainer_params(precision="bf16-mixed", kernels="native"), max_epochs=1),
        module,
        data(),
    )
    assert module.product.dtype == torch.bfloat16
