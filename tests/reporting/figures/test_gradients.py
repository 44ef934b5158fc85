"""Figures of gradients by layer, and learning curves without them."""

from __future__ import annotations

import math

import pytest

from plumbline.reporting.figures import gradients, style
from plumbline.reporting.figures.models import learning_curves

START = "gradients/network/layers"


def history(rows=4, layers=3):
    names = ["body.0", "body.4", "head", *(f"more.{i}" for i in range(layers))][:layers]
    found = {"epoch": [float(i) for i in range(rows)], "step": [0.0] * rows,
             "train/loss": [1.0] * rows, "gradients/network/slope": [0.1] * rows}  # fmt: skip
    for at, name in enumerate(names):
        found[f"{START}/norm/{at:03d}.{name}"] = [10.0**-at * (1 + i) for i in range(rows)]
        found[f"{START}/update_ratio/{at:03d}.{name}"] = [0.001] * rows
    return found


def test_norms_are_drawn_by_layer_in_the_first_the_middle_and_the_last_row():
    drawn = gradients.gradients(history(rows=5), "network")
    norms, updates = drawn.axes
    assert norms.get_yscale() == updates.get_yscale() == "log"
    lines = [list(line.get_ydata()) for line in norms.lines]
    assert lines == [pytest.approx([k, k / 10, k / 100]) for k in (1, 3, 5)]
    assert [line.get_label() for line in norms.lines] == ["epoch 0", "epoch 2", "epoch 4"]
    assert [label.get_text() for label in norms.get_xticklabels()] == ["body.0", "body.4", "head"]


def test_ticks_of_the_norms_are_numbers_and_no_formulas():
    wide, narrow = history(), history(layers=1)
    narrow[f"{START}/norm/000.body.0"] = [0.12, 0.15, 0.2, 0.45]  # no power of ten between
    for found, shown in ((wide, ">1e−01<"), (narrow, ">2e−01<")):
        text = style.svg(gradients.gradients(found, "network"))
        assert "$" not in text
        assert shown in text


def test_many_layers_are_numbered_in_their_order():
    drawn = gradients.gradients(history(layers=12), "network")
    (line, *_) = drawn.axes[0].lines
    assert list(line.get_ydata()) == pytest.approx([10.0**-at for at in range(12)])
    assert "body.0" not in style.svg(drawn)


def test_rows_and_layers_without_a_value_are_left_out():
    found = history(rows=3)
    first, second, third = (
        f"{START}/norm/{name}" for name in ("000.body.0", "001.body.4", "002.head")
    )
    for name in (first, second, third):
        found[name][0] = math.nan
    found[second][1], found[third][1] = 0.0, math.inf
    lines = gradients.gradients(found, "network").axes[0].lines
    assert [list(line.get_xdata()) for line in lines] == [[0], [0, 1, 2]]
    assert lines[0].get_label() == "epoch 1"


def test_a_history_without_diagnostics_has_no_network():
    assert gradients.networks({"epoch": [0.0], "train/loss": [1.0]}) == []
    assert gradients.networks(history()) == ["network"]


def test_learning_curves_leave_gradients_out():
    assert [axis.get_title("left") for axis in learning_curves(history()).axes] == ["loss"]
