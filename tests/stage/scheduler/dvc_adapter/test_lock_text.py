"""What this package writes into ``dvc.lock`` is what DVC would have written."""

import sys

import pytest
import yaml

from plumbline.runs import processes
from plumbline.stage.scheduler.dvc_adapter import lock_text
from tests.toy import Toy

HEAD = "schema: '2.0'\nstages:\n"
ONE = "  one:\n    cmd: a\n    outs:\n    - path: x\n"
TWO = "  two@b:\n    cmd: b\n"


def test_an_entry_takes_the_place_of_its_own_and_a_new_one_comes_last():
    changed = ONE.replace("cmd: a", "cmd: c")
    assert lock_text.splice(HEAD + ONE + TWO, changed) == HEAD + changed + TWO
    assert lock_text.splice(HEAD + TWO, ONE) == HEAD + TWO + ONE
    # A name that another one begins with, and a folded text, are parts of no other entry.
    longer = "  one@x:\n    cmd: a long\n      command\n"
    assert lock_text.splice(HEAD + longer + ONE, changed) == HEAD + longer + changed


def test_a_new_entry_comes_before_those_of_later_stages():
    three = "  three:\n    cmd: c\n"
    assert lock_text.splice(HEAD + ONE + three, TWO, {"three", "four"}) == HEAD + ONE + TWO + three
    assert lock_text.splice(HEAD + three, ONE, {"three"}) == HEAD + ONE + three
    assert lock_text.splice("", ONE, {"three"}) == HEAD + ONE


def test_an_unfinished_run_is_continued_in_the_order_of_a_serial_one(tmp_path):
    lock, names = tmp_path / "dvc.lock", ["d", "c", "b", "a"]
    made = {name: f"  {name}:\n    cmd: {name}\n" for name in "abcdx"}
    lock.write_text(HEAD + made["x"] + made["c"])

    def found() -> list[str]:
        return [lock_text.name_of(entry) for entry in lock_text.entries(lock.read_text())]

    first = lock_text.Order(tmp_path, {"dvc.lock": names})
    for name in "ad":
        assert first.write("dvc.lock", made[name])
    assert found() == ["x", "c", "d", "a"]
    # c was there before and stays; b and d are new and stand in the order of the plan.
    second = lock_text.Order(tmp_path, {"dvc.lock": names})
    assert second.write("dvc.lock", made["b"])
    assert found() == ["x", "c", "d", "b", "a"]
    second.complete()
    assert not (tmp_path / ".plumbline/lock_order.json").exists()
    # After the end all are there before: a new one comes last.
    third = lock_text.Order(tmp_path, {"dvc.lock": ["e", *names]})
    assert third.write("dvc.lock", "  e:\n    cmd: e\n")
    assert found() == ["x", "c", "d", "b", "a", "e"]


def test_a_lock_that_another_command_changed_is_taken_as_it_is(tmp_path):
    lock = tmp_path / "dvc.lock"
    order = lock_text.Order(tmp_path, {"dvc.lock": ["one", "two@b"]})
    assert order.write("dvc.lock", TWO)
    lock.write_text(lock.read_text() + "  three:\n    cmd: c\n")
    again = lock_text.Order(tmp_path, {"dvc.lock": ["one", "two@b"]})
    assert again.write("dvc.lock", ONE)
    assert lock.read_text().endswith("    cmd: c\n" + ONE)


@pytest.mark.parametrize(
    "text",
    [
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
    assert lock_text.splice(text, ONE) is None


def test_every_entry_of_the_committed_lock_is_written_as_dvc_writes_it(root):
    from dvc.utils.serialize import dumps_yaml

    text = (root / "dvc.lock").read_text(encoding="utf-8")
    for name, body in yaml.load(text, yaml.CSafeLoader)["stages"].items():
        entry = dumps_yaml({"stages": {name: body}}).removeprefix("stages:\n")
        assert entry in text
        assert lock_text.splice(text, entry) == text


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
