"""DVC run by `plumbline.stage.run_dvc`: experiments, and its lock against DVC's own."""

import sys

import pytest

from plumbline.runs import processes
from tests.toy import Toy

RUN = [sys.executable, "-m", processes.RUN_DVC]


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
