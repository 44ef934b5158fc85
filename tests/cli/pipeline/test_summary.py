"""The table of models, read from the reports."""

import pytest

from plumbline import artifacts, names
from plumbline.cli import main
from plumbline.cli.pipeline import summary
from tests.artifacts.test_plain_text import hidden


@pytest.fixture
def reports(toy):
    report = {
        "model": "fnn", "main_metric": "auroc",
        "metrics": {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}},
    }  # fmt: skip
    worst = {
        "attribute": "sex", "metric": "accuracy", "comparison": "difference", "value": 0.25,
        "low": 0.1, "high": 0.4, "verdict": names.DIFFERENCE,
    }  # fmt: skip
    artifacts.write_json(toy.folder / "reports/metrics/fnn.json", report)
    artifacts.write_json(toy.folder / "reports/audits/fnn.json", {"worst": worst})
    return toy


def test_a_row_of_the_summary_is_read_from_the_reports(reports):
    assert summary.rows(reports.folder) == [
        summary.Row(
            "fnn",
            "auroc\n0.800 [0.700, 0.900]",
            "accuracy by sex\n0.250 [0.100, 0.400]",
            "difference",
            "evaluate@fnn",
        )
    ]


def test_what_has_no_audit_or_no_gap_is_told_as_such(reports):
    path = reports.folder / "reports/audits/fnn.json"
    artifacts.write_json(path, {"worst": None})
    (row,) = summary.rows(reports.folder)
    assert (row.gap, row.verdict) == ("–", "insufficient")
    path.unlink()
    (row,) = summary.rows(reports.folder)
    assert (row.gap, row.verdict) == ("", "")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ({"value": 0.5, "low": 0.4, "high": 0.6}, "0.500 [0.400, 0.600]"),
        ({"value": 12.3456, "low": None, "high": None}, "12.346"),
        ({"value": None, "low": None, "high": None}, "–"),
    ],
)
def test_numbers_are_written_with_their_interval(cell, text):
    assert summary.interval(cell) == text


def test_summary_prints_the_table_and_where_the_report_is(reports, capsys):
    artifacts.write_text(reports.folder / names.SITE, "<html>")
    assert main.main(["summary", "--root", str(reports.folder)]) == 0
    out = capsys.readouterr().out
    assert "0.800 [0.700, 0.900]" in out
    assert "Report: reports/index.html" in out
    assert "MLflow: plumbline ui" in out


def test_summary_prints_the_page_of_all_models_on_a_server(reports, capsys):
    page = "#/experiments/2/runs?viewStateShareKey=all-models&workflowType=machine_learning"
    found = {"store": "http://127.0.0.1:5000/", "models": page}
    artifacts.write_json(reports.folder / ".plumbline/views.json", found)
    assert main.main(["summary", "--root", str(reports.folder)]) == 0
    assert f"MLflow: http://127.0.0.1:5000/{page}\n" in capsys.readouterr().out


def test_a_name_that_looks_like_markup_is_printed_as_it_stands(reports, capsys):
    path = reports.folder / "reports/audits/fnn.json"
    worst = {"attribute": "[red]a[/red]", "metric": "accuracy", "value": 0.1, "low": 0.0}
    artifacts.write_json(path, {"worst": {**worst, "high": 0.2, "verdict": "difference"}})
    assert main.main(["summary", "--root", str(reports.folder)]) == 0
    assert "accuracy by [red]a[/red]" in capsys.readouterr().out


def test_summary_before_the_first_run_says_what_to_do(toy, capsys):
    assert main.main(["summary", "--root", str(toy.folder)]) == 0
    assert "No model has been evaluated yet; run: plumbline repro" in capsys.readouterr().out


def test_a_name_that_a_terminal_would_obey_is_printed_as_text(reports, capsys):
    path = reports.folder / "reports/audits/fnn.json"
    worst = {"attribute": "\x1b[2J\u202ea", "metric": "accuracy", "value": 0.1, "low": 0.0}
    artifacts.write_json(path, {"worst": {**worst, "high": 0.2, "verdict": "difference"}})
    assert main.main(["summary", "--root", str(reports.folder)]) == 0
    out = capsys.readouterr().out
    assert not hidden(out.replace("\n", ""))
    assert "\\x1b[2J\\u202ea" in out
