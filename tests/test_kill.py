"""Real training stages, killed at random moments in every way, end with the same bits."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from plumbline.runs import dvc_files, record_files, records
from plumbline.tracking import store, sync
from tests.clone import clone_reduced

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

COMMANDS = {
    f"train@{model}": ["pipelines/train.py", model]
    for model in ("fnn", "rnn", "gan", "finetune_full")
}
# Long enough to be hit on the way, with a checkpoint after every batch.
LONGER: dict[str, Any] = {
    "trainer": {"checkpoint_seconds": 0},
    "data_text": {"max_characters": 60000},
    "train_fnn": {"optimisation": {"max_epochs": 12}},
    # A checkpoint must be the largest file that a stage writes, for a disk to be full at it.
    "train_rnn": {"hidden_dim": 64},
    "train_gan": {"steps": 60},
    "finetune": {"probe_views": 2},
}


class Clone:
    """A clone of HEAD with reduced parameters, its own DVC settings and the inputs of training."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self.env = {**clone_reduced(root, folder, LONGER), "PLUMBLINE_TRACKING": "off"}
        self.repro(*COMMANDS)

    def start(self, stage: str, **options: Any) -> subprocess.Popen[str]:
        """Start a stage as DVC does."""
        words = [sys.executable, *COMMANDS[stage]]
        return self._start(words, {"DVC_STAGE": stage}, **options)

    def start_dvc(self, stage: str) -> subprocess.Popen[str]:
        return self._start([sys.executable, "-m", "dvc", "repro", "-s", "-f", stage], {})

    def repro(self, *words: str) -> None:
        process = self._start([sys.executable, "-m", "dvc", "repro", *words], {})
        text, _ = process.communicate(timeout=600)
        assert process.returncode == 0, text[-4000:]

    def _start(
        self, words: list[str], env: dict[str, str], **options: Any
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, cwd=self.folder, env={**self.env, **env}, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
        )  # fmt: skip

    def checkpoints(self, stage: str) -> list[Path]:
        """Return the checkpoints and results of a stage, in the order they were made in."""
        found = (self.folder / ".plumbline/work" / stage).glob("*/*/*.ckpt")
        fits = {"probe": 0, "fit": 1}
        return sorted(found, key=lambda path: (fits[path.parent.name], path.name))

    def record(self, stage: str) -> dict[str, Any]:
        """Return the newest record of a stage."""
        every = [record_files.read_record(folder) for folder in record_files.read_all(self.folder)]
        return [record for record in every if record["stage"] == stage][-1]

    def end(self, stage: str) -> dict[str, Any]:
        """Return what a stage that has ended left: hashes of its outputs, values of its record."""
        record = self.record(stage)
        assert record["status"] == records.FINISHED
        rows, _ = record_files.read_metrics(records.runs_folder(self.folder) / record["key"])
        values = [(row["k"], row["s"], row["v"]) for row in rows]
        assert len({row[:2] for row in values}) == len(values)
        outs = dvc_files.stage(self.folder, stage).outs
        return {
            "outs": {out: dvc_files.content_hash(self.folder / out) for out in outs},
            "values": sorted(values, key=str),
        }


@pytest.fixture(scope="module")
def clone(root, tmp_path_factory):
    made = Clone(root, tmp_path_factory.mktemp("clone") / "plumbline")
    made.expected = {stage: made.end(stage) for stage in COMMANDS}
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


def wait_for_progress(clone: Clone, stage: str, process: subprocess.Popen[str], more: int) -> bool:
    """Wait until a stage has made some checkpoints more; False if it ended before."""
    seen = {path.name for path in clone.checkpoints(stage)}
    new: set[str] = set()
    end = time.monotonic() + 120
    while len(new) < more:
        assert time.monotonic() < end, "no progress"
        if process.poll() is not None:
            return False
        new |= {path.name for path in clone.checkpoints(stage)} - seen
        time.sleep(0.002)
    return True


def stop(clone: Clone, stage: str, process: subprocess.Popen[str], way: str) -> str:
    """Stop a stage in one of the ways in which it happens, and wait for its end."""
    if way == "kill":
        os.kill(clone.record(stage)["pid"], signal.SIGKILL)
    elif way == "kill dvc":  # the stage is left alone and must end itself
        process.kill()
    elif way == "kill all":
        os.killpg(process.pid, signal.SIGKILL)
    elif way == "terminate":
        os.kill(clone.record(stage)["pid"], signal.SIGTERM)
    else:
        os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=120)
    assert process.returncode != 0, text[-2000:]
    return text


WAYS = ["kill", "terminate", "interrupt", "kill all", "kill dvc"]


@pytest.mark.parametrize("stage", COMMANDS)
def test_a_stage_killed_again_and_again_ends_with_the_bits_of_an_unkilled_one(clone, stage):
    draw = random.Random(f"kill {stage}")
    kills, before = 0, clone.record(stage)["key"]
    ways = draw.sample(WAYS, len(WAYS))
    for way in ways:
        process = clone.start_dvc(stage) if "dvc" in way else clone.start(stage)
        if not wait_for_progress(clone, stage, process, draw.randint(1, 6)):
            process.communicate()
            break
        text = stop(clone, stage, process, way)
        kills += 1
        if way in ("terminate", "interrupt"):
            assert re.search(r"the next repro goes on from (batch \d+|the end) of", text), text
    process = clone.start_dvc(stage)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text[-3000:]
    print(f"{stage}: {kills} kills ({', '.join(ways[:kills])})")
    assert kills == len(WAYS)
    record = clone.record(stage)
    assert record["key"] != before
    assert (record["attempts"], len(record["stops"])) == (kills + 1, kills)
    assert clone.end(stage) == clone.expected[stage]
    assert clone.checkpoints(stage) == []


def test_a_torn_checkpoint_is_passed_over_by_the_next_process(clone):
    stage, draw = "train@gan", random.Random("torn")
    for spoil in ("truncate", "zero"):
        process = clone.start(stage)
        assert wait_for_progress(clone, stage, process, 5)
        stop(clone, stage, process, "kill all")
        newest = clone.checkpoints(stage)[-1]
        size = newest.stat().st_size
        cut = draw.randrange(size)
        os.truncate(newest, cut)
        if spoil == "zero":  # what some file systems leave behind after a power cut
            os.truncate(newest, size)
        clone.torn = newest.name
    process = clone.start(stage)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    assert f"fit/{clone.torn}: checkpoint is damaged and not used" in text
    assert clone.end(stage) == clone.expected[stage]


def test_a_full_disk_ends_a_stage_with_one_line_and_room_lets_it_go_on(clone):
    stage = "train@rnn"
    process = clone.start(stage)
    assert wait_for_progress(clone, stage, process, 4)
    stop(clone, stage, process, "kill")
    size = clone.checkpoints(stage)[-1].stat().st_size

    # A file may not grow to what a checkpoint needs; the record has room.
    room = size - 1000
    assert room > (clone.folder / "dvc.lock").stat().st_size

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    process = clone.start(stage, preexec_fn=no_room)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 9, text
    line = text.splitlines()[-1]
    assert re.fullmatch(
        r"train@rnn: disk must have room, got 'File too large'( at \S+)?; free some and run it "
        r"again; it goes on from batch \d+ of fit",
        line,
    ), text
    assert clone.record(stage)["error"] == line
    process = clone.start(stage)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    assert clone.end(stage) == clone.expected[stage]


@contextlib.contextmanager
def server(folder: Path, port: int):
    """A real MLflow server on a store of its own."""
    words = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri",
             f"sqlite:///{folder}/server.db", "--host", "127.0.0.1", "--port", str(port),
             "--workers", "1"]  # fmt: skip
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        words, env=env, cwd=folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            assert time.monotonic() < end, "the server must start"
            time.sleep(0.2)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_server_that_dies_stops_nothing_and_gets_every_step_once(clone, tmp_path, monkeypatch):
    stage, port = "train@gan", free_port()
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    clone.env |= {"MLFLOW_TRACKING_URI": uri, "PLUMBLINE_TRACKING": "on"}
    try:
        with server(tmp_path, port):
            sync.sync(clone.folder)
            process = clone.start(stage)
            assert wait_for_progress(clone, stage, process, 3)
        assert process.poll() is None  # the server died before the stage did
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text
    finally:
        clone.env["PLUMBLINE_TRACKING"] = "off"
        del clone.env["MLFLOW_TRACKING_URI"]
    assert clone.end(stage) == clone.expected[stage]
    with server(tmp_path, port):
        outcome = sync.sync(clone.folder)
        assert (outcome.live, outcome.waiting, outcome.down) == (0, 0, "")
        seen = runs_of(clone, stage)[-1]
        assert_whole(clone, stage, seen)


def test_every_killed_stage_is_one_mlflow_run_with_every_step_once(clone):
    sync.sync(clone.folder)
    for stage in COMMANDS:
        for run in runs_of(clone, stage):
            assert_whole(clone, stage, run)
    killed = [run for run in runs_of(clone, "train@fnn") if "plumbline.attempts" in run.data.tags]
    assert [run.data.tags["plumbline.attempts"] for run in killed] == ["6"]
    assert "plumbline.stopped.5" in killed[0].data.tags


def runs_of(clone: Clone, stage: str) -> list[Any]:
    view = store.connect(clone.folder)
    clone.client = view.client
    found = view.client.search_runs([view.experiment], order_by=["start_time ASC"])
    return [
        run
        for run in found
        if run.info.run_name == stage and run.data.tags["dvc.origin"] == "executed"
    ]


def assert_whole(clone: Clone, stage: str, run: Any) -> None:
    """The run has ended well and has the values of an unkilled stage, each once."""
    assert run.info.status == "FINISHED"
    assert "error" not in run.data.tags
    expected: dict[str, list[tuple[int, float]]] = {}
    for name, step, value in clone.expected[stage]["values"]:
        expected.setdefault(name, []).append((step, value))
    for name, values in expected.items():
        history = clone.client.get_metric_history(run.info.run_id, name)
        assert sorted((row.step, row.value) for row in history) == sorted(values), name


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
