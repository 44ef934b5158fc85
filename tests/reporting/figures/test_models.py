import io
import math
import re

import numpy as np
from PIL import Image

from plumbline.reporting.figures import models as plots
from plumbline.reporting.figures import style


def texts(drawn):
    return re.findall(r">([^<>]+)</text>", style.svg(drawn))


def test_a_comparison_leaves_undefined_values_out_and_draws_baselines_hollow():
    entries = [
        {"label": "a", "value": 0.5, "low": 0.4, "high": 0.6, "baseline": False},
        {"label": "b", "value": 0.5, "low": None, "high": None, "baseline": True},
        {"label": "c", "value": None, "low": None, "high": None, "baseline": False},
    ]
    drawn = plots.comparison(entries, quantity="auroc")
    found = texts(drawn)
    assert {"a", "b", "AUROC", "model", "baseline"} <= set(found)
    assert "c" not in found
    marks = [
        line for line in drawn.axes[0].lines if len(line.get_xdata()) and line.get_marker() == "o"
    ]
    assert [mark.get_markerfacecolor() for mark in marks] == [style.ACCENT, style.PAPER]


def test_learning_curves_put_losses_together_and_leave_the_learning_rate_out():
    nan = math.nan
    history = {
        "epoch": [0.0, 1.0, 2.0], "step": [1.0, 2.0, 3.0], "train/loss": [3.0, 2.0, 1.0],
        "val/loss": [3.0, nan, 1.5], "val/accuracy": [0.1, 0.2, 0.3],
        "learning_rate": [1.0, 1.0, 1.0], "val/empty": [nan, nan, nan],
    }  # fmt: skip
    drawn = plots.learning_curves(history)
    assert [axis.get_title("left") for axis in drawn.axes] == ["loss", "accuracy"]
    assert [len(line.get_xdata()) for line in drawn.axes[0].lines] == [3, 2]
    assert "epoch" in texts(drawn)


def test_an_adversarial_history_is_by_batch_and_names_both_networks():
    history = {
        "epoch": [0.0, 50.0],
        "train/loss_generator": [1.0, 2.0],
        "train/loss_discriminator": [2.0, 1.0],
    }
    assert {"batch", "generator", "discriminator"} <= set(texts(plots.learning_curves(history)))


def test_an_empty_history_gives_an_empty_figure():
    assert plots.learning_curves({"epoch": []}).axes


def test_a_reliability_diagram_goes_through_its_bins_with_their_intervals():
    bins = {"predicted": [0.1, 0.8], "observed": [0.2, 0.7], "low": [0.1, 0.5], "high": [0.4, 0.9]}
    axis = plots.reliability_diagram({"m": bins}).axes[0]
    assert axis.lines[-1].get_xydata().tolist() == [[0.1, 0.2], [0.8, 0.7]]
    (bars,) = axis.collections
    assert [bar.tolist() for bar in bars.get_segments()] == [
        [[0.1, 0.1], [0.1, 0.4]], [[0.8, 0.5], [0.8, 0.9]]
    ]  # fmt: skip


def test_roc_curves_go_through_their_points_and_are_named():
    found = {"a": {"fpr": [0, 0.5, 1], "tpr": [0, 0.9, 1]}, "b": {"fpr": [0, 1], "tpr": [0, 1]}}
    axis = plots.roc_curves(found).axes[0]
    assert axis.lines[1].get_xydata().tolist() == [[0, 0], [0.5, 0.9], [1, 1]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]


def test_a_confusion_matrix_prints_counts_and_with_many_classes_only_shades():
    counts = [[5, 1], [0, 7]]
    found = texts(plots.confusion_matrix(counts, classes=("a", "b"), title="t"))
    assert {"5", "1", "7", "a", "b", "true", "predicted"} <= set(found)
    assert "0" not in found
    many = plots.confusion_matrix(np.eye(30, dtype=int) * 77, classes=["k"] * 30, title="t")
    assert "77" not in texts(many)


def test_a_sample_grid_has_a_column_per_class_and_blanks_where_samples_lack():
    images = np.stack([np.full((1, 4, 4), value, np.uint8) for value in (10, 20, 30)])
    data = plots.sample_grid(images, np.array([0, 0, 1]), classes=2, per_class=2)
    grid = np.asarray(Image.open(io.BytesIO(data)))
    assert grid.shape == (9, 9)
    assert (grid[:4, :4] == 10).all()
    assert (grid[5:, :4] == 20).all()
    assert (grid[:4, 5:] == 30).all()
    assert (grid[5:, 5:] == 127).all()


def test_a_sample_grid_keeps_colours():
    images = np.zeros((1, 3, 4, 4), np.uint8)
    images[0, 2] = 200
    data = plots.sample_grid(images, np.array([0]), classes=1, per_class=1)
    assert np.asarray(Image.open(io.BytesIO(data)))[0, 0].tolist() == [0, 0, 200]
