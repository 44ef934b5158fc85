"""Which stages fit into memory together: sums by hand, control groups as text, real processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from plumbline.runs import records
from plumbline.stage import memory
from tests.toy import Toy

GIB = 2**30


@pytest.mark.parametrize(
    ("peak", "running", "free", "fits"),
    [
        (9, [], 1, True),  # nothing runs: it is tried
        (3, [(2, 2)], 3, True),  # the other has its peak already
        (3, [(2, 1)], 3, False),  # 3 + 1 > 3
        (3, [(2, 1)], 4, True),
        (3, [(2, 5)], 3, True),  # more than its last peak: no room comes back
        (3, [(2, 5), (4, 0)], 6, False),  # 3 + 0 + 4 > 6
        (3, [(2, 5), (4, 0)], 7, True),
    ],
)
def test_a_stage_starts_if_what_all_still_need_is_free(peak, running, free, fits):
    assert memory.admit(peak, running, free) is fits


def test_a_stage_that_has_not_run_needs_what_the_largest_like_it_needed():
    peaks = {"train@fnn": 2, "train@rnn": 5, "audit@fnn": 1, "report": 7}
    stages = ("train@fnn", "train@gan", "audit@rnn", "card@rnn")
    assert [memory.need(stage, peaks) for stage in stages] == [2, 5, 1, 7]
    assert memory.need("train@fnn", {}) == GIB


def group(folder: Path, limit: str, used: int, cache: int, *, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = {2: ("max", "current", ""), 1: ("limit_in_bytes", "usage_in_bytes", "total_")}[version]
    (folder / f"memory.{names[0]}").write_text(f"{limit}\n")
    (folder / f"memory.{names[1]}").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]}inactive_file {cache}\n")


def room(tmp_path: Path, listing: str) -> list[int]:
    (tmp_path / "listing").write_text(listing)
    return list(memory.cgroup_room(tmp_path / "listing", tmp_path / "mount"))


def test_every_group_above_a_process_limits_it(tmp_path):
    mount = tmp_path / "mount"
    group(mount / "user/job", str(8 * GIB), 5 * GIB, GIB)  # 8 - 5 + 1
    group(mount / "user", str(6 * GIB), 5 * GIB, 2 * GIB)  # 6 - 5 + 2
    group(mount, "max", 90 * GIB, GIB)
    assert room(tmp_path, "0::/user/job\n") == [4 * GIB, 3 * GIB]


def test_groups_of_version_1_limit_too(tmp_path):
    group(tmp_path / "mount/memory/job", str(3 * GIB), 2 * GIB, GIB, version=1)
    group(tmp_path / "mount/memory", str(2**63 - 4096), 9 * GIB, 0, version=1)  # no limit
    found = room(tmp_path, "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n")
    assert found == [2 * GIB, 2**63 - 4096 - 9 * GIB]


def test_in_a_container_the_mount_is_the_group(tmp_path):
    group(tmp_path / "mount/memory", str(3 * GIB), GIB, 0, version=1)
    assert room(tmp_path, "4:memory:/docker/0123\n") == [2 * GIB]


def test_a_system_without_groups_has_no_limit(tmp_path):
    assert list(memory.cgroup_room(tmp_path / "none", tmp_path)) == []
    assert room(tmp_path, "0::/user\n") == []
    group(tmp_path / "mount", "nonsense", 1, 1)
    assert room(tmp_path, "0::/\n") == []


def test_this_machine_has_some_memory_left_and_no_more_than_it_says():
    assert 0 < memory.available() <= psutil.virtual_memory().total


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
def test_a_limit_of_the_address_space_counts():
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "from plumbline.stage import memory\n"
        "print(memory.available(), memory.available(1000), memory.available(2**31))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    free, less, none = map(int, done.stdout.split())
    assert free <= GIB
    assert less <= GIB - 1000
    assert none == 0


@pytest.fixture
def process():
    """A process of a stage that holds 100 MiB."""
    program = "held = b'x' * (100 * 2**20); print('ready', flush=True); input()"
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "DVC_STAGE": "studies/toy/dvc.yaml:mitigate@none"},
    )
    assert started.stdout.readline() == b"ready\n"
    yield started
    started.communicate(b"\n")


def test_what_a_running_stage_holds_is_measured(process):
    found = memory.held()
    assert set(found) == {"mitigate@none"}
    assert 100 * 2**20 < found["mitigate@none"] < 200 * 2**20


def test_a_stage_that_needs_more_than_the_machine_waits_for_the_other(process):
    """What the running one holds already is asked of the machine no second time."""
    total = psutil.virtual_memory().total
    fits = memory.Memory({"a": 2 * total, "b": 1, "mitigate@none": 1})
    assert fits("a", [])
    assert not fits("a", ["mitigate@none"])
    assert fits("b", ["mitigate@none"])


def test_a_pipeline_runs_stages_one_after_another_that_do_not_fit_together(tmp_path):
    toy = Toy(tmp_path / "toy", lab=True)
    total = psutil.virtual_memory().total
    for stage in ("mitigate@none", "mitigate@drop"):
        book = records.open_record(toy.folder, stage)
        book.close(records.FINISHED, peak_memory=total)
    words = ("-m", "plumbline.cli", "repro", "-j", "2", "studies/toy/dvc.yaml")
    told = toy.run(sys.executable, *words, PLUMBLINE_TRACKING="off").stdout
    first, second = re.findall(r"(mitigate@\w+) started", told)
    end = told.index(f"{first} finished")
    assert told.index(f"{second} waits for memory") < end < told.index(f"{second} started")
