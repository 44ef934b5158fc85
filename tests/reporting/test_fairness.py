"""The sections about mitigation and the dilemma: real reports in, looked-up numbers out."""

import shutil

import pytest

from plumbline import artifacts, names
from plumbline.audit.options import AuditOptions
from plumbline.metrics.intervals.resampling import Resampling
from plumbline.mitigation import files
from plumbline.mitigation.inprocessing.regression import fit_regression
from plumbline.mitigation.problem import read_problem
from plumbline.reporting.figures import fairness, style
from plumbline.reporting.references import Book, check_html
from plumbline.reporting.site.fairness_views import balance_view, dilemma_view, mitigation_view
from plumbline.reporting.site.lab_page import render_lab
from plumbline.studies.dilemma import document as dilemma
from plumbline.studies.dilemma import hiring
from tests.mitigation.conftest import write_prepared
from tests.reporting.site.test_page import Page

TRIED = ("none", "reweighing", "group_thresholds")


def document():
    counts = [
        {"attribute": "sex", "group": group, "class": None, "n": 1000, "tp": tp, "fp": fp, "tn": tn,
         "fn": 1000 - tp - fp - tn}
        for group, tp, fp, tn in (("<b>", 400, 100, 400), ("M", 160, 40, 760))
    ]  # fmt: skip
    audits = {"fnn": {"attributes": ["sex"], "counts": counts}}
    return {
        "hiring": hiring.hiring_options(
            overall_accuracy=0.85, minority_accuracy=0.7, minority_share=0.2, qualified_share=0.4,
            candidates=1000, confidence=0.95,
        ),
        "impossibility": dilemma.audits_impossibility(
            audits, Resampling(0.95, 100, 0)
        ),
    }  # fmt: skip


def balance_document():
    """Rows as `balance` writes them; of one group too little is known."""
    known = {"value": 0.9, "low": 0.85, "high": 0.94}
    gap = {"value": 0.1, "low": 0.02, "high": 0.2, "lowest": "left", "highest": "right",
           "verdict": names.DIFFERENCE}  # fmt: skip
    rows = [
        {"variant": "undersampled", "added": 0, "accuracy": known, "group_accuracy": known,
         "gap": gap},
        {"variant": "oversampled", "added": 9, "accuracy": known, "group_accuracy": None,
         "gap": None},
    ]  # fmt: skip
    return {
        "attribute": "slant", "group": "<i>left", "skipped": None, "removed": 12, "wanted": 10,
        "drawn": 40, "accepted": 9, "accepted_share": 0.225, "cells": 3, "cells_unfilled": 1,
        "rows": rows,
    }  # fmt: skip


@pytest.fixture(scope="module")
def told(small_tree, tmp_path_factory):
    """The small repository of the other tests, with remedies tried and the dilemma computed."""
    root = tmp_path_factory.mktemp("told") / "tree"
    shutil.copytree(small_tree, root)
    problem = read_problem(write_prepared(root / "made"), attribute="sex")
    measuring = AuditOptions(confidence=0.95, min_group_size=10, replicates=200, seed=0)
    none = fit_regression("none", problem, strength=1.0, rounds=100, seed=0)
    for model, tried in (("logistic_regression", TRIED), ("fnn", TRIED[:1])):
        for name in tried:
            made = {s: fit_regression(name, problem, strength=s, rounds=100, seed=0)
                    for s in (1.0, 0.5)}  # fmt: skip
            files.write_outcome(
                model, name, problem, made, reference=none.decision, options=measuring,
                out=lambda path: root / path,
            )  # fmt: skip
    artifacts.write_json(root / names.DILEMMA, document())
    artifacts.write_json(root / names.BALANCE, balance_document())
    return root


@pytest.fixture(scope="module")
def text(told):
    return render_lab(told, "fairness", title="plumbline")


def test_every_number_of_the_sections_stands_in_its_file(told, text):
    assert check_html(text, told) == []
    assert Page(text).faults == []
    assert (
        'data-ref="reports/mitigation/logistic_regression_group_thresholds.json#gaps.selection_rate.value"'
        in text
    )
    assert "<b>" not in text.split('id="dilemma"')[1]
    path = told / names.MITIGATION / "logistic_regression_none.json"
    report = artifacts.read_json(path)
    artifacts.write_json(path, {**report, "accuracy": {**report["accuracy"], "value": 0.5}})
    (fault,) = check_html(text, told)
    assert fault.startswith(
        "reports/mitigation/logistic_regression_none.json#accuracy.value: value must be 0.5"
    )
    artifacts.write_json(path, report)


def test_methods_stand_in_their_order_with_gaps_and_verdicts(told):
    view = mitigation_view(Book(told))
    assert [(row.number, row.model, row.name, row.needs_group) for row in view.rows] == [
        (0, "logistic regression", "none", False),
        (1, "logistic regression", "reweighing", False),
        (2, "logistic regression", "group thresholds", True),
        (3, "feed-forward network", "none", False),
    ]
    assert [sorted(row.changes) for row in view.rows] == [[], *[["accuracy", "gap"]] * 2, []]
    label, verdict = view.rows[0].errors[0].label, view.rows[0].errors[1]
    assert (label, verdict) == ("true positive rate", names.DIFFERENCE)
    assert len(view.drawings) == 1
    assert len(dilemma_view(Book(told)).drawings) == 2


def test_what_weights_and_entities_do_is_said_where_the_data_have_them(told):
    assert mitigation_view(Book(told)).design == ""
    path = told / names.MITIGATION / "logistic_regression_none.json"
    report = artifacts.read_json(path)
    artifacts.write_json(path, {**report, "weight": 812.5, "entities": 240})
    said = mitigation_view(Book(told)).design
    assert said in render_lab(told, "fairness", title="plumbline")
    artifacts.write_json(path, report)
    assert "unless a method states otherwise" in said
    assert "Intervals resample whole entities." in said


def test_ways_of_filling_a_group_of_images_stand_beside_each_other(told, text):
    view = balance_view(Book(told))
    assert [(row.name, row.added.value, row.group is None) for row in view.rows] == [
        ("undersampled", 0, False),
        ("oversampled", 9, True),
    ]
    assert [row.gap and row.gap[1] for row in view.rows] == [names.DIFFERENCE, None]
    assert len(view.drawings) == 1
    assert 'data-ref="reports/mitigation/balance.json#rows.0.gap.value"' in text
    assert "<i>left" not in text
    assert "has no paired differences, so it does not rank the methods" in text


def test_images_that_cannot_be_measured_are_said_to_be_skipped(tmp_path):
    assert balance_view(Book(tmp_path)) is None
    found = {"attribute": "slant", "group": "left", "skipped": "slant is not measured"}
    artifacts.write_json(tmp_path / names.BALANCE, found)
    assert balance_view(Book(tmp_path)).skipped == "slant is not measured"


def test_without_reports_there_is_no_section_and_a_reason_is_shown(tmp_path):
    assert mitigation_view(Book(tmp_path)) is None
    assert dilemma_view(Book(tmp_path)) is None
    for name in TRIED:
        files.write_reason("fnn", name, "iris has three classes", out=lambda path: tmp_path / path)
    assert mitigation_view(Book(tmp_path)).skipped == "iris has three classes"


@pytest.mark.parametrize(
    ("points", "kept"),
    [
        ([(0.3, 0.9), (0.1, 0.8), (0.2, 0.7)], [1, 0]),
        ([(0.3, 0.9), (0.3, 0.9), (0.3, 0.8)], [0]),
        ([(0.1, 0.9), (0.2, 0.8)], [0]),
        ([], []),
    ],
)
def test_the_front_holds_what_no_other_beats(points, kept):
    assert fairness.pareto(points) == kept


def test_methods_that_decide_alike_share_a_label_and_equal_data_give_equal_bytes():
    estimate = {"value": 0.5, "low": 0.4, "high": None}
    row = {"model": "fnn", "when": "", "accuracy": estimate, "gap": estimate, "curve": []}
    rows = [{**row, "number": k} for k in (0, 1)]
    first, second = (style.svg(fairness.mitigation_front(rows)) for _ in range(2))
    assert first == second
    assert ">0, 1</text>" in first


def test_a_strength_that_decides_every_row_alike_is_said_and_drawn(told, text):
    path = told / names.MITIGATION / "logistic_regression_group_thresholds.json"
    report = artifacts.read_json(path)
    assert report["parameter"] == "share of the way from the threshold of the model"
    curve = [{**point, "constant": point["strength"] == 1.0} for point in report["curve"]]
    artifacts.write_json(path, {**report, "curve": curve})
    changed = render_lab(told, "fairness", title="plumbline")
    artifacts.write_json(path, report)
    said = "all rows get one decision at share of the way from the threshold of the model 1"
    assert said in changed
    assert said not in text
    assert mitigation_view(Book(told)).drawings[0].markup in text


def test_a_method_that_changes_no_decision_says_so_with_what_it_did(told, text):
    path = told / names.MITIGATION / "logistic_regression_reweighing.json"
    report = artifacts.read_json(path)
    rows, n = report["changed"]["rows"], report["n"]
    assert rows > 0
    assert f"changes {rows:,.4g} of {n:,} decisions; factors of weights" in text
    assert "changed nothing" not in text
    settings = {"least": 0.9995, "most": 1.0006}
    artifacts.write_json(
        path, {**report, "changed": {"rows": 0.0, "share": 0.0}, "settings": settings}
    )
    unchanged = render_lab(told, "fairness", title="plumbline")
    artifacts.write_json(path, report)
    said = f"changed nothing: 0 of {n:,} decisions differ; factors of weights 0.9995 to 1.0006"
    assert said in unchanged
    assert unchanged.count('class="small">change ') == text.count('class="small">change ') - 2
