import pytest
import yaml

from plumbline import experiments
from tests.toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


def test_changed_params_are_those_that_differ_from_the_baseline(toy):
    baseline = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    assert experiments.changed_params(toy.folder, toy.folder, baseline) == {}
    path = toy.folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["seed"] = 7
    values["train_fnn"]["hidden"] = [8]
    values["extra"] = {"new": 1}
    del values["evaluate"]
    path.write_text(yaml.safe_dump(values))
    changed = experiments.changed_params(toy.folder, toy.folder, baseline)
    gone = {name for name in changed if name.startswith("evaluate.")}
    assert {name: changed[name] for name in changed if name not in gone} == {
        "seed": 7, "train_fnn.hidden": [8], "extra.new": 1,
    }  # fmt: skip
    assert gone
    assert {changed[name] for name in gone} == {None}
    assert experiments.changed_params(toy.folder, toy.folder, "") == {}


def test_an_experiment_is_found_by_name_and_baseline(toy):
    head = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/wide"
    toy.run("git", "update-ref", ref, head)
    assert experiments.find(toy.folder, "wide") == head
    assert experiments.find(toy.folder, "wide", head) == head
    assert experiments.find(toy.folder, "wide", "0" * 40) == ""
    assert experiments.find(toy.folder, "narrow") == ""
    assert experiments.find(toy.folder, "") == ""


def test_the_tree_of_an_experiment_is_its_folder_or_else_its_commit(toy):
    head = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    toy.run("git", "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/wide", head)
    tags = {"dvc.exp_name": "wide", "dvc.exp_baseline": head}
    with experiments.result_tree(toy.folder, toy.folder, tags) as tree:
        assert tree == toy.folder
    gone = toy.folder / ".dvc/tmp/exps/standalone/tmpgone"
    with experiments.result_tree(toy.folder, gone, tags) as tree:
        assert (tree / "dvc.yaml").read_bytes() == (toy.folder / "dvc.yaml").read_bytes()
        assert tree != toy.folder
    assert not tree.exists()
    with experiments.result_tree(toy.folder, gone, {"dvc.exp_name": "lost"}) as tree:
        assert tree is None
