"""The exercises on the command line: the list, a quick run, and what is refused."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from plumbline import artifacts
from plumbline.cli.main import main
from plumbline.cli.pipeline import exercise
from plumbline.studies.framework import study


@pytest.fixture
def work(root, tmp_path):
    """A work tree with parameters and pipelines, quick ones yet smaller, and no result."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(root / name, tmp_path)
    ignore = shutil.ignore_patterns("dvc.lock")
    shutil.copytree(root / "studies", tmp_path / "studies", ignore=ignore)
    quick = tmp_path / "studies/feedforward/quick.yaml"
    values = yaml.safe_load(quick.read_text(encoding="utf-8"))
    values["scratch"] |= {"seeds": 2, "epochs": 20}
    quick.write_text(yaml.safe_dump(values), encoding="utf-8")
    return tmp_path


def command(work, *words, code=0):
    """Run the command in a process of its own, as it pins the kernels there."""
    environment = {**os.environ, "COLUMNS": "110"}
    done = subprocess.run(
        [sys.executable, "-m", "plumbline.cli", "exercise", *words, "--root", str(work)],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_list_names_what_runs_every_exercise_and_what_has_none(work, capsys):
    exercise.list_all(work)
    text = capsys.readouterr().out
    rows = [line.strip() for line in text.splitlines() if re.match(r" ?E\d", line)]
    assert [line.split()[0] for line in rows] == [f"E{number}" for number in range(1, 19)]
    by_name = {line.split()[0]: line for line in rows}
    assert "studies/fairness" in text
    assert "default pipeline: train@gan" in by_name["E6"]
    assert "nothing yet" in by_name["E11"]
    assert "control: not run" in text


def test_the_list_shows_the_last_verdicts_and_main_metrics(work, capsys):
    each = study.of_lab("feedforward")["control"]
    claims = [{"exercise": "E15", "verdict": verdict} for verdict in ("refuted", "undecided")]
    claims += [{"exercise": "E3", "verdict": "refuted"}]
    artifacts.write_json(work / each.folder / "claims.json", {"claims": claims})
    metrics = {"accuracy": {"value": 0.9, "low": 0.85, "high": 0.94}}
    report = {"main_metric": "accuracy", "metrics": metrics}
    artifacts.write_json(work / "reports/metrics/cnn.json", report)
    exercise.list_all(work)
    text = " ".join(capsys.readouterr().out.split())
    assert "control: 1 refuted, 1 undecided" in text
    assert "cnn: accuracy 0.900 [0.850, 0.940]" in text


def test_a_quick_run_shows_numbers_verdicts_paths_and_the_question(work):
    text = command(work, "E15", "--quick")
    folder = work / "build/studies/quick/feedforward/control"
    document = artifacts.read_json(folder / "claims.json")
    control, false = document["claims"]
    assert false["verdict"] == "refuted"
    assert control["verdict"] in ("refuted", "undecided")
    rows, _ = artifacts.read_table(folder / "rows.parquet")
    assert len(rows) == 3 * 8
    assert f"{false['estimate']:.3f} [{false['low']:.3f}, {false['high']:.3f}]" in text
    for part in ("E15: A feed-forward network from scratch", "refuted",
                 "build/studies/quick/feedforward/control/README.md",
                 "build/studies/quick/feedforward/control/figures/losses.svg",
                 "Question: Does a network written by hand",
                 "Quick: few seeds and short trainings"):  # fmt: skip
        assert part in text
    assert not (work / "reports").exists()  # of the default size alone


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["E19"], "exercise: name must be one of E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, "
         "E12, E13, E14, E15, E16, E17, E18, got 'E19'"),
        (["E11"], "exercise: E11 must have a study or a stage, got none yet; plumbline exercise "
         "lists the exercises that have"),
        (["E6", "--quick"], "exercise: E6 must have a study for --size quick, got stages of a "
         "pipeline; leave --size out"),
    ],
)  # fmt: skip
def test_an_exercise_that_cannot_run_is_refused(work, caplog, words, message):
    assert main(["exercise", *words, "--root", str(work)]) == 10
    assert caplog.messages[-1] == message
