"""The README says what is true, and every command in it is run somewhere in CI."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import names

# Commands that tests/test_end_to_end.py runs in a clone, and those that .ci/run calls by itself.
END_TO_END = {
    "dvc repro",
    "dvc repro finetune@full",
    "dvc metrics show",
    "dvc metrics diff",
    "plumbline summary",
    "plumbline sync",
    "plumbline sync --rebuild",
    "plumbline doctor",
    "make repro",
    "make clean",
    "make verify",
}
# Those that tests/runs/test_experiments_end_to_end.py and tests/browser run in the same clone.
EXPERIMENTS = {
    "dvc exp run -n small -S 'train_fnn.hidden=[32,16]' evaluate@fnn",
    "dvc exp run -n wide --temp -S 'train_fnn.hidden=[128,64]' evaluate@fnn",
    "dvc exp run -n tanh --queue -S train_fnn.activation=tanh evaluate@fnn",
    "dvc exp run -n slow --queue -S train_fnn.optimisation.lr=0.0003 evaluate@fnn",
    "dvc queue start -j 2",
    "dvc queue status",
    "dvc exp show --only-changed --drop '.*(low|high)'",
    "dvc params diff HEAD wide",
    "dvc metrics diff HEAD wide",
    "dvc plots diff HEAD wide",
    "dvc exp apply wide",
    "dvc exp branch wide wider",
    "dvc exp remove small",
    "plumbline vega",
}
BY_CI = {"make test", "make test-slow", "make check", "make env"}
NAMES = {"dvc exp run", "dvc plots diff"}  # of commands that stand in full elsewhere in it
ELSEWHERE = {
    "plumbline data list": "tests/cli/test_data.py",
    "plumbline data check data/raw/mine/loans.csv": "tests/data/images/test_walk.py",
    "plumbline params apply examples/adult.yaml": "tests/params/test_apply.py",
    "plumbline params apply examples/csv.yaml": "tests/params/test_apply.py",
    "dvc repro card@fnn": "its stages are those of dvc repro",
    "plumbline data fetch adult": "tests/data/fetch/test_fetch.py fetches from a server of its own",
    "plumbline diff-runs A B": "tests/verify/test_diff_runs.py",
    "plumbline audit decisions.parquet --label y --decision yhat --score p "
    "--attributes sex,race": "tests/standards/test_decisions.py",
    "make ui": "tests/browser starts the same server",
    "plumbline verify lineage": "tests/tracking/lineage/test_run_links.py",
    "plumbline doctor --prune 90": "tests/tracking/test_pruning.py, with other days",
    "dvc exp run": "tests/runs/test_experiments.py",
    "dvc exp apply": "tests/runs/test_experiments.py",
    "plumbline gate": "tests/cli/test_audit.py judges reports with it",
    "plumbline standards decisions.csv --decision hired --label fit --attributes sex,race": (
        "tests/standards/test_own_table.py runs it on a file"
    ),
    "make bench": "takes a quarter of an hour; tests/test_benchmarks.py runs its parts",
    "plumbline explain data/models/fnn data/prepared/tabular": (
        "tests/inference/explanations/test_explain.py"
    ),
    "plumbline seeds fnn": "tests/cli/test_seeds.py",
}


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def commands(text: str) -> set[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    inline = re.findall(r"`((?:make|plumbline|dvc) [^`]+)`", text)
    return {line.strip() for block in blocks for line in block.splitlines()} | set(inline)


def test_every_command_is_run_by_ci(root, readme):
    assert commands(readme) - END_TO_END - EXPERIMENTS - BY_CI - set(ELSEWHERE) - NAMES == set()
    tests = "".join(
        (root / "tests" / name).read_text(encoding="utf-8")
        for name in ("runs/test_experiments_end_to_end.py", "browser/test_plots.py")
    )
    for command in EXPERIMENTS:
        assert command.replace("params diff HEAD wide", "params diff HEAD {name}") in tests
    ci = (root / ".ci/run").read_text(encoding="utf-8")
    for command in BY_CI:
        assert command in ci


def test_every_make_target_exists(root, readme):
    for command in commands(readme):
        if command.startswith("make "):
            done = subprocess.run(
                ["make", "-n", *command.split()[1:]],
                cwd=root,
                check=False,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr


def test_the_drawn_pipeline_is_the_one_of_dvc(root, readme):
    dvc = Path(sys.executable).with_name("dvc")
    drawn = subprocess.run(
        [dvc, "dag", "--md", "--collapse-foreach-matrix"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert drawn.replace("\t", "  ") in readme.replace("\t", "  ")


def test_every_relative_link_leads_somewhere(root, readme):
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", readme):
        assert (root / target).exists(), target


def test_exit_code_and_switches_named_in_it_exist(root, readme):
    from plumbline.errors import GateError

    assert f"exit code {GateError.exit_code}" in readme
    source = (root / "src/plumbline/stage/process.py").read_text(encoding="utf-8")
    assert "PLUMBLINE_TRACKING" in source


def test_only_the_ratio_to_the_floor_has_no_interval(root):
    bare = {
        name.partition("/")[0]
        for path in (root / "reports/metrics").glob("*.json")
        for name, cell in json.loads(path.read_text(encoding="utf-8"))["metrics"].items()
        if cell["low"] is None or cell["high"] is None
    }
    assert bare == {names.FID_TO_FLOOR}
