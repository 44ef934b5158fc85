"""The command that compares new rows with the data of a model."""

import json
import os

import pandas as pd
import pytest

from plumbline import artifacts, names
from plumbline.cli.main import main
from plumbline.monitoring import pages
from tests.serving import folders


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    _, data = folders.fnn(tmp_path)
    rows = folders.raw_rows(data, names.TRAIN)
    rows.to_csv("same.csv", index=False)
    rows.assign(**{"raw weight": rows["raw weight"] + 90}).to_csv("shifted.csv", index=False)
    return tmp_path


def test_the_exit_code_says_whether_anything_drifted_and_the_report_says_what(tree, capsys):
    assert main(["monitor", "fnn", "same.csv", "--root", str(tree)]) == 0
    assert "0 drifted" in capsys.readouterr().out
    assert main(["monitor", "fnn", "shifted.csv", "--root", str(tree), "--out", "new/out"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("60 rows, ")
    assert "distribution of raw weight" in said[0]
    assert said[1:] == [f"report: new/out/{pages.PAGE}"]
    assert sorted(os.listdir("new/out")) == sorted([pages.PAGE, pages.DATA, pages.FIGURE])
    assert not (tree / "mlflow.db").exists()  # this is no work tree


def test_json_is_the_report_and_options_change_what_is_relevant(tree, capsys):
    asked = ["monitor", "fnn", "shifted.csv", "--json", "--distance", "0.49", "--confidence", "0.9"]
    assert main(asked) == 1
    found = json.loads(capsys.readouterr().out)
    assert found == artifacts.read_json(tree / "monitoring" / pages.DATA)
    assert (found["smallest"]["distance"], found["confidence"]) == (0.49, 0.9)


def test_a_server_that_does_not_answer_stops_no_report(tree, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main(["monitor", "fnn", "same.csv", "--root", str(tree)]) == 0
    assert (tree / "monitoring" / pages.PAGE).exists()
    assert "monitor: the report must be a run in http://" in caplog.text
    assert "secret" not in caplog.text
    caplog.clear()
    assert main(["monitor", "fnn", "same.csv", "--root", str(tree), "--no-mlflow"]) == 0
    assert "must be a run" not in caplog.text


def test_faults_are_one_line_and_leave_nothing(tree, caplog):
    assert main(["monitor", "nobody", "same.csv", "--root", str(tree)]) == 4
    assert caplog.records[-1].getMessage().startswith("monitor: model must be one of baseline, ")
    assert main(["monitor", "fnn", "same.csv", "--root", str(tree), "--label", "no"]) == 3
    assert not (tree / "monitoring").exists()


def test_labels_and_groups_are_compared_with_the_reports_beside_the_model(tree, capsys):
    rows = pd.read_csv("same.csv")
    rows.assign(label=rows["y"].map({0: "low", 1: "high"})).to_csv("labelled.csv", index=False)
    report = {
        "main_metric": "accuracy", "n": 60,
        "metrics": {"accuracy": {"value": 0.99, "low": 0.98, "high": 1.0}},
        "curves": {"classes": ["low", "high"], "confusion": [[30, 0], [0, 30]]},
    }  # fmt: skip
    artifacts.write_json(tree / names.METRICS_DIR / "fnn.json", report)
    main(["monitor", "fnn", "labelled.csv", "--root", str(tree), "--label", "label", "--json"])
    found = json.loads(capsys.readouterr().out)
    by_name = {(line["part"], line["name"]): line for line in found["lines"]}
    assert by_name["metric", "accuracy"]["reference"] == 0.99
    assert by_name["decision", "high"]["reference_rows"] == 60
    assert found["measured_rows"] == 60
