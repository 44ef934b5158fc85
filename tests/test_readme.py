"""README and docs say what is true, and every command in them is run somewhere in CI."""

import json
import re
import subprocess

import pytest

from plumbline.params.studies import STUDIES
from plumbline.runs import dvc_files

# Commands that tests/test_end_to_end.py runs in a clone, and those that .ci/run calls by itself.
END_TO_END = {
    "dvc metrics diff",
    "plumbline summary",
    "plumbline sync",
    "plumbline sync --rebuild",
    "plumbline doctor",
    "make repro",
    "make clean",
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
NAMES = {  # of commands that are printed in full elsewhere
    "dvc exp run",
    "plumbline generate",
    "plumbline predict",
    "dvc plots diff",
    "make study",
    "plumbline data fetch",
    "plumbline diff-runs",
    "plumbline exercise",
    "plumbline explain",
    "plumbline params apply",
    "plumbline verify cards",
}
ELSEWHERE = {
    "plumbline explain": "tests/inference/explanations/test_explain.py",
    "dvc repro": "tests/browser and tests/tracking",
    "plumbline repro": "make repro runs it",
    "make study LAB=fairness": "tests/test_readme.py asks make what it would run",
    "make study LAB=feedforward": "the same",
    "make study LAB=sequence": "the same",
    "make study LAB=transfer": "the same",
    "make studies": "the same",
    "plumbline data list": "tests/cli/test_data.py",
    "plumbline data check data/raw/mine/loans.csv": "tests/data/tables/test_walk.py",
    "plumbline params apply examples/adult.yaml": "tests/params/test_apply.py",
    "plumbline params apply examples/csv.yaml": "tests/params/test_apply.py",
    "plumbline params check": "tests/test_add_a_model.py",
    "dvc repro studies/fairness/dvc.yaml:label_shares": "tests/test_add_a_study_stage.py",
    "dvc repro card@transformer": "tests/test_add_a_model.py",
    "plumbline verify cards reports/cards/transformer.md": "tests/test_add_a_model.py",
    "dvc repro card@fnn": "its stages are those of dvc repro",
    "plumbline data fetch adult": "tests/data/fetch/test_fetch.py fetches from a server of its own",
    **dict.fromkeys(
        (
            "plumbline predict cnn pictures --out pictures.parquet",
            "plumbline predict rnn texts.csv --out texts.parquet",
            "plumbline predict fnn new_patients.csv --reliability",
            "plumbline monitor fnn new_patients.csv --label target --out monitoring",
        ),
        "tests/cli/models/test_how_to_predict.py",
    ),
    "plumbline predict fnn new_patients.csv": (
        "tests/cli/models/test_commands.py, with a smaller network"
    ),
    "plumbline generate gan --out digits": (
        "tests/cli/models/test_generate.py, with a smaller network"
    ),
    "plumbline generate gan --class 3 --class 8 --number 20 --seed 1 --out threes-and-eights": (
        "the same"
    ),
    'plumbline generate rnn --prompt "The " --length 300 --temperature 0.7': "the same",
    "plumbline generate rnn --number 5 --top-k 10 --out texts.json": "the same",
    "plumbline predict ngram": "tests/serving/test_files.py",
    "plumbline compare HEAD wide": "tests/verify/versions/test_compare.py",
    "plumbline compare models:/fnn@champion models:/fnn@candidate": (
        "tests/verify/versions/test_champions.py finds both"
    ),
    "plumbline register fnn": "tests/cli/models/test_registry.py",
    "plumbline promote fnn": "the same",
    "plumbline promote fnn --rollback": "the same",
    "plumbline predict models:/fnn@champion new_patients.csv": "the same",
    "dvc fetch --all-commits": "DVC's own",
    "plumbline diff-runs A B": "tests/verify/test_diff_runs.py",
    "plumbline audit decisions.parquet --label y --decision yhat --score p "
    "--attributes sex,race": "tests/standards/test_decisions.py",
    "plumbline repro --jobs 4": "tests/stage/scheduler, in the process that it starts",
    "plumbline repro -j 1": "the same",
    "make verify": "the workflow reproduce, and tests/verify/test_reproduce.py without make",
    "make ui": "tests/browser starts the same server",
    "plumbline ui": "tests/browser opens the addresses that it prints",
    "make bench": "takes a quarter of an hour; tests/test_benchmarks.py runs its parts",
    "plumbline verify lineage": "tests/tracking/lineage/test_run_links.py",
    "plumbline doctor --prune 90": "tests/tracking/test_pruning.py, with other days",
    "plumbline gate": "tests/cli/test_audit.py checks reports with it",
    "plumbline standards decisions.csv --decision hired --label fit --attributes sex,race": (
        "tests/standards/test_own_table.py runs it on a file"
    ),
    "plumbline explain fnn": "tests/inference/explanations/test_explain.py",
    **dict.fromkeys(
        (
            "plumbline explain cnn --page explained.html",
            "plumbline explain cnn --page explained.html --out attributions.parquet",
            "plumbline explain fnn --file new_patients.csv",
            'plumbline explain rnn --prompt "The number of feat"',
        ),
        "tests/serving/test_explanation_page.py, with smaller networks",
    ),
    "plumbline exercise E15 --quick": "tests/cli/pipeline/test_exercise.py",
    "plumbline exercise E15": "tests/test_add_a_study.py",
    "plumbline seeds fnn": "tests/cli/models/test_seeds.py",
    "plumbline params apply examples/<source>.yaml": "benchmarks/sources.py, for every source",
    "plumbline repro report": "benchmarks/sources.py",
    "plumbline --help": "tests/cli/test_main.py",
    "plumbline --install-completion": "Typer's own",
}


@pytest.fixture(scope="module")
def pages(root):
    """The README, the pages of docs and the READMEs of the laboratories."""
    paths = [root / "README.md", *root.glob("docs/**/*.md"), *root.glob("studies/*/README.md")]
    return {path: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def readme(root, pages):
    return pages[root / "README.md"]


def commands(text: str) -> set[str]:
    """Return the commands of ours that a page shows."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    inline = re.findall(r"`((?:make|plumbline|dvc) [^`]+)`", text)
    lines = {line.strip() for block in blocks for line in block.splitlines()} | set(inline)
    return {line for line in lines if line.startswith(("make ", "plumbline ", "dvc "))}


def make_targets(root) -> set[str]:
    """Return the documented targets of the Makefile."""
    text = (root / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*##", text, flags=re.MULTILINE))


def test_every_command_is_run_by_ci(root, pages):
    shown = set().union(*map(commands, pages.values()))
    assert shown - END_TO_END - EXPERIMENTS - BY_CI - set(ELSEWHERE) - NAMES == set()
    tests = "".join(
        (root / "tests" / name).read_text(encoding="utf-8")
        for name in ("runs/test_experiments_end_to_end.py", "browser/test_plots.py")
    )
    for command in EXPERIMENTS:
        assert command.replace("params diff HEAD wide", "params diff HEAD {name}") in tests
    ci = (root / ".ci/run").read_text(encoding="utf-8")
    for command in BY_CI:
        assert command in ci


def test_every_make_target_exists(root, pages):
    for command in set().union(*map(commands, pages.values())):
        if command.startswith("make "):
            assert command.split()[1] in make_targets(root), command


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (["study", "LAB=fairness"], "plumbline repro studies/fairness/dvc.yaml"),
        (["study", "LAB=feedforward"], "plumbline repro studies/feedforward/dvc.yaml"),
        (["studies"], "plumbline repro " + " ".join(f"studies/{lab}/dvc.yaml" for lab in STUDIES)),
    ],
)
def test_a_laboratory_is_run_by_its_own_pipeline(root, target, line):
    done = subprocess.run(
        ["make", "-n", "--old-file=.venv/.complete", *target],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    assert line in done.stdout.splitlines()


def test_an_unknown_laboratory_is_refused_with_the_known_ones(root):
    done = subprocess.run(
        ["make", "--old-file=.venv/.complete", "study", "LAB=none"],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"make study: LAB must be one of {' '.join(STUDIES)}, got 'none'" in done.stderr


def test_the_readme_is_short_and_lists_every_stage(root, readme):
    assert len(readme.splitlines()) <= 200
    listed = set(re.findall(r"^\| `(\w+)` \|", readme, flags=re.MULTILINE))
    known = {
        name.partition("@")[0] for name, spec in dvc_files.stages(root).items() if not spec.lab
    }
    assert listed == known


def test_the_readme_of_a_laboratory_lists_its_stages(root, pages):
    for path in root.glob("studies/*/README.md"):
        listed = re.findall(r"^\| (`.+?`) \| ", pages[path], flags=re.MULTILINE)
        named = {word for cell in listed for word in re.findall(r"`(\w+)`", cell)}
        stages = dvc_files.stages(root).items()
        assert named == {n.partition("@")[0] for n, s in stages if s.lab == path.parent.name}


def test_every_relative_link_leads_somewhere(pages):
    for path, text in pages.items():
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
            assert (path.parent / target).exists(), f"{path}: {target}"


def test_exit_code_and_switches_named_in_it_exist(root, readme):
    from plumbline.errors import GateError

    assert f"exit code {GateError.exit_code}" in readme
    source = (root / "src/plumbline/stage/background_sync.py").read_text(encoding="utf-8")
    assert "PLUMBLINE_TRACKING" in source


def test_every_metric_has_an_interval(root):
    bare = {
        name.partition("/")[0]
        for path in (root / "reports/metrics").glob("*.json")
        for name, cell in json.loads(path.read_text(encoding="utf-8"))["metrics"].items()
        if cell["low"] is None or cell["high"] is None
    }
    assert not bare
