"""Stages whose training is spread over two processes, by ``params.yaml`` alone."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from plumbline.errors import TrainingError
from plumbline.runs import dvc_files, record_files, records
from plumbline.tracking import store, sync
from tests.clone import clone_reduced, lay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TWO = {"devices": 2, "strategy": "ddp"}
PARAMS: dict[str, Any] = {
    "trainer": {**TWO, "checkpoint_seconds": 0},
    # 264 rows are six times 2 x 22 or 44: all batches of an epoch are whole.
    "train_fnn": {"dropout": 0.0, "optimisation": {"max_epochs": 8, "batch_size": 22}},
    "train_gan": {"steps": 8, "log_every": 4},
}


class Work:
    """A clone of HEAD with reduced parameters and its own DVC settings."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self.env = {**clone_reduced(root, folder, PARAMS), "PLUMBLINE_TRACKING": "off"}

    def repro(self, *stages: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", "-s", *stages],
            cwd=self.folder, env=self.env, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def done(self, *stages: str) -> str:
        process = self.repro(*stages)
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text[-4000:]
        return text

    def records(self, stage: str) -> list[dict[str, Any]]:
        every = [record_files.read_record(folder) for folder in record_files.read_all(self.folder)]
        return [record for record in every if record["stage"] == stage]

    def values(self, stage: str) -> dict[str, list[tuple[int, float]]]:
        """Return the history of each value of the newest run; no step is there twice."""
        folder = records.runs_folder(self.folder) / self.records(stage)[-1]["key"]
        found: dict[str, list[tuple[int, float]]] = {}
        for row in record_files.read_metrics(folder)[0]:
            found.setdefault(row["k"], []).append((row["s"], row["v"]))
        assert all(len({step for step, _ in rows}) == len(rows) for rows in found.values())
        return found

    def outs(self, stage: str) -> dict[str, str]:
        return {out: dvc_files.content_hash(self.folder / out) for out in
                dvc_files.stage(self.folder, stage).outs}  # fmt: skip

    def while_training(self, stage: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
        """Start a stage and return it with its two processes once it has made checkpoints."""
        before = len(self.records(stage))
        process = self.repro("-f", stage)
        end = time.monotonic() + 120
        while not list((self.folder / ".plumbline/work" / stage).glob("*/*/0*.ckpt")):
            assert time.monotonic() < end, "no progress"
            assert process.poll() is None, "it ended"
            time.sleep(0.01)
        first = psutil.Process(self.records(stage)[-1]["pid"])
        assert len(self.records(stage)) == before + 1
        ranks = [first, *(p for p in first.children() if "pipelines/train.py" in p.cmdline())]
        assert len(ranks) == 2
        return process, ranks


@pytest.fixture(scope="module")
def work(root, tmp_path_factory):
    made = Work(root, tmp_path_factory.mktemp("two") / "plumbline")
    made.done("prepare@tabular", "prepare@images", "train@fnn")
    made.first, made.seen = made.outs("train@fnn"), made.values("train@fnn")
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


def test_one_record_and_one_mlflow_run_have_every_value_once(work, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it for later tests
    assert [record["status"] for record in work.records("train@fnn")] == [records.FINISHED]
    assert {name: len(rows) for name, rows in work.seen.items()} == {
        "train/loss": 8, "learning_rate": 8, "val/loss": 8, "val/accuracy": 8,
        "val/balanced_accuracy": 8, "val/auroc": 8,
    }  # fmt: skip
    sync.sync(work.folder)
    view = store.connect(work.folder)
    runs = view.client.search_runs([view.experiment])
    assert [run.info.run_name for run in runs].count("train@fnn") == 1
    run = next(run for run in runs if run.info.run_name == "train@fnn")
    for name, rows in work.seen.items():
        history = view.client.get_metric_history(run.info.run_id, name)
        assert sorted((row.step, row.value) for row in history) == sorted(rows)


def test_a_dead_process_fails_the_stage_soon_and_the_next_run_goes_on_to_the_same_bits(work):
    lock = (work.folder / "dvc.lock").read_text()
    process, ranks = work.while_training("train@fnn")
    ranks[1].send_signal(signal.SIGKILL)
    start = time.monotonic()
    text, _ = process.communicate(timeout=60)
    assert time.monotonic() - start < 40
    assert process.returncode != 0
    message = (
        "train@fnn: every process of the training must live until its end, got local rank 1 ended "
        "by signal 9; see its own message above, or look for a lack of memory, and run it again"
    )
    assert message in text.splitlines()
    assert f"exited with {TrainingError.exit_code}" in text
    record = work.records("train@fnn")[-1]
    assert (record["status"], record["error"]) == (records.FAILED, message)
    assert (work.folder / "dvc.lock").read_text() == lock
    assert not any(rank.is_running() for rank in ranks)

    work.done("-f", "train@fnn")
    assert work.records("train@fnn")[-1]["attempts"] == 2
    assert work.outs("train@fnn") == work.first
    assert work.values("train@fnn") == work.seen
    assert (work.folder / "dvc.lock").read_text() == lock


def test_processes_that_torchrun_started_make_the_same_bits(work):
    done = subprocess.run(
        ["torchrun", "--nproc-per-node", "2", "pipelines/train.py", "fnn"],
        cwd=work.folder, env=work.env, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert work.outs("train@fnn") == work.first
    assert work.values("train@fnn") == work.seen


def test_sharded_weights_come_to_the_losses_of_whole_ones_also_after_a_kill(work):
    lay(work.folder, {"trainer": {"strategy": "fsdp"}})
    work.done("train@fnn")
    sharded, outs = work.values("train@fnn"), work.outs("train@fnn")
    process, ranks = work.while_training("train@fnn")
    ranks[0].send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    work.done("-f", "train@fnn")
    assert work.records("train@fnn")[-1]["attempts"] == 2
    assert work.outs("train@fnn") == outs
    assert work.values("train@fnn") == sharded
    lay(work.folder, {"trainer": TWO})
    for name, rows in sharded.items():
        assert [value for _, value in rows] == pytest.approx(
            [value for _, value in work.seen[name]], rel=1e-5
        ), name


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_end_of_the_first_process_is_the_end_of_the_other(work, number):
    process, ranks = work.while_training("train@fnn")
    ranks[0].send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    psutil.wait_procs(ranks, timeout=30)
    assert not any(rank.is_running() for rank in ranks)
    shutil.rmtree(work.folder / ".plumbline/work/train@fnn")


def test_a_gan_updates_one_network_at_a_time_in_both_processes(work):
    work.done("train@gan")
    losses = work.values("train@gan")["train/discriminator_loss"]
    assert [step for step, _ in losses] == [4, 8]


def test_one_process_with_the_same_batches_in_all_has_the_same_losses(work):
    alone = {"trainer": {"devices": 1, "strategy": "auto"}}
    lay(work.folder, alone, {"train_fnn": {"optimisation": {"batch_size": 44}}})
    work.done("train@fnn")
    alone = work.values("train@fnn")
    assert set(alone) == set(work.seen)
    for name, rows in alone.items():
        assert [value for _, value in rows] == pytest.approx(
            [value for _, value in work.seen[name]], rel=1e-5
        ), name
