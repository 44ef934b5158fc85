"""A process that predicts has the threads that it may use, and none of them spins."""

import os
import subprocess
import sys

import pytest

from plumbline.compat import threads
from plumbline.errors import ParamsError

TOLD = (
    "import os; from plumbline.compat import threads; threads.choose(); import torch; "
    "print(torch.get_num_threads(), os.environ['OMP_WAIT_POLICY'])"
)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1600000 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_processors_are_those_of_the_affinity_mask_within_the_quota(
    tmp_path, monkeypatch, files, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert threads.processors(tmp_path) == expected


def told(program: str, **variables: str) -> list[str]:
    """Return the words that a new process prints."""
    kept = {k: v for k, v in os.environ.items() if k not in (*threads.POOLS, "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, **variables}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_torch_gets_the_processors_of_the_process_or_the_number_that_is_asked_for():
    assert told(TOLD) == [str(threads.processors()), "PASSIVE"]
    assert told(TOLD, PLUMBLINE_THREADS="1") == ["1", "PASSIVE"]
    assert told(TOLD, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="ACTIVE") == ["1", "ACTIVE"]
    assert told(TOLD, OMP_NUM_THREADS="8", PLUMBLINE_THREADS="1") == ["1", "PASSIVE"]


def test_a_torch_that_is_loaded_keeps_its_threads_unless_a_number_is_asked_for():
    loaded = f"import torch; torch.set_num_threads(7); {TOLD}"
    assert told(loaded)[0] == "7"
    assert told(loaded, PLUMBLINE_THREADS="2")[0] == "2"


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("PLUMBLINE_THREADS", text)
    with pytest.raises(ParamsError) as caught:
        threads.choose()
    assert str(caught.value) == (
        f"PLUMBLINE_THREADS: number of threads must be a whole number >= 1, got {text!r}; correct "
        "or unset it"
    )
