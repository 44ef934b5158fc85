"""DVC run by `plumbline.stage.run_dvc`: experiments, and its lock against DVC's own."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from plumbline.runs import processes
from plumbline.stage import run_dvc
from tests.toy import Toy

RUN = [sys.executable, "-m", processes.RUN_DVC]


def test_this_interpreter_and_its_dvc_come_first_on_the_path():
    made = run_dvc.environment()
    assert made["PATH"].split(os.pathsep)[0] == os.path.dirname(sys.executable)
    assert (made["DVC_NO_ANALYTICS"], made["DO_NOT_TRACK"]) == ("1", "1")


def test_dvc_that_waits_runs_the_command_that_it_is_told(tmp_path):
    with contextlib.closing(run_dvc.Waiting(tmp_path)) as dvc:
        assert dvc.process.poll() is None
        dvc.begin(["--jobs", "1", "version", "--help"], piped=True)
        assert b"usage: dvc version" in dvc.stdout.read()
        assert dvc.process.wait() == 0


def test_dvc_that_was_killed_as_it_waited_has_an_exit_code(tmp_path):
    with contextlib.closing(run_dvc.Waiting(tmp_path)) as dvc:
        dvc.process.kill()
        dvc.process.wait()
        dvc.begin(["--jobs", "1", "version"], piped=True)
        assert dvc.stdout.read() == b""
        assert dvc.process.wait() == -signal.SIGKILL


def test_dvc_that_waits_ends_with_a_parent_that_tells_it_nothing(tmp_path, capfd):
    dvc = run_dvc.Waiting(tmp_path)
    dvc.close()
    assert dvc.process.returncode == -signal.SIGKILL
    command, told = os.pipe()
    words = [sys.executable, "-m", processes.RUN_DVC, "--told", str(command)]
    child = subprocess.Popen(words, pass_fds=[command])
    os.close(told)
    assert child.wait(timeout=60) == 1
    os.close(command)
    assert capfd.readouterr() == ("", "")


def test_dvc_runs_without_pydantic():
    program = (
        "import sys, plumbline.stage.run_dvc, plumbline.stage.scheduler; "
        "sys.exit('pydantic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--jobs", "2"]])
def test_experiments_run_as_they_do_with_dvc(tmp_path, options):
    toy = Toy(tmp_path / "toy", lab=True)
    toy.run(*RUN, *options, "exp", "run", "-S", "seed=7", "--name", "ours")
    ours = toy.lock
    assert "seed: 7" in ours
    toy.run("git", "checkout", "-q", "--", ".")
    (toy.folder / "dvc.lock").unlink()
    toy.run(sys.executable, "-m", "dvc", "exp", "run", "-f", "-S", "seed=7", "--name", "theirs")
    assert toy.lock == ours
    found = toy.run(sys.executable, "-m", "dvc", "exp", "list", "--name-only").stdout.split()
    assert sorted(found) == ["ours", "theirs"]


@pytest.mark.slow
def test_the_work_tree_of_an_experiment_runs_its_stages_side_by_side(tmp_path):
    """As temporary experiments have it: a clone below the folder of DVC, without its caches."""
    toy = Toy(tmp_path / "toy", lab=True)
    tree = toy.folder / ".dvc/tmp/exps/tmp1"
    toy.run("git", "clone", "-q", str(toy.folder), str(tree))
    command = [sys.executable, "-m", "plumbline.cli", "repro", "-j", "2", "-P"]
    toy.run(*command, "--root", str(tree))
    toy.run(*command)
    assert (tree / "dvc.lock").read_text(encoding="utf-8") == toy.lock
    assert "train_fnn:" in toy.lock
