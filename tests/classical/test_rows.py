"""Training rows of the classical models: how many, which, how much each counts."""

import numpy as np
import pytest

from plumbline.classical.rows import Progress, calibration_folds, drawn_rows, training_weights
from plumbline.classical.tabular import FittedModel
from plumbline.errors import ParamsError


def test_row_and_class_weights_multiply():
    weights = np.array([1.0, 3.0, 2.0])
    own, _ = training_weights({"a": 1, "b": 4}, np.array([0, 0, 1]), classes="ab", weights=weights)
    # (1 · 1 + 3 · 1 + 2 · 4) / 6 = 2 would be the mean.
    assert own.tolist() == [0.5, 1.5, 4.0]
    assert training_weights("none", np.zeros(3, int), classes="ab", weights=weights) == (
        weights,
        {},
    )


def test_of_many_rows_each_class_keeps_its_share_and_at_least_one_row():
    y = np.repeat([0, 1, 2], [900, 99, 1])
    rows = drawn_rows(y, 100, regression=False, seed=2)
    assert np.bincount(y[rows]).tolist() == [90, 10, 1]
    assert (np.diff(rows) > 0).all()
    assert drawn_rows(y, 100, regression=False, seed=2).tolist() == rows.tolist()
    assert drawn_rows(y, 100, regression=False, seed=3).tolist() != rows.tolist()
    assert drawn_rows(y, 1000, regression=False, seed=2).tolist() == list(range(1000))
    numbers = drawn_rows(np.arange(300.0), 50, regression=True, seed=2)
    assert len(set(numbers.tolist())) == 50


def test_rows_of_a_rare_class_are_enough_to_calibrate_with_where_there_are_so_many():
    y = np.repeat([0, 1, 2], [10_000, 20, 3])
    assert np.bincount(y[drawn_rows(y, 100, regression=False, seed=2)]).tolist() == [100, 5, 3]
    assert calibration_folds(y) == 3
    assert calibration_folds(np.repeat([0, 1], [100, 5])) == 5
    with pytest.raises(ParamsError) as error:
        calibration_folds(np.array([0, 0, 1]))
    assert str(error.value) == (
        "baseline: svm must have two training rows of every class or more, got one of a class; "
        "leave svm out of baseline.tabular, or merge the class with another one"
    )


def test_a_slow_model_says_how_many_settings_are_done(monkeypatch, caplog):
    caplog.set_level("INFO")
    times = iter([0.0, 4.0, 15.0, 16.0, 26.0, 27.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    progress = Progress("svm", fitted=50, of=100)
    for done in range(1, 5):
        progress.point(done, 4)
    progress.end(FittedModel("svm", None, {}, 0.75, 50), "auroc")
    assert [record.getMessage() for record in caplog.records] == [
        "svm: fitting to 50 of 100 training rows",
        "svm: 2 of 4 settings, 15 s",
        "svm: validation auroc 0.75, 27 s",
    ]
