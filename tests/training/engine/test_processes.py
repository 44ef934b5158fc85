from __future__ import annotations

import subprocess
import sys

import pytest

from plumbline.training.engine import processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def ended():
    yield
    processes.end()


def test_others_are_one_fewer_than_all_and_know_their_rank(tmp_path):
    program = "import os, pathlib; pathlib.Path(os.environ['LOCAL_RANK']).touch()"
    processes.start(
        ["sh", "-c", f'cd {tmp_path} && {sys.executable} -c "{program}"'], count=3, stage="s"
    )
    processes.wait()
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}


def test_a_process_that_lives_or_ended_well_is_no_failure():
    processes.start(SLEEP, count=2, stage="s")
    assert processes.failure("s", within=0.2) is None
    processes.end()
    processes.start([sys.executable, "-c", ""], count=2, stage="s")
    assert processes.failure("s", within=2) is None


@pytest.mark.parametrize(
    ("program", "how"),
    [("raise SystemExit(6)", "exit code 6"), ("import os; os.kill(os.getpid(), 9)", "signal 9")],
)
def test_a_process_that_failed_is_named_with_how_it_ended(program, how):
    processes.start([sys.executable, "-c", program], count=2, stage="train_toy")
    assert processes.failure("train_toy", within=20) == (
        "train_toy: every process of the training must live until its end, got local rank 1 ended "
        f"by {how}; see its own message above, or look for a lack of memory, and run it again"
    )


def test_a_first_process_that_hears_nothing_is_ended_with_code_6():
    program = (
        "import sys, time; from plumbline.training.engine import processes as p; p._GRACE = 0.1; "
        "p.start([sys.executable, '-c', 'raise SystemExit(3)'], count=2, stage='train_toy'); "
        "time.sleep(100)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 6
    assert done.stderr.startswith("train_toy: every process of the training must live until")
