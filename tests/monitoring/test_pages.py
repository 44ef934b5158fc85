"""A report says what drifted first, and its figure draws what it says."""

import xml.etree.ElementTree as ElementTree

import pytest

from plumbline import artifacts
from plumbline.monitoring import pages
from plumbline.monitoring.comparisons import Smallest
from plumbline.monitoring.watch import Options, watch
from tests.serving import folders


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    folder, data = folders.fnn(root)
    rows = folders.raw_rows(data, "train")
    rows["raw weight"] += 90
    rows["sex"] = ["<b>x</b>"] * 40 + ["male"] * 20
    rows.to_csv(root / "new rows.csv", index=False)
    options = Options(0.95, Smallest(0.1, 0.05, 0.1), None, 0)
    return watch(folder, root / "new rows.csv", options, report=None, audit=None)


def test_the_page_lists_changes_by_size_and_escapes_names(report):
    text = pages.page(report)
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert lines[0].startswith("| out of range | raw weight | 0.03")
    assert lines[0].endswith("| 60 and 60 | drifted |")
    assert "<b>" not in text
    assert "Columns without such a value, before or now (missing: 2" in text
    assert pages.summary(report).startswith("60 rows, ")
    assert "drifted" in text
    assert pages.overall(report) == "drifted"


def test_the_files_are_markdown_json_and_an_image_that_names_every_line(report, tmp_path):
    pages.write(tmp_path / "out", report)
    assert artifacts.read_json(tmp_path / "out" / pages.DATA)["rows"] == 60
    assert pages.FIGURE in (tmp_path / "out" / pages.PAGE).read_text()
    svg = (tmp_path / "out" / pages.FIGURE).read_text()
    ElementTree.fromstring(svg)
    assert "raw weight · distribution" in svg
    assert "raw height · missing" not in svg  # nothing is missing, before or now


def test_metrics_for_mlflow_are_verdicts_rows_and_changes(report):
    found = pages.metrics(report)
    assert found["rows"] == 60
    assert sum(found[f"lines/{name}"] for name in ("drifted", "within_noise", "too_few_rows")) == (
        len(report["lines"])
    )
    assert found["distribution/raw weight"] == 1.0
