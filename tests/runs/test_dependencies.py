import re
from pathlib import Path

import pytest

from plumbline import catalog
from plumbline.runs import dependencies, dvc_files
from plumbline.studies.framework import study
from tests.toy import Toy

FILES = {
    "plumbline/__init__.py": '"""Docs."""\n',
    "plumbline/names.py": "from plumbline import extra\nA = 1\n",
    "plumbline/extra.py": "B = 1\n",
    "plumbline/errors.py": "INFRASTRUCTURE = True\n",
    "plumbline/metrics/__init__.py": "",
    "plumbline/metrics/a.py": (
        "from typing import TYPE_CHECKING\n"
        "from plumbline import errors\n"
        "if TYPE_CHECKING:\n    from plumbline.models import spare\n"
        "def f():\n    from plumbline.models import net\n"
    ),
    "plumbline/metrics/b.py": "",
    "plumbline/models/__init__.py": "import plumbline.runs.records\n",
    "plumbline/models/net.py": "C = 1\n",
    "plumbline/models/spare.py": "D = 1\n",
    "plumbline/runs/__init__.py": "INFRASTRUCTURE = True\n",
    "plumbline/runs/records.py": "from plumbline import names\n",
}
SCRIPT = "def main():\n    from plumbline.metrics.a import f\n"


@pytest.fixture
def package(tmp_path):
    for file, text in {**FILES, "script.py": SCRIPT}.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    return tmp_path / "plumbline"


def spec(*deps: str) -> dvc_files.StageSpec:
    return dvc_files.StageSpec("a", "", deps, {}, ())


def test_the_closure_of_a_script_follows_imports_inside_functions_but_no_infrastructure(package):
    found = dependencies.library_closure(package.parent / "script.py", package=package)
    assert {file.relative_to(package).as_posix() for file in found} == {
        "__init__.py", "metrics/__init__.py", "metrics/a.py", "models/__init__.py", "models/net.py",
    }  # fmt: skip


def test_a_closure_can_begin_at_a_module(package):
    found = dependencies.library_closure(package / "models/net.py", package=package)
    assert found == {package / "models/net.py"}
    found = dependencies.library_closure("plumbline.models.net:fit", package=package)
    assert found == {package / f for f in ("__init__.py", "models/__init__.py", "models/net.py")}


@pytest.mark.parametrize(
    ("deps", "missing"),
    [
        ([], ["metrics/a.py", "models/__init__.py", "models/net.py"]),
        (["src/plumbline/metrics"], ["models/__init__.py", "models/net.py"]),
        (["src/plumbline/metrics/a.py", "src/plumbline/models"], []),
        (["src/plumbline/metrics/a", "src/plumbline/models"], ["metrics/a.py"]),
    ],
)
def test_files_without_a_dependency_are_named_unless_they_hold_a_docstring_alone(
    package, deps, missing
):
    files = dependencies.library_closure(package.parent / "script.py", package=package)
    found = dependencies.uncovered(deps, files, package=package)
    assert [file.relative_to(package).as_posix() for file in found] == missing


def test_imports_that_a_running_stage_does_not_list_are_named(package):
    def unlisted(*modules: str, deps: str = "src/plumbline/metrics") -> list[str]:
        names = ["numpy", "plumbline", *(f"plumbline.{module}" for module in modules)]
        script = package.parent / "script.py"
        return dependencies.unlisted(spec(deps, "x"), names, script=script, package=package)

    assert unlisted("metrics", "metrics.a", "errors") == []
    assert unlisted("metrics.a", "models", "models.net") == [
        "src/plumbline/models/__init__.py", "src/plumbline/models/net.py",
    ]  # fmt: skip
    assert unlisted("metrics.a", "models.spare", deps="x") == []  # a stage without the library
    # Infrastructure imports names for itself; a module that nobody is seen to import counts.
    assert unlisted("runs.records", "names", "extra") == []
    assert unlisted("names", "extra") == ["src/plumbline/extra.py", "src/plumbline/names.py"]


def test_stages_become_stale_by_the_files_that_they_depend_on(tmp_path):
    toy = Toy(tmp_path / "toy", lab=True)
    stale = {
        "code/library.py": ["train_fnn"],
        "code": ["train_fnn"],
        "pipelines/mitigate.py": ["mitigate@none", "mitigate@drop"],
        "data/models/fnn/config.json": ["evaluate@fnn", "mitigate@none", "mitigate@drop"],
        "README.md": [],
        "codex.py": [],
    }
    assert {path: dependencies.stale_stages(toy.folder, path) for path in stale} == stale


def test_packages_that_run_and_check_stages_are_infrastructure(root):
    package = Path(root, "src/plumbline")
    marked = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if dependencies.is_infrastructure(path, package)
    }
    assert marked == {
        "catalog.py", "cli", "compat", "errors.py", "monitoring", "params", "runs", "serving",
        "stage", "tracking", "verify",
    }  # fmt: skip


# --- the pipelines of this repository ------------------------------------------------------------


@pytest.fixture(scope="module")
def importable(root):
    """Return the library files that each stage can import, its catalogue functions included."""
    known = {**catalog.datasets(), **catalog.models()}
    found = {}
    for name, stage in dvc_files.stages(root).items():
        script = root / stage.cmd.split()[1]
        fields = re.findall(r"catalog\.load\(spec\.(\w+)\)", script.read_text())
        entry = known.get(name.partition("@")[2])
        addresses = [value for field in fields if (value := getattr(entry, field, None))]
        assert len(fields) == 0 or addresses, name
        lab = f"plumbline.studies.{stage.lab}"
        if script.stem == "study":
            addresses = [f"{lab}.{name}"]
        if script.stem == "study_claims":
            addresses = [f"{lab}.claims.{each}" for each in study.of_lab(stage.lab)]
        found[name] = dependencies.library_closure(script, *addresses)
    return found


@pytest.mark.no_cover
def test_every_stage_lists_the_library_files_that_it_can_import(root, importable):
    faults = [
        f"{name}: deps must cover {file.relative_to(root)}"
        for name, stage in dvc_files.stages(root).items()
        for file in dependencies.uncovered(stage.deps, importable[name])
    ]
    assert faults == []


def test_every_stage_lists_its_script_and_no_library_file_that_its_group_cannot_import(
    root, importable
):
    faults, reached = [], {}
    stages = dvc_files.stages(root)
    networks = set((root / "src/plumbline/models").glob("*.py"))  # models.build can import each
    for name, files in importable.items():
        group = reached.setdefault(name.partition("@")[0], set())
        group |= files | (networks if root / "src/plumbline/models/__init__.py" in files else set())
    for name, stage in stages.items():
        group = name.partition("@")[0]
        faults += [] if stage.cmd.split()[1] in stage.deps else [f"{name}: its script"]
        for dep in stage.deps:
            path = root / dep
            used = any(path == file or path in file.parents for file in reached[group])
            if dep.startswith("src/plumbline/") and path.suffix in ("", ".py") and not used:
                faults.append(f"{name}: {dep} is imported by no {group}")
    assert faults == []
