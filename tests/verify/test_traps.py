"""The traps that users of DVC, Lightning and MLflow fall into, each shown and each avoided.

Numbers are those of the list of traps; T1 inside Lightning is tested in ``training``, T3 and T4's
addresses in ``tracking``, T8's threads in `test_stage`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from plumbline import artifacts
from plumbline.runs import dvc_files, processes, record_files
from plumbline.tracking import store
from tests.toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def waiting(toy: Toy, **env: str) -> subprocess.Popen:
    """Start a repro whose first stage waits."""
    dvc = toy.start(sys.executable, "-m", "dvc", "repro", TOY="wait", **env)
    wait_for((toy.folder / "waiting").exists)
    return dvc


def stage_pid(toy: Toy) -> int:
    return int((toy.folder / "pid").read_text())


def last(toy: Toy) -> dict:
    return record_files.read_record(record_files.read_all(toy.folder)[-1])


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, "KILLED"), (signal.SIGINT, "KILLED")]
)
def test_t1_a_stopped_stage_is_not_locked_and_runs_again(toy, number, status):
    dvc = waiting(toy)
    os.kill(stage_pid(toy), number)
    dvc.communicate(timeout=60)
    assert dvc.returncode != 0
    assert toy.lock == ""
    assert last(toy)["status"] == status
    assert "Running stage 'train_fnn'" in toy.repro().stdout


def test_t1_ctrl_c_on_the_whole_pipeline_is_not_locked(toy):
    dvc = waiting(toy)
    os.killpg(dvc.pid, signal.SIGINT)
    dvc.communicate(timeout=60)
    assert dvc.returncode != 0
    assert toy.lock == ""
    assert last(toy)["status"] == "KILLED"


def test_t1_a_stage_killed_without_a_word_is_not_locked(toy):
    said = toy.repro(code=255, TOY="kill").stderr
    # A shell that stands between DVC and the stage says 128 + 9; one that gave way to it, -9.
    assert said.rstrip().endswith(("exited with -9", "exited with 137"))
    assert toy.lock == ""
    assert not (toy.folder / "data/models").exists()


def test_exit_codes_keep_dvc_from_locking(toy):
    toy.repro()
    before = toy.lock
    toy.seed(7)
    for behaviour, error in (
        ("fail", "loss must be finite"),
        ("bug", "ZeroDivisionError"),
        ("edit", "dependencies must not change while the stage runs"),
    ):
        done = toy.repro(code=255, TOY=behaviour, TOY_EDIT="code/library.py|False|True")
        assert error in done.stderr
        assert toy.lock == before


def test_t2_the_store_is_never_the_file_store_that_raises(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store.address(tmp_path).startswith("sqlite:////")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5580")  # read now, not at import
    assert store.address(tmp_path) == "http://127.0.0.1:5580"


def test_t4_a_temporary_experiment_leaves_its_record_in_the_main_work_tree(toy):
    toy.repro()
    toy.commit()
    known = set(record_files.read_all(toy.folder))
    toy.run(sys.executable, "-m", "dvc", "exp", "run", "--temp", "-S", "seed=5", "-n", "five")
    (first, second) = sorted(set(record_files.read_all(toy.folder)) - known)
    record = record_files.read_record(first)
    assert record["root"].startswith(".dvc/tmp/exps/")
    assert not record_files.tree_of(toy.folder, record).exists()
    assert record["tags"]["dvc.exp_name"] == "five"
    assert record["params"]["seed"] == 5
    assert (first / "files/data/models/fnn/model.safetensors").exists()
    assert record["pipeline"]["key"] == record_files.read_record(second)["pipeline"]["key"]


def test_t5_nothing_keeps_a_stage_from_dvcs_run_cache(toy, root):
    assert "persist" not in (root / "dvc.yaml").read_text(encoding="utf-8")
    toy.repro()
    toy.seed(7)
    toy.repro()
    toy.seed(42)
    told = toy.repro().stdout
    assert "Stage 'train_fnn' is cached - skipping run" in told
    assert "Stage 'evaluate@fnn' is cached - skipping run" in told


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_t6_a_stage_ends_with_the_dvc_that_was_killed_above_it(toy, shell):
    dvc = waiting(toy, SHELL=shell)
    pid = stage_pid(toy)
    mark = processes.pipeline_of(pid)
    os.kill(dvc.pid, signal.SIGKILL)
    dvc.communicate(timeout=60)
    wait_for(lambda: not processes.is_alive(mark), 20)
    assert last(toy)["status"] == "KILLED"
    assert toy.lock == ""
    assert "Running stage 'train_fnn'" in toy.repro().stdout


def test_t6_a_stage_ends_also_where_a_shell_stands_between(toy):
    path = toy.folder / "dvc.yaml"
    path.write_text(path.read_text().replace("train.py fnn", "train.py fnn; true", 1))
    toy.run(sys.executable, "-c", "pass")
    dvc = waiting(toy, SHELL="/bin/sh")
    mark = processes.pipeline_of(stage_pid(toy))
    os.kill(dvc.pid, signal.SIGKILL)
    dvc.communicate(timeout=60)
    wait_for(lambda: not processes.is_alive(mark), 20)
    assert last(toy)["status"] == "KILLED"


def test_two_repros_at_a_time_do_not_mix(toy):
    dvc = waiting(toy)
    told = toy.repro(code=255).stderr
    assert "is busy" in told
    os.killpg(dvc.pid, signal.SIGTERM)
    dvc.communicate(timeout=60)


def test_t7_equal_weights_are_equal_bytes_because_the_file_has_no_metadata(tmp_path):
    import numpy as np
    from safetensors import safe_open

    config = artifacts.ModelConfig("fnn", "fnn", {}, "classification", "tabular", "toy")
    for name in ("a", "b"):
        weights = {key: np.arange(6.0) for key in ("z", "y", "x")}
        artifacts.save_model(tmp_path / name, weights, config)
    assert dvc_files.content_hash(tmp_path / "a") == dvc_files.content_hash(tmp_path / "b")
    with safe_open(tmp_path / "a/model.safetensors", "numpy") as file:
        assert file.metadata() is None


def test_t8_one_thread_is_the_default_and_reaches_the_stage(root):
    assert yaml.safe_load((root / "params.yaml").read_text())["trainer"]["threads"] == 1


def test_t9_a_sync_starts_no_process_and_needs_no_torch(toy, tmp_path):
    """MLflow's own inference of requirements would start one, where no guard of ours reaches."""
    program = (
        "import subprocess, sys, pathlib\n"
        "from plumbline.tracking import sync\n"
        "real = subprocess.Popen\n"
        "class Watched(real):\n"
        "    def __init__(self, words, *args, **more):\n"
        "        print('started', words); super().__init__(words, *args, **more)\n"
        "subprocess.Popen = Watched\n"
        "print(sync.sync(pathlib.Path(sys.argv[1])))\n"
        "print('torch' in sys.modules, 'torchvision' in sys.modules)\n"
    )
    toy.stage("train_fnn")
    done = toy.run(sys.executable, "-c", program, str(toy.folder))
    told = [line for line in done.stdout.splitlines() if "'uname'" not in line]  # platform's
    assert told == [
        "Outcome(live=0, waiting=0, refused=0, down='')",
        "False False",
    ]
    shutil.rmtree(toy.folder / "mlartifacts")


def test_t10_the_ui_s_port_is_one_that_browsers_open():
    from plumbline.cli.pipeline import commands

    refused = {5060, 5061, 6000, 6665, 6666, 6667, 6668, 6669, 6697, 10080}
    assert commands.PORT not in refused
