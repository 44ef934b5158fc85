"""What this package writes into ``dvc.lock`` is what DVC would have written."""

import sys

import pytest
import yaml

from plumbline.runs import processes
from plumbline.stage import run_dvc
from tests.toy import Toy

HEAD = "schema: '2.0'\nstages:\n"
ONE = "  one:\n    cmd: a\n    outs:\n    - path: x\n"
TWO = "  two@b:\n    cmd: b\n"


def test_an_entry_takes_the_place_of_its_own_and_a_new_one_comes_last():
    changed = ONE.replace("cmd: a", "cmd: c")
    assert run_dvc.splice(HEAD + ONE + TWO, changed) == HEAD + changed + TWO
    assert run_dvc.splice(HEAD + TWO, ONE) == HEAD + TWO + ONE
    # A name that another one begins with, and a folded text, are parts of no other entry.
    longer = "  one@x:\n    cmd: a long\n      command\n"
    assert run_dvc.splice(HEAD + longer + ONE, changed) == HEAD + longer + changed


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD.replace("2.0", "3.0") + ONE,
        "# mine\n" + HEAD + ONE,
        HEAD + ONE + "datasets: []\n",
        HEAD + "<<<<<<< ours\n" + ONE,
        HEAD + ONE + "\n" + TWO,
        HEAD + ONE + ONE,
        HEAD + ONE.rstrip("\n"),
    ],
)
def test_a_lock_of_another_form_is_left_to_dvc(text):
    assert run_dvc.splice(text, ONE) is None


def test_every_entry_of_the_committed_lock_is_written_as_dvc_writes_it(root):
    from dvc.utils.serialize import dumps_yaml

    text = (root / "dvc.lock").read_text(encoding="utf-8")
    for name, body in yaml.load(text, yaml.CSafeLoader)["stages"].items():
        entry = dumps_yaml({"stages": {name: body}}).removeprefix("stages:\n")
        assert entry in text
        assert run_dvc.splice(text, entry) == text


def test_the_lock_of_a_run_is_byte_for_byte_that_of_dvc(tmp_path):
    toy = Toy(tmp_path / "toy")
    toy.repro("evaluate@fnn")
    before = toy.lock
    toy.seed(43)
    told = toy.run(sys.executable, "-m", processes.RUN_DVC, "repro", "train_fnn").stdout
    assert "Running stage 'train_fnn'" in told
    ours = toy.lock
    (toy.folder / "dvc.lock").write_text(before, encoding="utf-8")
    toy.repro("train_fnn")
    assert ours == toy.lock != before


def test_a_lock_that_a_person_wrote_in_is_written_by_dvc_itself(tmp_path):
    toy = Toy(tmp_path / "toy")
    (toy.folder / "dvc.lock").write_text("# kept\nschema: '2.0'\nstages: {}\n", encoding="utf-8")
    toy.run(sys.executable, "-m", processes.RUN_DVC, "repro", "train_fnn")
    assert toy.lock.startswith("# kept\n")
    assert "  train_fnn:" in toy.lock
