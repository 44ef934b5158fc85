"""The real pipeline with stages side by side: the lock and outputs of a serial run, also killed.

``PARALLEL_REPEATS`` says how many runs with random delays are compared (1 by default),
``PARALLEL_KILLS`` how many stops the killed run has (3 by default), and ``PARALLEL_TARGETS`` what
is run (by default the stages on tables and texts; ``dvc.yaml`` is the whole default pipeline).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from plumbline.runs import dvc_files, record_files
from tests.clone import clone_reduced

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

REPEATS = int(os.environ.get("PARALLEL_REPEATS", "1"))
KILLS = int(os.environ.get("PARALLEL_KILLS", "3"))
TABLES_AND_TEXTS = "card@fnn card@baseline compare@tabular card@ngram sample@rnn"
TARGETS = os.environ.get("PARALLEL_TARGETS", TABLES_AND_TEXTS).split()
JOBS = 4

# Stages sleep at their start and end: they come and go in another order each time.
DELAYS = """
import atexit, os, random, sys, time

if os.environ.get("DVC_STAGE") and os.environ.get("DELAY"):
    draw = random.Random(os.environ["DELAY"] + os.environ["DVC_STAGE"])
    time.sleep(draw.uniform(0, 1.5))
    atexit.register(time.sleep, draw.uniform(0, 1.5))
"""


class Work:
    """A clone of HEAD with reduced parameters, that its pipelines run in again and again."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **clone_reduced(root, folder, {"trainer": {"checkpoint_seconds": 0}}),
            "PLUMBLINE_TRACKING": "off",
            # DVC orders the stages of a few targets by hashes, which differ between processes.
            "PYTHONHASHSEED": "0",
        }
        delays = folder.with_name("delays")
        delays.mkdir()
        (delays / "sitecustomize.py").write_text(DELAYS, encoding="utf-8")
        self.env["PYTHONPATH"] = f"{delays}{os.pathsep}{self.env['PYTHONPATH']}"

    def start(self, jobs: int, delay: str = "") -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "plumbline.cli", "repro", "-j", str(jobs), *TARGETS]
        return subprocess.Popen(
            words, cwd=self.folder, env={**self.env, "DELAY": delay}, text=True,
            start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, jobs: int, delay: str = "") -> str:
        process = self.start(jobs, delay)
        text, _ = process.communicate(timeout=3600)
        assert process.returncode == 0, text[-4000:]
        return text

    def clear(self) -> None:
        """Remove all results: outputs, locks, caches and records."""
        for spec in dvc_files.stages(self.folder).values():
            for out in spec.outs:
                path = self.folder / out
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for lock in self.locks():
            (self.folder / lock).unlink()
        for path in (".plumbline", ".dvc/cache", ".dvc/tmp"):
            shutil.rmtree(self.folder / path, ignore_errors=True)

    def locks(self) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(self.folder.rglob("dvc.lock"))
        }

    def outputs(self) -> dict[str, str]:
        return {
            out: dvc_files.content_hash(self.folder / out)
            for entry in dvc_files.read_lock(self.folder).values()
            for out in entry.outs
        }

    def records_folder(self) -> list[Path]:
        return list((self.folder / ".plumbline/runs").glob("*"))

    def records(self) -> list[tuple[object, ...]]:
        """Return what the records of stages say, without times and processes."""
        every = [record_files.read_record(one) for one in record_files.read_all(self.folder)]
        numbers = [record["number"] for record in every]
        assert numbers == sorted({*numbers})
        return sorted(
            (record["stage"], record["status"], record["seed"], sorted(record["outs"].items()),
             sorted(record["deps"].items()))
            for record in every
        )  # fmt: skip


@pytest.fixture(scope="module")
def work(root, tmp_path_factory):
    made = Work(root, tmp_path_factory.mktemp("parallel") / "plumbline")
    made.run(1)
    made.expected = made.locks(), made.outputs(), made.records()
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.mark.parametrize("repeat", range(REPEATS))
def test_stages_side_by_side_leave_the_lock_and_the_outputs_of_a_serial_run(work, repeat):
    work.clear()
    text = work.run(JOBS, f"{repeat} ")
    locks, outputs, recorded = work.expected
    assert work.locks() == locks, text[-4000:]
    assert work.outputs() == outputs
    assert work.records() == recorded


def stop(process: subprocess.Popen[str], way: str, draw: random.Random) -> None:
    """End a run in one of the ways in which it happens."""
    below = psutil.Process(process.pid).children(recursive=True)
    dvc = [one for one in below if "plumbline.stage.run_dvc" in one.cmdline()]
    stages = [one for one in below if any(word.startswith("pipelines/") for word in one.cmdline())]
    if way == "kill":
        process.kill()
    elif way == "kill dvc" and dvc:
        dvc[0].kill()
    elif way == "kill a stage" and stages:
        draw.choice(stages).kill()
    elif way == "terminate":
        process.terminate()
    else:  # as from a terminal
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=600)
    _, alive = psutil.wait_procs(below, timeout=60)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


WAYS = ["kill", "kill dvc", "kill a stage", "interrupt", "terminate"]


def test_a_run_that_is_stopped_again_and_again_ends_like_a_serial_one(work):
    work.clear()
    locks, outputs, _ = work.expected
    entries = {
        name: entry for text in locks.values() for name, entry in dvc_files.lock(text).items()
    }
    draw = random.Random("stops")
    ways = [WAYS[place % len(WAYS)] for place in range(KILLS)]
    draw.shuffle(ways)
    starts, stops = 0, list[str]()
    while len(stops) < KILLS:
        process = work.start(JOBS, f"stop {starts} ")
        starts += 1
        assert starts <= 3 * KILLS
        before = len(work.records_folder())
        end = time.monotonic() + 300
        while process.poll() is None and len(work.records_folder()) == before:
            assert time.monotonic() < end, "no stage has begun"
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 8))
        if process.poll() is not None:  # it has ended before: compare it, and begin anew
            text, _ = process.communicate()
            assert process.returncode == 0, text[-4000:]
            assert (work.locks(), work.outputs()) == (locks, outputs)
            work.clear()
            continue
        way = ways[len(stops)]
        stop(process, way, draw)
        stops.append(way)
        # Whatever is in the lock is true.
        assert all(
            entries[name] == entry for name, entry in dvc_files.read_lock(work.folder).items()
        )
    print(f"stopped {len(stops)} times: {', '.join(stops)}")
    work.run(JOBS)
    assert work.locks() == locks
    assert work.outputs() == outputs
