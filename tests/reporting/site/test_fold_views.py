"""The section about the folds: every number looked up, nothing where there is nothing to say."""

import shutil

import pytest

from plumbline import artifacts, names
from plumbline.reporting.figures import style
from plumbline.reporting.references import Book, check_html
from plumbline.reporting.site.fold_views import fold_figure, folds_view
from plumbline.reporting.site.lab_page import render_lab
from plumbline.studies.cross_validation.parts import Scheme
from plumbline.studies.cross_validation.summary import summarise
from tests.reporting.site.test_page import Page


def scores(values):
    """What the folds of two models left, ``<b>_x`` and a constant."""
    return [
        {
            "fold": fold,
            "quantity": "auroc",
            "rows": {"fitted": 60, "chosen_on": 20, "held_out": 30},
            "models": {
                name: {"value": each, "chosen_at": 1.0, "settings": {}}
                for name, each in (("coin", 0.5), ("<b>_x", value))
            },
        }
        for fold, value in enumerate(values)
    ]


SUMMARY = summarise(scores([0.6, 0.7, 0.8]), Scheme("grouped", 3, "patient"), confidence=0.95)


def write_folds(tree, copy, summary):
    """Copy a repository and lay a summary of folds into it."""
    shutil.copytree(tree, copy)
    artifacts.write_json(copy / names.CROSS_VALIDATION, summary)
    artifacts.write_text(copy / names.CROSS_VALIDATION.with_suffix(".md"), "# Cross-validation\n")
    return copy


def section(text):
    return text.split('<section id="folds">')[1].split("</section>")[0]


def test_every_number_of_the_section_stands_in_its_file(small_tree, tmp_path):
    copy = write_folds(small_tree, tmp_path / "copy", SUMMARY)
    text = render_lab(copy, "fairness", title="plumbline")
    assert check_html(text, copy) == []
    assert Page(text).faults == []
    found = section(text)
    # The mean of 0.6, 0.7 and 0.8 with the interval of the test of `corrected_interval`.
    for shown in ("AUROC on 3 folds (grouped by patient)", ">0.700<", ">0.307<", ">1.000<"):
        assert shown in found.replace(">1<", ">1.000<")
    assert "&lt;b&gt; x" in found
    assert "<b>" not in found
    assert found.count('data-ref="reports/cross_validation.json#models.') == 8
    assert '<li><a href="#folds">Cross-validation</a></li>' in text


def test_the_best_mean_stands_first(small_tree, tmp_path):
    copy = write_folds(small_tree, tmp_path / "copy", SUMMARY)
    view = folds_view(Book(copy))
    assert [row.mean.label for row in view.rows] == ["<b> x", "coin"]
    assert [row.mean.value.value for row in view.rows] == [pytest.approx(0.7), 0.5]


def test_folds_in_time_have_no_interval_and_the_section_says_why(small_tree, tmp_path):
    scheme = Scheme("forward_chaining", 3, order="day")
    summary = summarise(scores([0.6, 0.7, 0.8]), scheme, confidence=0.95)
    copy = write_folds(small_tree, tmp_path / "copy", summary)
    text = render_lab(copy, "fairness", title="plumbline")
    assert "3 folds (forward chaining by day)" in section(text)
    assert "There is no interval: each fold trains on" in section(text)
    assert 'class="range"' not in section(text)


def test_without_folds_there_is_no_section(small_tree, small_page):
    assert folds_view(Book(small_tree)) is None
    assert "#folds" not in small_page


def test_the_figure_holds_a_mark_per_fold_the_mean_and_the_ends_of_its_interval():
    models = {
        "a": {"mean": 0.7, "interval": [0.6, 0.8], "folds": [0.65, 0.75]},
        "b": {"mean": 0.5, "interval": None, "folds": [0.4, 0.6]},
    }
    (axis,) = fold_figure(models, quantity="AUROC").axes
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines]
    assert drawn == [
        ([0.6, 0.8], [0, 0]), ([0.7], [0]), ([0.65, 0.75], [0.24, 0.24]),
        ([0.5], [1]), ([0.4, 0.6], [1.24, 1.24]),
    ]  # fmt: skip
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


def test_the_figure_repeats_byte_for_byte():
    once, again = (style.svg(fold_figure(SUMMARY["models"], quantity="AUROC")) for _ in range(2))
    assert once == again
