"""Two users of one work tree, and the end of the command that started the stages."""

from __future__ import annotations

import os
import re
import signal
import sys
import time

import psutil
import pytest

from plumbline.runs import record_files
from tests.toy import Toy

REPRO = [sys.executable, "-m", "plumbline.cli", "repro"]


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


def wait_for(toy: Toy, name: str) -> None:
    end = time.monotonic() + 60
    while not (toy.folder / name).exists():
        assert time.monotonic() < end, name
        time.sleep(0.02)


def test_a_second_run_waits_for_the_first_and_each_stage_runs_once(toy):
    first = toy.start(*REPRO, "-j", "2")
    wait_for(toy, ".plumbline/repro.json")
    second = toy.start(*REPRO, "-j", "2")
    texts = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), texts
    waits = r"repro: waits for process (\d+) \(since \d\d:\d\d:\d\d\), which runs the pipeline of"
    assert re.search(waits, texts[1])[1] == str(first.pid)
    assert "waits" not in texts[0]
    stages = [record_files.read_record(one)["stage"] for one in record_files.read_all(toy.folder)]
    assert sorted(stages) == ["evaluate@fnn", "train_fnn"]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_kill_of_the_command_ends_its_stages_and_lets_the_next_one_run(toy, jobs):
    process = toy.start(*REPRO, "-j", jobs, TOY="wait")
    wait_for(toy, "waiting")
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) >= 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(below, timeout=30)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
    process.communicate()
    [record] = [record_files.read_record(one) for one in record_files.read_all(toy.folder)]
    assert (record["status"], toy.lock) == ("KILLED", "")
    done = toy.run(*REPRO, "-j", jobs)
    assert "waits" not in done.stderr
    assert "train_fnn:" in toy.lock


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 255, "stopped: interrupted"), (signal.SIGTERM, 241, "SIGTERM received")],
)
def test_signals_have_the_codes_of_a_serial_run(toy, jobs, number, code, said):
    process = toy.start(*REPRO, "-j", jobs, TOY="wait")
    wait_for(toy, "waiting")
    if number == signal.SIGINT:  # as from a terminal
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == code, text
    assert said in text
    assert toy.lock == ""
