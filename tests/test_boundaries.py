"""Who may import whom, and what a stage's start may cost."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import packages_distributions

import pytest

pytestmark = pytest.mark.no_cover  # source text, and other processes

HEAVY = ("torch", "pytorch_lightning", "mlflow", "timm", "torchmetrics", "torchvision", "dvc")
TORCH_FREE_SCRIPTS = (
    "prepare",
    "data_audit",
    "audit",
    "card",
    "report",
    "gate",
    "standards",
    "dilemma",
    "mitigate",
    "fold",
    "cross_validate",
    "study_claims",
)


def imported_modules(code: str) -> set[str]:
    (found,) = imported_in_turn(code)
    return found


def imported_in_turn(*codes: str) -> list[set[str]]:
    """Return, after each piece of code of one process, the packages that are loaded."""
    told = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    program = "\n".join(f"{code}\n{told}" for code in codes)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_the_shell_of_a_stage_imports_nothing_heavy():
    loaded = imported_modules(
        "from plumbline.stage import context, process\n"
        "from plumbline.runs import records\n"
        "from plumbline import artifacts, names"
    )
    assert loaded.isdisjoint({*HEAVY, "pandas", "sklearn", "scipy", "matplotlib", "numpy"})


def imports_in(path) -> str:
    """Return every import of a script, at any depth of its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wanted = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert wanted
    return "\n".join(line for line in wanted if "__future__" not in line)


def test_a_script_that_needs_no_torch_loads_none(root):
    """One process imports them in turn: the first name is the script to look at."""
    codes = [imports_in(root / f"pipelines/{script}.py") for script in TORCH_FREE_SCRIPTS]
    loaded = zip(TORCH_FREE_SCRIPTS, imported_in_turn(*codes), strict=True)
    assert [script for script, found in loaded if not found.isdisjoint(HEAVY)] == []


def test_modules_and_folders_stay_small(root):
    """A module has at most 300 lines, a folder 14 modules; the framework of studies 500 lines."""
    modules = [path for path in root.glob("src/**/*.py") if not path.name.startswith("__")]
    tests = list(root.glob("tests/*/**/test_*.py"))
    assert min(len(modules), len(tests)) > 300
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in modules}
    assert {str(path): count for path, count in lines.items() if count > 300} == {}
    assert sum(count for path, count in lines.items() if path.parent.name == "framework") <= 500
    in_folder = Counter(path.parent for path in [*modules, *tests])
    assert {str(folder): count for folder, count in in_folder.items() if count > 14} == {}


def test_nobody_imports_a_pipeline_script(root):
    for path in [*root.glob("src/**/*.py"), *root.glob("pipelines/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("pipelines"), path
            if isinstance(node, ast.Import):
                assert not any(a.name.startswith("pipelines") for a in node.names), path


def test_stage_scripts_stay_thin(root):
    for path in root.glob("pipelines/*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 60, f"{path.name} has {len(lines)} lines"


def imports_of(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_only_tracking_speaks_to_mlflow(root):
    source = root / "src/plumbline"
    speakers = {
        path.relative_to(source).parts[0].removesuffix(".py")
        for path in source.glob("**/*.py")
        if "mlflow" in imports_of(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert speakers <= {"tracking"}


def test_every_package_that_is_imported_is_declared_and_pinned(root):
    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    files = [*root.glob("src/**/*.py"), *root.glob("pipelines/*.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    imported = set().union(*map(imports_of, trees)) - set(sys.stdlib_module_names) - {"plumbline"}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {plain(re.match(r"[\w.-]+", line)[0]) for line in project["dependencies"]}
    pins = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = {plain(line.partition("==")[0]) for line in pins if "==" in line}
    known = packages_distributions()
    assert "scipy" in imported
    for name in imported:
        assert {plain(each) for each in known[name]} & declared, name
    assert declared <= pinned
