from __future__ import annotations

from pytorch_lightning.loggers import Logger

from plumbline.training.engine import history
from plumbline.training.engine.history import History, RunRecordLogger


def test_training_and_validation_values_of_an_epoch_share_a_row():
    found = History()
    found.add({"val/loss": 0.5}, epoch=0, step=9)
    found.add({"train/loss": 0.1234567890123}, epoch=0, step=10)
    found.add({"train/loss": 0.25, "val/loss": float("nan")}, epoch=1, step=20)
    assert found.csv() == ("epoch,step,train/loss,val/loss\n0,10,0.123456789,0.5\n1,20,0.25,\n")


def test_a_history_is_written_as_its_csv(tmp_path):
    found = History()
    found.add({"train/loss": 1.0}, epoch=3, step=5)
    found.write(tmp_path / "folder" / "toy.csv")
    assert (tmp_path / "folder" / "toy.csv").read_bytes() == b"epoch,step,train/loss\n3,5,1\n"


def test_values_without_an_epoch_get_a_row_by_step():
    logger = RunRecordLogger()
    logger.log_metrics({"train/loss": 1.0}, step=50)
    logger.log_metrics({"train/loss": 0.5}, step=100)
    assert logger.history.csv() == "epoch,step,train/loss\n50,50,1\n100,100,0.5\n"


def test_every_value_reaches_the_sink_once_and_in_order():
    heard = []
    logger = RunRecordLogger(lambda values, *, step: heard.append((step, values)))
    logger.log_metrics({"train/loss": 1.0, "epoch": 0}, step=4)
    logger.log_metrics({"epoch": 0}, step=4)
    logger.log_metrics({"val/loss": 2.0, "epoch": 0}, step=5)
    assert heard == []
    logger.finalize("failed")
    logger.finalize("failed")
    assert heard == [(4, {"train/loss": 1.0}), (5, {"val/loss": 2.0})]


def test_values_are_handed_on_once_a_second(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(history.time, "monotonic", lambda: now[0])
    heard = []
    logger = RunRecordLogger(lambda values, *, step: heard.append(step))
    for step, at in enumerate([100.2, 100.9, 101.1, 101.5]):
        now[0] = at
        logger.log_metrics({"train/loss": 1.0}, step=step)
    assert heard == [0, 1, 2]


def test_it_is_a_lightning_logger_with_a_name_and_no_version():
    logger = RunRecordLogger()
    assert isinstance(logger, Logger)
    logger.log_hyperparams({"lr": 1})
    assert (logger.name, logger.version) == ("run_record", "")
