"""The functions of DVC that are wrapped are as the wrappers know them."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

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


@pytest.mark.parametrize("count", [None, 3])
def test_a_file_of_parameters_is_parsed_once_and_again_once_a_stage_has_written_it(
    tmp_path, monkeypatch, count
):
    """Four stages read it; the one in the middle doubles the parameter of the last two."""
    params = [{"own.yaml": ["a"]}]
    stages = {
        "one": stage("out/one", params=params),
        "two": stage("out/two", "out/one", params=params),
        "change": {"cmd": "echo 'a: 2' > own.yaml; touch changed", "deps": ["out/two"],
                   "outs": ["changed"]},
        "three": stage("out/three", "changed", params=params),
        "four": stage("out/four", "out/three", params=params),
    }  # fmt: skip
    made = Repository(tmp_path / "made", {"dvc.yaml": stages})
    made.write("own.yaml", "a: 1\n")
    from dvc.utils import serialize

    parsed = []
    loader = serialize.LOADERS[".yaml"]

    def counted(path, *args, **options):
        if path.endswith("own.yaml"):
            parsed.append(path)
        return loader(path, *args, **options)

    monkeypatch.setitem(serialize.LOADERS, ".yaml", counted)
    with hooked(settings(jobs=count) if count else None):
        assert made.serial("-P") == 0
    lock = yaml.safe_load((made.folder / "dvc.lock").read_text())["stages"]
    values = {name: lock[name]["params"]["own.yaml"]["a"] for name in stages if name != "change"}
    assert values == {"one": 1, "two": 1, "three": 2, "four": 2}
    assert len(parsed) == 2
