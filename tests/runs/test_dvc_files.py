import json
import subprocess
import sys

import pytest

from plumbline import catalog, names
from plumbline.errors import ArtifactError
from plumbline.runs import dvc_files
from tests.toy import Toy


@pytest.fixture(scope="module")
def specs(root):
    return dvc_files.stages(root)


def resolve(root):
    """Return what DVC itself makes of every dvc.yaml."""
    program = (
        "import json; from dvc.repo import Repo\n"
        "found = {s.addressing: {'cmd': s.cmd, 'deps': [d.def_path for d in s.deps"
        " if type(d).__name__ != 'ParamsDependency'], 'params': [p for d in s.deps"
        " if type(d).__name__ == 'ParamsDependency' for p in d.params],"
        " 'outs': [o.def_path for o in s.outs]} for s in Repo('.').index.stages}\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_stages_are_those_that_dvc_resolves(root, specs):
    resolved = resolve(root)
    assert {spec.address for spec in specs.values()} == set(resolved)
    for name, spec in specs.items():
        theirs = resolved[spec.address]
        assert spec.cmd == theirs["cmd"]
        assert set(spec.deps) == set(theirs["deps"]), name
        assert set(spec.params) == set(theirs["params"]), name
        assert set(spec.outs) == set(theirs["outs"]), name


def test_every_model_is_measured_audited_and_described(specs):
    outs = {out for spec in specs.values() for out in spec.outs}
    for model in catalog.models():
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


# --- several pipelines ---------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path):
    return Toy(tmp_path / "toy", lab=True)


def test_stages_of_a_lab_are_those_that_dvc_resolves(lab):
    specs = dvc_files.stages(lab.folder)
    theirs = resolve(lab.folder)
    assert {spec.address for spec in specs.values()} == set(theirs)
    spec = specs["mitigate@drop"]
    assert (spec.address, spec.lab) == ("studies/toy/dvc.yaml:mitigate@drop", "toy")
    assert spec.outs == ("reports/mitigation/drop.json",)
    assert spec.params == {"seed": "params.yaml", "mitigate": "studies/toy/params.yaml"}
    assert set(theirs[spec.address]["params"]) == {"seed", "mitigate"}


def test_locks_of_all_pipelines_are_read_as_dvc_writes_them(lab):
    lab.repro("-P")
    entries = dvc_files.read_lock(lab.folder)
    assert set(entries) == {"train_fnn", "evaluate@fnn", "mitigate@none", "mitigate@drop"}
    entry = entries["mitigate@none"]
    assert entry.params == {"seed": 42, "mitigate": {"strength": 0.5}}
    spec = dvc_files.stage(lab.folder, "mitigate@none")
    assert entry.params == dvc_files.raw_params(lab.folder, spec.params)
    for path, value in {**entry.deps, **entry.outs}.items():
        assert dvc_files.content_hash(lab.folder / path) == value, path


@pytest.mark.parametrize("name", ["mitigate@none", "studies/toy/dvc.yaml:mitigate@none"])
def test_a_stage_of_a_lab_is_found_by_its_name_and_by_its_address(lab, name):
    assert dvc_files.stage(lab.folder, name).name == "mitigate@none"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mitigate:", "evaluate:", "stage names must be unique over all pipelines, got "
         "'evaluate@fnn' of dvc.yaml again; rename one of them"),
        ("../..", "..", "wdir of stage mitigate@fnn must be ../.., got ..; "
         "scripts run in the root"),
        ("seed,", "mitigate,", "params of stage mitigate@fnn must name each block once, got "
         "'mitigate' of studies/toy/params.yaml"),
    ],
)  # fmt: skip
def test_a_faulty_pipeline_of_a_lab_is_refused(lab, old, new, message):
    path = lab.folder / "studies/toy/dvc.yaml"
    path.write_text(path.read_text().replace("none, drop", "fnn").replace(old, new, 1))
    with pytest.raises(ArtifactError) as caught:
        dvc_files.stages(lab.folder)
    assert str(caught.value) == f"studies/toy/dvc.yaml: {message}"
