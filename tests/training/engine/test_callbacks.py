from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch

from plumbline.errors import TrainingError
from plumbline.training.engine import callbacks
from plumbline.training.engine.callbacks import Progress, StopAtNonFiniteLoss


def trainer(*, batches: int = 10, epoch: int = 1, epochs: int = 4, per_epoch: float = 5):
    return SimpleNamespace(
        fit_loop=SimpleNamespace(total_batch_idx=batches - 1),
        train_dataloader=None,
        current_epoch=epoch,
        max_epochs=epochs,
        num_training_batches=per_epoch,
        callback_metrics={
            "val/loss": torch.tensor(0.25),
            "train/loss": torch.tensor(0.5),
            "val/accuracy": torch.tensor(0.9),
        },
        is_global_zero=True,
        should_stop=False,
    )


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    return now


def test_a_line_says_stage_epoch_share_losses_and_time_left(clock):
    progress = Progress("train_toy", terminal=False)
    clock[0] = 30.0
    assert progress.line(trainer()) == (
        "train_toy: epoch 2/4   50 %  train/loss 0.5  val/loss 0.25  at most 30 s left"
    )


def test_a_finished_fit_has_no_time_left_and_an_endless_one_no_share(clock):
    progress = Progress("train_toy", terminal=False)
    assert progress.line(trainer(batches=20, epoch=3)) == (
        "train_toy: epoch 4/4  100 %  train/loss 0.5  val/loss 0.25"
    )
    assert progress.line(trainer(per_epoch=float("inf"))) == (
        "train_toy: epoch 2/4  train/loss 0.5  val/loss 0.25"
    )


def test_without_a_terminal_epochs_are_logged_seconds_apart_and_the_last_always(clock, caplog):
    caplog.set_level(logging.INFO)
    progress = Progress("train_toy", terminal=False)
    for epoch, at in enumerate([1.0, 2.0, 3.5, 4.0]):
        clock[0] = at
        progress.on_train_epoch_end(trainer(epoch=epoch), None)
    assert [message.split("  ")[0] for message in caplog.messages] == [
        "train_toy: epoch 3/4",
        "train_toy: epoch 4/4",
    ]


def test_a_long_epoch_is_logged_every_fifteen_seconds(clock, caplog):
    caplog.set_level(logging.INFO)
    progress = Progress("train_toy", terminal=False)
    for at in range(40):
        clock[0] = float(at)
        progress.on_train_batch_end(trainer(), None, None, None, 0)
    assert len(caplog.messages) == 2


def test_on_a_terminal_one_line_is_rewritten_in_place(clock, capsys):
    progress = Progress("train_toy", terminal=True)
    progress.on_train_start(trainer(), None)
    for at in (0.05, 0.2, 0.25, 0.4):
        clock[0] = at
        progress.on_train_batch_end(trainer(), None, None, None, 0)
    progress.on_train_end(trainer(), None)
    written = capsys.readouterr().err
    assert written.count("\r\x1b[2Ktrain_toy: epoch 2/4") == 2
    assert written.count("\n") == 1
    assert written.endswith("\n")


def test_only_the_first_process_shows_progress(clock, capsys):
    other = trainer()
    other.is_global_zero = False
    clock[0] = 1.0
    progress = Progress("train_toy", terminal=True)
    progress.on_train_batch_end(other, None, None, None, 0)
    assert capsys.readouterr().err == ""


def test_every_loss_of_a_mapping_is_checked_by_name():
    losses = {"generator": torch.tensor(1.0), "discriminator": torch.tensor(float("inf"))}
    with pytest.raises(TrainingError) as caught:
        StopAtNonFiniteLoss("train_toy").on_train_batch_end(trainer(), None, losses, None, 0)
    assert str(caught.value) == (
        "train_toy: training discriminator must be finite, got inf at batch 10 (epoch 1); "
        "lower the learning rate, clip gradients, or look for extreme values in the data"
    )


def test_a_step_that_returns_no_loss_is_not_checked():
    StopAtNonFiniteLoss("train_toy").on_train_batch_end(trainer(), None, None, None, 0)
