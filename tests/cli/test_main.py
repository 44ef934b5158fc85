"""The command line as a whole: help, examples, exit codes, completion and the cost of a start."""

import os
import shlex
import subprocess
import sys

import pytest
import typer

from plumbline.cli import main
from plumbline.cli.pipeline import summary
from plumbline.compat import kernels

GROUP = typer.main.get_command(main.app)
HEAVY = {
    "dvc", "matplotlib", "mlflow", "numpy", "pandas", "pooch", "pyarrow", "pytorch_lightning",
    "scipy", "sklearn", "torch", "torchmetrics", "torchvision", "timm",
}  # fmt: skip


def commands(group=GROUP, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def parse(command, words):
    """Parse ``words`` as the command does, down to the last one; run nothing."""
    context = command.make_context(None, list(words))
    if hasattr(command, "commands") and (rest := [*context._protected_args, *context.args]):
        return parse(command.commands[rest[0]], rest[1:])
    return context


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=str)
def test_the_help_of_every_command_has_an_example_that_parses(path, command, capsys):
    kind, _, example = command.epilog.partition(": ")
    assert kind == "Example"
    words = shlex.split(example)
    assert words[: len(path) + 1] == ["plumbline", *path]
    parse(GROUP, words[1:])
    assert main.main([*path, "--help"]) == 0
    assert example.split()[-1] in capsys.readouterr().out


def test_the_help_groups_the_commands(capsys):
    assert main.main(["-h"]) == 0
    shown = capsys.readouterr().out
    for panel in ("Pipeline", "Data and parameters", "Models", "Fairness", "MLflow"):
        assert f"─ {panel} ─" in shown
    assert "─ Commands ─" not in shown  # every command has a panel


def test_the_version_is_that_of_the_package(capsys):
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == "plumbline 0.1.0\n"


@pytest.mark.parametrize(
    "words",
    [
        ["fly"], [], ["data"], ["summary", "--wings"], ["verify", "--clones", "3"], ["seeds", "x"],
        ["audit", "x.csv", "--format", "pdf"], ["gate", "--on", "soon"], ["params", "apply"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_usage_error_exits_2_and_shows_the_usage(words, capsys):
    assert main.main(words) == 2
    shown = capsys.readouterr()
    assert "Usage: plumbline" in shown.out + shown.err


def test_an_interrupted_command_exits_130(monkeypatch):
    def interrupt(root):
        raise KeyboardInterrupt

    monkeypatch.setattr(summary, "show", interrupt)
    assert main.main(["summary"]) == 130


def python(*words, **variables):
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **variables}, check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_an_error_of_ours_is_one_line_with_its_exit_code(tmp_path):
    done = python("-m", "plumbline.cli", "params", "check", "--root", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("params.yaml: file must exist")
    assert done.stderr.count("\n") == 1


def test_the_work_tree_is_the_option_or_that_of_dvc_or_the_current_folder(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(summary, "show", seen.append)
    for name in ("here", "of_dvc", "given"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    main.main(["summary"])
    monkeypatch.setenv("DVC_ROOT", "../of_dvc")
    main.main(["summary"])
    main.main(["summary", "--root", "../given"])
    assert seen == [tmp_path / "here", tmp_path / "of_dvc", tmp_path / "given"]


def test_the_work_tree_may_stand_before_or_after_lineage(tmp_path, caplog):
    for words in (["--root", str(tmp_path), "lineage"], ["lineage", "--root", str(tmp_path)]):
        assert main.main(["verify", *words]) == 4
        assert caplog.messages.pop().startswith("verify lineage: dvc.lock must record a stage")


def test_arguments_of_dvc_pass_through_repro_in_their_order(tmp_path, monkeypatch):
    from plumbline.cli.pipeline import repro

    seen = []
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.setattr(
        repro, "run", lambda root, arguments, dvc, jobs: seen.append((arguments, jobs)) or 0
    )
    words = ["--force", "train@fnn", "-s", "--pull", "studies/dvc.yaml:fold"]
    own = ["--root", str(tmp_path), "-j", "3"]
    assert main.main(["repro", *words[:2], *own, *words[2:]]) == 0
    assert seen == [(words, 3)]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("plumbline ver", "verify"), ("plumbline data fetch adu", "adult")],
)
def test_the_shell_completes_commands_and_sources(typed, offered):
    done = python(
        "-m", "plumbline.cli",
        _PLUMBLINE_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(typed.count(" ")),
    )  # fmt: skip
    assert done.stdout.split() == [offered]


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["audit", "--help"], ["sync"]], ids=" ".join
)
def test_a_start_imports_nothing_heavy(words, tmp_path):
    program = (
        "import sys; from plumbline.cli.main import main; code = main(sys.argv[1:]); "
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    done = python("-c", program, *words, DVC_ROOT=str(tmp_path), PLUMBLINE_TRACKING="on")
    code, *modules = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    assert HEAVY.isdisjoint(modules)


@pytest.mark.skipif(not kernels.available(), reason="the processor has no AVX2")
def test_commands_that_compute_have_portable_kernels_and_others_those_of_the_user():
    program = (
        "import os, sys; from plumbline.cli.main import main\n"
        "for word in sys.argv[1:]: main([word, '--help']); print(word, os.environ['MKL_CBWR'])"
    )
    clean = dict.fromkeys(kernels.VARIABLES, "") | {kernels._BEFORE: "{}", "MKL_CBWR": "SSE4_2"}
    words = ["summary", "audit", "compare", "explain", "predict", "seeds", "standards"]
    shown = python("-c", program, *words, **clean).stdout.splitlines()
    assert "summary SSE4_2" in shown
    assert {f"{word} COMPATIBLE" for word in words[1:]} <= {*shown}


@pytest.mark.parametrize("command", ["summary", "sync", "doctor", "ui", "vega"])
def test_a_command_of_the_pipeline_outside_of_one_says_so_and_makes_nothing(
    command, tmp_path, caplog
):
    assert main.main([command, "--root", str(tmp_path)]) == 4
    assert caplog.messages == [
        f"{command}: folder must be a work tree with dvc.yaml, got {tmp_path}; go to one or give "
        "it with --root"
    ]
    assert not list(tmp_path.iterdir())


def test_a_download_without_git_is_told_how_to_become_a_repository(root, tmp_path, caplog):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    assert main.main(["repro", "--root", str(tmp_path)]) == 4
    assert "work tree must be in git" in caplog.text
    assert "git init && git add -A && git commit" in caplog.text
