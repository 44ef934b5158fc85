"""What a report says of attributions."""

from types import SimpleNamespace

import numpy as np
import pytest

from plumbline.inference.explanations.explain import explain
from plumbline.inference.explanations.summary import _agreement, summarise
from plumbline.metrics.intervals.proportions import student
from tests.inference.explanations.test_explain import write_linear
from tests.prepared_folders import write_table_folder
from tests.serving import folders

OPTIONS = SimpleNamespace(rows=10, nodes=3, draws=2)


def summary(model, data, **changes):
    options = SimpleNamespace(**{**vars(OPTIONS), **changes})
    return summarise(model, data, options, confidence=0.9, seed=1)["explanation"]


def test_features_are_those_of_the_explanation_with_intervals_over_rows(tmp_path):
    data = write_table_folder(tmp_path / "tabular")
    model = write_linear(tmp_path / "fnn", weights=[[0.0, 0.0], [0.01, 3.0]])
    found = summary(model, data, rows=20)
    values = explain(model, data, nodes=3).table["height"]
    first = found["features"][0]
    assert (first["feature"], found["rows"], found["of_rows"]) == ("height", 20, 20)
    assert first["mean_absolute"] == pytest.approx(values.abs().mean())
    assert (first["low"], first["high"]) == pytest.approx(student(values.abs(), confidence=0.9))
    assert found["randomised"]["lowest"] <= found["randomised"]["mean"]


def test_every_kind_of_supervised_model_has_a_summary_and_others_have_none(tmp_path):
    cnn = summary(*folders.cnn(tmp_path / "a"))
    assert 0 < cnn["centre"]["low"] < cnn["centre"]["mean"] < cnn["centre"]["high"] < 1
    assert cnn["centre"]["evenly"] == 25 / 256  # of 16 rows the bands have 6, 5 and 5
    assert cnn["randomised"]["draws"] == 2
    assert cnn == summary(*folders.cnn(tmp_path / "b"))
    classical = summary(*folders.baseline(tmp_path / "c"))
    assert classical["method"] == "occlusion"
    assert "randomised" not in classical
    model, data = folders.rnn(tmp_path / "d")
    assert summarise(model, data, OPTIONS, confidence=0.9, seed=1) == {}


def test_agreement_is_the_mean_rank_correlation_and_0_for_a_constant_row():
    first = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
    second = np.array([[10.0, 20.0, 30.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert _agreement(first, second) == 0.0
    assert _agreement(first[:1], second[:1]) == 1.0
