import ast
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import names
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files
from tests.toy import Toy

SHELL = dvc_files.SHELL | {"__init__"}


@pytest.fixture(scope="module")
def specs(root):
    return dvc_files.stages(root)


@pytest.fixture(scope="module")
def resolved(root):
    """What DVC itself makes of dvc.yaml."""
    program = (
        "import json; from dvc.repo import Repo\n"
        "found = {s.addressing: {'cmd': s.cmd, 'deps': [d.def_path for d in s.deps"
        " if type(d).__name__ != 'ParamsDependency'], 'params': [p for d in s.deps"
        " if type(d).__name__ == 'ParamsDependency' for p in d.params],"
        " 'outs': [o.def_path for o in s.outs]} for s in Repo('.').index.stages}\n"
        "print(json.dumps(found))"
    )
    import json

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_stages_are_those_that_dvc_resolves(specs, resolved):
    assert set(specs) == set(resolved)
    for name, spec in specs.items():
        theirs = resolved[name]
        assert spec.cmd == theirs["cmd"]
        assert set(spec.deps) == set(theirs["deps"]), name
        assert set(spec.params) == set(theirs["params"]), name
        assert set(spec.outs) == set(theirs["outs"]), name


def test_every_model_is_measured_audited_and_described(specs):
    outs = {out for spec in specs.values() for out in spec.outs}
    for model in names.MODELS:
        assert f"data/models/{model}" in outs
        assert (names.METRICS_DIR / f"{model}.json").as_posix() in outs
        assert (names.AUDITS / f"{model}.json").as_posix() in outs
        assert (names.CARDS / f"{model}.md").as_posix() in outs


def test_an_unknown_stage_is_named_with_the_known_ones(tmp_path):
    toy = Toy(tmp_path / "toy")
    with pytest.raises(ArtifactError) as caught:
        dvc_files.stage(toy.folder, "gan")
    assert str(caught.value) == (
        "dvc.yaml: stage must be one of ['evaluate@fnn', 'train_fnn'], got 'gan'"
    )


@pytest.mark.parametrize(
    ("body", "item", "want"),
    [("a ${item}", "x", "a x"), ("${key}/${item.n}", {"n": 3}, "k/3"), (["${item}"], 2, ["2"])],
)
def test_templates_are_filled_as_dvc_fills_them(body, item, want):
    assert dvc_files._fill(body, "k", item) == want
    assert dvc_files._fill(7, "k", item) == 7


def test_hashes_and_lock_are_dvcs_own(tmp_path):
    toy = Toy(tmp_path / "toy")
    (toy.folder / "code/sub").mkdir()
    (toy.folder / "code/sub/b.py").write_text("b = 1\n")
    (toy.folder / "code/a b.txt").write_text("text")
    (toy.folder / "code/__pycache__").mkdir()
    (toy.folder / "code/__pycache__/x.pyc").write_bytes(b"x")
    assert dvc_files.read_lock(toy.folder) == {}
    toy.repro()
    entries = dvc_files.read_lock(toy.folder)
    assert list(entries) == ["train_fnn", "evaluate@fnn"]
    for entry in entries.values():
        for path, value in {**entry.deps, **entry.outs}.items():
            assert dvc_files.content_hash(toy.folder / path) == value, path
    train = entries["train_fnn"]
    assert train.cmd == "python pipelines/train.py fnn"
    assert train.params["seed"] == 42
    assert set(train.params) == {"seed", "train_fnn"}
    again = dvc_files.lock(toy.lock)["train_fnn"]
    assert again.fingerprint == train.fingerprint != entries["evaluate@fnn"].fingerprint


# --- dependencies against imports ----------------------------------------------------------------


def imported(path: Path, source: Path) -> set[Path]:
    """Return the modules of plumbline that a file imports, at any depth of nesting."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            if module.startswith("plumbline."):
                place = source / Path(*module.split(".")[1:])
                for file in (place.with_suffix(".py"), place / "__init__.py"):
                    if file.exists():
                        found.add(file)
    return found


def reached(script: Path, source: Path) -> set[str]:
    """Return the folders and modules below src/plumbline that a script's imports lead to."""
    todo, seen = {script}, set()
    while todo:
        path = todo.pop()
        seen.add(path)
        for file in imported(path, source) - seen:
            if part(file, source) not in SHELL:
                todo.add(file)
    return {part(file, source) for file in seen - {script}}


def part(file: Path, source: Path) -> str:
    return file.relative_to(source).parts[0].removesuffix(".py")


def library(spec: dvc_files.StageSpec) -> set[str]:
    """Return the folders and modules below src/plumbline that a stage declares."""
    return {
        Path(dep).relative_to("src/plumbline").parts[0].removesuffix(".py")
        for dep in spec.deps
        if dep.startswith("src/plumbline")
    }


def test_the_library_that_a_script_imports_is_a_dependency_of_its_stages(root, specs):
    """A script that serves several stages imports for each of them what that one needs.

    No reader can tell which: all its stages together must name what it imports, and while one
    runs, `plumbline.stage.context` compares what it really imported.
    """
    source = root / "src/plumbline"
    faults = []
    for script in sorted({spec.cmd.split()[1] for spec in specs.values()}):
        stages = [spec for spec in specs.values() if spec.cmd.split()[1] == script]
        declared = set().union(*map(library, stages))
        if missing := reached(root / script, source) - SHELL - declared:
            faults.append(f"{script} imports {sorted(missing)}, not in deps")
        faults += [f"{s.name}: {script} must be in deps" for s in stages if script not in s.deps]
    assert faults == []


def test_declared_library_folders_are_used_by_the_script(root, specs):
    source = root / "src/plumbline"
    faults = []
    for script in sorted({spec.cmd.split()[1] for spec in specs.values()}):
        stages = [spec for spec in specs.values() if spec.cmd.split()[1] == script]
        declared = set().union(*map(library, stages))
        if spare := declared - reached(root / script, source):
            faults.append(f"{script}: deps name {sorted(spare)}, which nothing imports")
    assert faults == []


def test_imports_inside_functions_are_seen(tmp_path):
    source = tmp_path / "plumbline"
    for file, text in {
        "metrics/__init__.py": "",
        "metrics/a.py": "def f():\n    from plumbline.models import net\n",
        "models/__init__.py": "import plumbline.runs.records\n",
        "models/net.py": "",
        "journal.py": "from plumbline import dag\n",
        "dag.py": "",
    }.items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text)
    script = tmp_path / "script.py"
    script.write_text("def main():\n    from plumbline.metrics.a import f\n")
    assert reached(script, source) == {"metrics", "models"}


def test_imports_that_a_running_stage_does_not_declare_are_named():
    spec = dvc_files.StageSpec(
        "a", "", ("src/plumbline/data", "src/plumbline/gate.py", "x"), (), ()
    )
    modules = [
        "numpy",
        "plumbline",
        "plumbline.data.text.prepare",
        "plumbline.gate",
        "plumbline.stage.context",
    ]
    assert dvc_files.unlisted(spec, modules) == []
    assert dvc_files.unlisted(spec, [*modules, "plumbline.models.fnn", "plumbline.artifacts"]) == [
        "src/plumbline/artifacts",
        "src/plumbline/models",
    ]
    assert (
        dvc_files.unlisted(dvc_files.StageSpec("a", "", ("x",), (), ()), ["plumbline.models"]) == []
    )
