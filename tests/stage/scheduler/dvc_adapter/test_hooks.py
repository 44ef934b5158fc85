"""The functions of DVC that are wrapped are as the wrappers know them."""

import inspect
import re
from pathlib import Path

import pytest

from plumbline.stage.scheduler.dvc_adapter import hooks
from tests.stage.scheduler.repositories import Repository, hooked, settings, stage

CHECK = (
    "DVC has changed: compare {} with its wrapper in stage/scheduler/dvc_adapter, run the tests of "
    "this folder and the slow tests/test_parallel.py, and then set SIGNATURES and this test"
)


def test_the_installed_dvc_has_the_signatures_that_the_wrappers_rely_on():
    assert hooks.differences() == [], CHECK.format("the functions named here")


def test_the_pinned_dvc_is_the_one_that_messages_name(root):
    pinned = re.search(r"^dvc==(\S+)", (root / "requirements.lock").read_text(), re.MULTILINE)
    assert pinned, "requirements.lock must pin dvc"
    assert f"of {pinned[1]}" in Path(hooks.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "facts"),
    [
        # The loop calls this name of its module, and its default runs one stage.
        ("dvc.repo.reproduce:reproduce", ["return _reproduce(steps, graph=graph,"]),
        ("dvc.repo.reproduce:_reproduce", [
            "repro_fn: Callable = _reproduce_stage", "_get_upstream_downstream_nodes(graph, stage)",
            "ret = repro_fn(stage, upstream=upstream, force=force_stage, **kwargs)",
            "if force_downstream and (ret or force_stage):",
        ]),
        ("dvc.repo.reproduce:_reproduce_stage", ["stage.dump(update_pipeline=False)"]),
        # Commands alone run without the lock, through these names of the module.
        ("dvc.stage.run:run_stage", ["run = cmd_run if dry else unlocked_repo(cmd_run)"]),
        ("dvc.stage.run:cmd_run", ["_run(executable, cmd, **kwargs)"]),
        ("dvc.stage.run:_run", [
            "exec_cmd = _make_cmd(executable, cmd)", "subprocess.Popen(exec_cmd, **kwargs)",
            "raise StageCmdFailedError(cmd, p.returncode)",
        ]),
        ("dvc.stage.decorators:unlocked_repo", [
            "stage.repo.lock.unlock()", "stage.repo._reset()", "stage.repo.lock.lock()",
        ]),
        # What must run is known before `run`, which removes outputs first of all.
        ("dvc.stage:Stage.reproduce", ["self.changed(allow_missing, upstream)", "self.run("]),
        ("dvc.stage:Stage.run", ["self.remove_outs(", "self._run_stage(", "self.commit("]),
        # Each call looks the function up anew, and a process holds paths by pid and command.
        ("dvc.stage.decorators:rwlocked", ["from dvc.rwlock import rwlock"]),
        ("dvc.rwlock:rwlock", ['info = {"pid": os.getpid(), "cmd": cmd}']),
        ("dvc.dvcfile:Lockfile.dump_stages", [
            "serialize.to_lockfile(stage, **kwargs)", 'data["stages"].update(stage_data)',
        ]),
    ],
)  # fmt: skip
def test_the_source_of_dvc_says_what_the_wrappers_rely_on(place, facts):
    import importlib

    module, _, path = place.partition(":")
    target = importlib.import_module(module)
    for part in path.split("."):
        target = getattr(target, part)
    try:
        text = inspect.getsource(inspect.unwrap(target))
    except OSError:
        text = ""
    if facts[0] not in text:  # a decorator of DVC that keeps no link to what it wraps
        text = inspect.getsource(importlib.import_module(module))
    for fact in facts:
        assert fact in text, CHECK.format(place)


def test_another_dvc_runs_stages_one_after_another_and_says_so(tmp_path, monkeypatch, capfd):
    changed = {**hooks.SIGNATURES, "dvc.stage.run:_run": ("executable", "command")}
    monkeypatch.setattr(hooks, "SIGNATURES", changed)
    made = Repository(tmp_path / "made", {"dvc.yaml": {"one": stage("out/one", "in/first")}})
    made.write("in/first", "1\n")
    with hooked(settings()):
        from dvc.stage import run

        assert run._run.__module__ == "dvc.stage.run"
        assert not hasattr(run._run, "__wrapped__")
        assert made.serial() == 0
    assert (
        "repro: functions of DVC must be those of 3.67.1, got "
        "dvc.stage.run:_run(executable, cmd, kwargs) for (executable, command); stages run one "
        "after another: install the versions of requirements.lock"
    ) in capfd.readouterr().err
    assert "  one:" in made.locks()["dvc.lock"]


def test_a_function_that_is_gone_is_named():
    assert hooks.differences({"dvc.stage.run:gone": ("a",)}) == ["dvc.stage.run:gone() for (a)"]
