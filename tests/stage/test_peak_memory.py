"""The peak memory of a stage: in its run record, with its children, and of itself alone."""

import subprocess
import sys
import time

import pytest

from plumbline.runs import record_files
from plumbline.stage import peak_memory
from tests.toy import Toy

MIB = 2**20

STAGE = """
import subprocess, sys, time
from pathlib import Path

from plumbline import artifacts, stage

FILL = (
    "import time; held = bytearray({size}); held[::4096] = b'x' * len(held[::4096]); "
    "time.sleep({seconds})"
)


def main(run):
    BODY
    artifacts.write_text(run.out(Path("data/predictions/fnn.parquet")), "a table")
    artifacts.write_text(run.out(Path("reports/metrics/fnn.json")), "{}")


if __name__ == "__main__":
    stage.execute(main)
"""
ALLOCATES = "held = bytearray(300 * 2**20); held[::4096] = b'x' * len(held[::4096]); del held"
CHILD = (
    "subprocess.run([sys.executable, '-c', FILL.format(size=300 * 2**20, seconds={seconds})], "
    "check=True, start_new_session={apart})"
)


def recorded(folder, body: str) -> int:
    toy = Toy(folder)
    (toy.folder / "pipelines/evaluate.py").write_text(STAGE.replace("BODY", body), encoding="utf-8")
    (toy.folder / "data/models/fnn").mkdir(parents=True)
    toy.stage("evaluate@fnn")
    (folder,) = record_files.read_all(toy.folder)
    return record_files.read_record(folder)["peak_memory"]


def test_a_stage_that_allocates_300_mib_for_a_moment_records_them(tmp_path):
    assert 300 * MIB < recorded(tmp_path / "toy", ALLOCATES) < 900 * MIB


def test_the_memory_of_a_child_counts(tmp_path):
    found = recorded(tmp_path / "toy", CHILD.format(seconds=1.7, apart=False))
    assert 300 * MIB < found < 900 * MIB


def test_a_process_that_outlives_the_stage_does_not_count(tmp_path):
    assert recorded(tmp_path / "toy", CHILD.format(seconds=1.7, apart=True)) < 300 * MIB


def test_the_peak_is_not_that_of_the_process_that_started_this_one():
    """Linux hands ``ru_maxrss`` down through fork and exec."""
    held = bytearray(200 * MIB)
    held[::4096] = b"x" * len(held[::4096])
    program = "from plumbline.stage import peak_memory; print(peak_memory.own_peak())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert len(held) == 200 * MIB
    assert 5 * MIB < int(done.stdout) < 200 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what is shared")
def test_pages_that_forked_children_share_with_their_parent_count_once():
    program = (
        "import os, time\n"
        "from plumbline.stage import peak_memory\n"
        "held = bytearray(200 * 2**20); held[::4096] = b'x' * len(held[::4096])\n"
        "children = []\n"
        "for _ in range(3):\n"
        "    child = os.fork()\n"
        "    if child == 0: time.sleep(60)\n"
        "    children.append(child)\n"
        "print(peak_memory.resident())\n"
        "for child in children: os.kill(child, 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 200 * MIB < int(done.stdout) < 300 * MIB


def test_a_sample_costs_little():
    """One a second: less than one part in a hundred of a processor."""
    peak_memory.resident()  # imports psutil
    began = time.process_time()
    for _ in range(20):
        peak_memory.resident()
    assert (time.process_time() - began) / 20 < 0.01
