"""Failures, signals and locks of other processes: what a pipeline of several jobs does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from plumbline.runs import processes
from plumbline.stage.scheduler.dvc_adapter import lock_text
from tests.stage.scheduler.repositories import Repository, hooked, stage

# Stages of 30 s write nothing: a test ends them, or the file `go` does.
HOLD = "sh hold.sh"
HOLD_TEXT = """
echo $$ >> held
n=0
until [ -e go ] || [ $n -gt 300 ]; do sleep 0.1; n=$((n+1)); done
exec sh run.sh "$@"
"""
PIPELINE = {
    "dvc.yaml": {
        "before": stage("out/before", "in/first"),
        "one": {**stage("out/one", "out/before"), "cmd": f"{HOLD} out/one out/before"},
        "two": {**stage("out/two", "out/before"), "cmd": f"{HOLD} out/two out/before"},
        "behind": stage("out/behind", "out/one"),
        "last": stage("out/last", "out/behind", "out/two"),
    }
}


@pytest.fixture
def made(tmp_path):
    found = Repository(tmp_path / "made", PIPELINE)
    found.write("in/first", "1\n")
    found.write("hold.sh", HOLD_TEXT)
    return found


def start(made: Repository, *options: str) -> subprocess.Popen[str]:
    env = {**os.environ, "DVC_SITE_CACHE_DIR": f"{made.folder}/.dvc/tmp/site"}
    words = [sys.executable, "-m", processes.RUN_DVC, *(options or ["--jobs", "3"]), "repro", "-P"]
    return subprocess.Popen(
        words, cwd=made.folder, env=env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait_for_held(made: Repository, number: int) -> list[int]:
    """Wait until so many stages are in the middle of their command; return their processes."""
    end = time.monotonic() + 60
    held = made.folder / "held"
    while time.monotonic() < end:
        if held.exists() and len(found := held.read_text().split()) == number:
            return [int(word) for word in found]
        time.sleep(0.02)
    raise AssertionError("stages must start")


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    text, _ = process.communicate(timeout=90)
    return process.returncode, text


def locked(made: Repository) -> list[str]:
    lock = made.folder / "dvc.lock"
    return [lock_text.name_of(entry) for entry in lock_text.entries(lock.read_text())]


def continue_like_serial(made: Repository, tmp_path: Path) -> None:
    """Run the rest; lock and outputs are then those of a serial run that nothing stopped."""
    made.write("go", "")
    (made.folder / "held").unlink()
    assert finish(start(made))[0] == 0
    whole = Repository(tmp_path / "whole", PIPELINE)
    for name in ("in/first", "hold.sh", "go"):
        whole.write(name, (made.folder / name).read_text())
    assert whole.serial("-P") == 0
    assert made.locks() == whole.locks()
    for name in ("before", "one", "two", "behind", "last"):
        path = f"out/{name}"
        assert (made.folder / path).read_text() == (whole.folder / path).read_text()
    # DVC removes what a killed process left where it is in the way.
    assert "write" not in json.loads((made.folder / ".dvc/tmp/rwlock").read_text())


def gone(pids: list[int]) -> bool:
    found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(found, timeout=20)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def test_a_failure_ends_what_depends_on_it_and_everything_else_runs(made, tmp_path):
    made.write("go", "")
    made.write("fail-one", "")
    code, text = finish(start(made))
    assert code == 255
    assert sorted(made.ran()) == ["before", "one", "two"]
    assert locked(made) == ["before", "two"]
    assert "one: must not fail" in text
    assert "failed to reproduce 'one': failed to run: sh hold.sh" in text
    assert "exited with 3" in text
    not_run = next(line for line in text.splitlines() if "not run" in line)
    assert "behind" in not_run
    assert "last" in not_run
    (made.folder / "fail-one").unlink()
    continue_like_serial(made, tmp_path)


def test_ctrl_c_ends_all_stages_and_the_next_run_continues(made, tmp_path):
    process = start(made)
    held = wait_for_held(made, 2)
    os.killpg(process.pid, signal.SIGINT)
    code, text = finish(process)
    assert code == 255  # as where one stage of a serial run is interrupted
    assert "failed to reproduce stages: 'one' and 'two'" in text
    assert gone(held)
    assert locked(made) == ["before"]
    continue_like_serial(made, tmp_path)


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_sigterm_ends_all_stages_and_then_the_process_itself(made, tmp_path, monkeypatch, shell):
    """Not every shell replaces itself by its last command: dash is the parent of its one."""
    monkeypatch.setenv("SHELL", shell)
    process = start(made)
    held = wait_for_held(made, 2)
    process.terminate()
    code, _ = finish(process)
    assert code == -signal.SIGTERM
    assert gone(held)
    assert locked(made) == ["before"]
    continue_like_serial(made, tmp_path)


def test_kill_leaves_a_true_lock_and_the_next_run_continues(made, tmp_path):
    process = start(made)
    held = wait_for_held(made, 2)
    process.kill()
    process.wait()
    for pid in held:  # shells do not ask for the end of their parent; stages of plumbline do
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert locked(made) == ["before"]
    assert json.loads((made.folder / ".dvc/tmp/rwlock").read_text())["write"]
    continue_like_serial(made, tmp_path)


def test_the_end_of_the_parent_is_the_end_of_all(made):
    parent = subprocess.Popen(["sleep", "60"])
    process = start(made, "--jobs", "3", "--parent", str(parent.pid))
    # It is not the child of that one: as if the parent had ended before it could look.
    assert finish(process)[0] == -signal.SIGTERM
    parent.kill()
    parent.wait()
    assert made.ran() == []


@contextlib.contextmanager
def holder(made: Repository) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of the repository until its input ends."""
    program = (
        "import sys, zc.lockfile\n"
        "lock = zc.lockfile.LockFile(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", program, str(made.folder / ".dvc/tmp/lock")]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.communicate("")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_stage_that_ends_waits_for_a_lock_that_another_process_holds(made, jobs):
    process = start(made, "--jobs", str(jobs))
    wait_for_held(made, min(jobs, 2))
    with holder(made) as other:
        made.write("go", "")
        time.sleep(5)  # DVC itself gives up after 3 s
        assert locked(made) == ["before"]
        assert process.poll() is None
    code, text = finish(process)
    assert code == 0, text
    assert f"repro: waits for the lock of the repository, which process {other.pid} holds" in text
    assert locked(made) == ["before", "one", "two", "behind", "last"]
    assert len(made.ran()) == len({*made.ran()}) == 5


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
def test_paths_that_another_dvc_uses_are_waited_for(made, jobs):
    """Plain DVC is running a stage: the pipeline goes on when it has ended."""
    env = {**os.environ, "DVC_SITE_CACHE_DIR": f"{made.folder}/.dvc/tmp/site"}
    words = [sys.executable, "-m", "dvc", "repro", "one"]
    plain = subprocess.Popen(words, cwd=made.folder, env=env, stdout=subprocess.DEVNULL)
    wait_for_held(made, 1)
    process = start(made, "--jobs", str(jobs))
    time.sleep(6)
    made.write("go", "")
    assert plain.wait(60) == 0
    code, text = finish(process)
    assert code == 0, text
    assert "repro: waits: '" in text
    assert f"is busy, it is being blocked by: (PID {plain.pid})" in text
    assert sorted(made.ran()) == ["before", "behind", "last", "one", "two"]


def test_a_lock_that_a_person_wrote_in_is_left_to_a_serial_run(made, capfd):
    made.write("go", "")
    made.write("dvc.lock", "# kept\nschema: '2.0'\nstages: {}\n")
    assert made.parallel("-P") == 0
    assert "dvc.lock must be as DVC writes it for stages to run at once" in capfd.readouterr().err
    assert made.locks()["dvc.lock"].startswith("# kept\n")


def test_the_longest_rest_starts_first_and_jobs_are_a_limit(tmp_path):
    log = tmp_path / "made/log"
    timed = "echo + $DVC_STAGE >> log; sleep 0.3; echo - $DVC_STAGE >> log; echo > out-{}"
    stages = {
        name: {"cmd": timed.format(name), "deps": deps, "outs": [f"out-{name}"]}
        for name, deps in {"a": [], "b": [], "c": [], "d": ["out-c"], "e": []}.items()
    }
    made = Repository(tmp_path / "made", {"dvc.yaml": stages})
    seconds = {"a": 1.0, "b": 2.0, "c": 1.0, "d": 4.0, "e": 3.0}
    assert made.parallel("--force", jobs=2, seconds=seconds) == 0
    lines = log.read_text().splitlines()
    begun = [line[2:] for line in lines if line.startswith("+")]
    assert {*begun[:2]} == {"c", "e"}
    assert {*begun[2:4]} == {"d", "b"}
    running = 0
    for line in lines:
        running += 1 if line.startswith("+") else -1
        assert running <= 2
    with hooked(None):  # all are in the lock
        assert made.serial() == 0
    assert log.read_text().splitlines() == lines


class Broken:
    """A display that raises an error whenever it is told of a finished stage."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __getattr__(self, name: str):
        def call(*values: object) -> None:
            if name == "finished":
                raise self.error

        return call


def test_an_output_that_nobody_reads_any_more_stops_no_stage(made):
    made.write("go", "")
    assert made.parallel("-P", opener=lambda plan, jobs, seconds: Broken(BrokenPipeError)) == 0
    assert len(made.ran()) == 5


def test_a_bug_of_the_display_ends_the_pipeline_and_its_threads(made):
    code = made.parallel("-P", opener=lambda plan, jobs, seconds: Broken(ZeroDivisionError))
    assert code == 255
    assert made.ran() == ["before"]
    assert locked(made) == ["before"]
