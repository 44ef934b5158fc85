import io
import math
import re

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_curve as sklearn_roc

from plumbline import names
from plumbline.reporting.figures import plots, style


def row(attribute, group, metric, value, *, n=50, verdict=None, low=None, high=None):
    return {"attribute": attribute, "group": group, "metric": metric, "value": value, "n": n,
            "low": low, "high": high, "verdict": verdict}  # fmt: skip


def audit(rows, worst=None):
    return {"rows": rows, "worst": worst}


def texts(drawn):
    return re.findall(r">([^<>]+)</text>", style.svg(drawn))


SEX = [
    row("overall", "all", "accuracy", 0.7, low=0.6, high=0.8),
    row("sex", "female", "accuracy", 0.6, low=0.5, high=0.7, n=4321),
    row("sex", "male", "accuracy", 0.8, low=0.7, high=0.9),
    row("sex", "unknown", "accuracy", None, n=1, verdict="insufficient"),
    row("sex×age", "male×60+", "accuracy", 0.9, low=0.8, high=1.0),
]


def test_quantities_are_named_in_words():
    assert plots.words("true_positive_rate") == "true positive rate"
    assert plots.words("auroc") == "AUROC"
    assert plots.words("fid/cnn") == "Fréchet distance (cnn)"


def test_a_forest_names_every_group_its_size_and_what_is_undefined():
    found = texts(plots.audit_panels(audit(SEX), ["accuracy"]))
    for text in ("accuracy", "sex", "female", "male", "unknown", "4,321", "undefined"):
        assert text in found
    assert "male×60+" not in found
    assert "all" not in found


def test_the_extremes_of_a_difference_stand_out_and_of_no_difference_do_not():
    worst = {"attribute": "sex", "metric": "accuracy", "lowest": "female", "highest": "male"}
    for verdict, marked in ((names.DIFFERENCE, True), (names.INCONCLUSIVE, False)):
        drawn = plots.audit_panels(audit(SEX, {**worst, "verdict": verdict}), ["accuracy"])
        assert (style.WARN in style.svg(drawn)) is marked


def test_an_insufficient_group_is_drawn_hollow():
    rows = [row("a", "b", "accuracy", 0.5, low=0.1, high=0.9, verdict=names.INSUFFICIENT)]
    drawn = plots.audit_panels(audit(rows), ["accuracy"])
    marks = [line for line in drawn.axes[0].lines if line.get_marker() == "o"]
    assert [mark.get_markerfacecolor() for mark in marks] == [style.PAPER]


def test_the_reference_line_is_everyone_or_zero_where_zero_is_meant():
    assert plots.overall(audit(SEX), "accuracy") == 0.7
    assert plots.overall(audit(SEX), names.REPRESENTATION_GAP) == 0.0
    assert plots.overall(audit(SEX[1:]), "accuracy") is None
    assert plots.overall(audit([row("overall", "all", "accuracy", None)]), "accuracy") is None


def test_the_metric_of_the_worst_gap_is_always_drawn():
    metrics = [*names.GROUP_RATES, "another"]
    rows = [row("a", "b", metric, 0.5) for metric in metrics]
    assert plots.audit_metrics(audit(rows)) == [
        names.SELECTION_RATE, names.TPR, names.FPR, names.ACCURACY
    ]  # fmt: skip
    worst = {"metric": "another"}
    assert plots.audit_metrics(audit(rows, worst))[-1] == "another"
    assert len(plots.audit_metrics(audit(rows, worst))) == plots.MAX_PANELS


def test_a_generators_shares_are_drawn_as_their_difference_and_its_floor_as_a_tick():
    fid, floor = names.generative(names.FID), names.generative(names.FID_FLOOR)
    rows = [
        row("slant", "left", metric, value)
        for metric, value in (
            (names.SHARE, 0.5), (names.REFERENCE_SHARE, 0.4), (names.REPRESENTATION_GAP, 0.1),
            (fid, 3.0), (floor, 2.0),
        )
    ]  # fmt: skip
    assert plots.audit_metrics(audit(rows)) == [names.REPRESENTATION_GAP, fid]
    ticks = [
        line.get_xdata()[0]
        for line in plots.audit_panels(audit(rows), [fid]).axes[0].lines
        if line.get_marker() == "|"
    ]
    assert ticks == [2.0]


def test_of_very_many_groups_the_largest_are_drawn():
    rows = [row("a", f"g{i}", "accuracy", 0.5, n=i) for i in range(200)]
    found = [t for t in texts(plots.audit_panels(audit(rows), ["accuracy"])) if t[0] == "g"]
    assert found == [f"g{i}" for i in range(200 - plots.MAX_GROUPS, 200)]


def test_long_and_empty_names_stay_readable():
    rows = [row("a", "x" * 60, "accuracy", 0.5), row("a", "", "accuracy", 0.5)]
    found = texts(plots.audit_panels(audit(rows), ["accuracy"]))
    assert "x" * 25 + "…" in found
    assert "(empty)" in found


def test_models_without_a_value_are_left_out_of_a_comparison():
    entries = [
        {"label": "a", "value": 0.5, "low": 0.4, "high": 0.6, "own": True},
        {"label": "b", "value": 0.5, "low": None, "high": None, "own": False},
        {"label": "c", "value": None, "low": None, "high": None, "own": True},
    ]
    found = texts(plots.headline_comparison(entries, quantity="auroc"))
    assert {"a", "b", "AUROC"} <= set(found)
    assert "c" not in found


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


def test_a_reliability_diagram_has_bins_of_equal_counts():
    confidence = np.linspace(0.05, 0.95, 40)
    correct = np.arange(40) >= 20
    axis = plots.reliability_diagram({"m": (confidence, correct)}, bins=4).axes[0]
    points = axis.lines[-1]
    expected = confidence.reshape(4, 10).mean(axis=1)
    np.testing.assert_allclose(points.get_xdata(), expected)
    np.testing.assert_allclose(points.get_ydata(), [0, 0, 1, 1])


def test_the_interval_of_a_share_is_wilsons():
    from plumbline.metrics.intervals.proportions import wilson

    low, high = wilson(3, 10, confidence=0.95)
    assert plots._wilson(3, 10) == pytest.approx((float(low), float(high)), abs=1e-6)


def test_the_roc_curve_is_that_of_scikit_learn_also_with_ties():
    rng = np.random.default_rng(0)
    score = np.round(rng.uniform(size=200), 1)
    positive = rng.uniform(size=200) < score
    axis = plots.roc_curve({"m": (positive, score)}).axes[0]
    false, true, _ = sklearn_roc(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(axis.lines[-1].get_xdata(), false)
    np.testing.assert_allclose(axis.lines[-1].get_ydata(), true)


def test_a_confusion_matrix_prints_counts_and_with_many_classes_only_shades():
    counts = np.array([[5, 1], [0, 7]])
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
