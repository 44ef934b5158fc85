"""The folds together, against sums by hand and NumPy."""

import numpy as np
import pytest

from plumbline.studies.cross_validation.parts import Scheme
from plumbline.studies.cross_validation.summary import (
    corrected_interval,
    summarise,
    summary_to_markdown,
)


def score(fold, value, quantity="auroc"):
    return {
        "fold": fold,
        "quantity": quantity,
        "rows": {"fitted": 60, "chosen_on": 20, "held_out": 30},
        "models": {"<b>_x": {"value": value, "chosen_at": 1.0, "settings": {}}},
    }


def test_the_interval_is_nadeau_and_bengios():
    # values 0.6, 0.7, 0.8: s² = 0.01; 1/3 + 1/2 of it; t with 2 degrees of freedom is 4.302653
    low, high = corrected_interval([0.6, 0.7, 0.8], ratio=0.5, confidence=0.95)
    half = 4.302653 * np.sqrt(5 / 6 * 0.01)
    assert (low, high) == pytest.approx((0.7 - half, 0.7 + half), abs=1e-6)


def test_the_interval_covers_its_confidence_where_values_are_as_dependent_as_assumed():
    """Values with correlation ρ = ratio / (1 + ratio): the case the correction is exact for."""
    rng, folds, ratio = np.random.default_rng(0), 5, 0.25
    shared = ratio / (1 + ratio)
    hits = 0
    for _ in range(4000):
        values = np.sqrt(shared) * rng.normal() + np.sqrt(1 - shared) * rng.normal(size=folds)
        low, high = corrected_interval(values, ratio=ratio, confidence=0.9)
        hits += low <= 0 <= high
    assert hits / 4000 == pytest.approx(0.9, abs=0.02)  # 4 standard errors


def test_mean_and_spread_are_numpys_and_the_interval_stays_within_the_quantity():
    values = [0.7, 0.95, 0.99]
    scores = [score(k, value) for k, value in enumerate(values)]
    found = summarise(scores, Scheme("stratified", 3), confidence=0.95)
    model = found["models"]["<b>_x"]
    assert model["mean"] == pytest.approx(np.mean(values))
    assert model["standard_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert model["folds"] == values
    assert model["interval"][1] == 1.0
    assert found["held_out_to_fitted"] == 0.5
    assert found["rows"]["held_out"] == [30, 30, 30]


def test_a_model_of_drawn_rows_says_so_and_its_interval_is_for_as_many_rows():
    values, scores = [0.6, 0.7, 0.8], []
    for k, value in enumerate(values):
        scores.append(score(k, value))
        scores[k]["models"]["drawn"] = {**scores[k]["models"]["<b>_x"], "drawn": 20}
    found = summarise(scores, Scheme("stratified", 3), confidence=0.95)
    assert found["models"]["drawn"]["fitted"] == [20, 20, 20]
    assert "fitted" not in found["models"]["<b>_x"]
    low, high = corrected_interval(values, ratio=30 / 20, confidence=0.95)
    assert found["models"]["drawn"]["interval"] == pytest.approx([low, min(high, 1.0)])
    assert "| fitted, drawn: drawn | 20 | 20 | 20 |" in summary_to_markdown(found)


def test_forward_chaining_has_no_interval_and_says_why():
    scheme = Scheme("forward_chaining", 2, order="day")
    scores = [score(0, -3.0, "r_squared"), score(1, 0.5, "r_squared")]
    found = summarise(scores, scheme, confidence=0.95)
    assert found["models"]["<b>_x"]["interval"] is None
    page = summary_to_markdown(found)
    assert "There is no interval: each fold trains on the rows of all earlier folds" in page
    assert "| &lt;b&gt;\\_x | -1.250 | 2.475 | none | -3.000 | 0.500 |" in page


def test_the_page_shows_what_the_file_says():
    scores = [score(0, 0.6), score(1, 0.7), score(2, 0.8)]
    found = summarise(scores, Scheme("grouped", 3, group="patient"), confidence=0.95)
    page = summary_to_markdown(found)
    assert "3 folds (grouped by patient) of the training and validation rows" in page
    assert "| &lt;b&gt;\\_x | 0.700 | 0.100 | [0.307, 1.000] | 0.600 | 0.700 | 0.800 |" in page
    assert "| held out | 30 | 30 | 30 |" in page


def test_the_page_says_what_entities_and_weights_did():
    scores = [{**score(k, 0.7), "entities": 40, "weighted": True} for k in range(3)]
    scores[1]["rows"] = {**scores[1]["rows"], "left_out": 4}
    summary = summarise(scores, Scheme("forward_chaining", 3, order="day"), confidence=0.95)
    assert (summary["entities"], summary["weighted"]) == (40, True)
    assert summary["rows"]["left_out"] == [0, 4, 0]
    page = summary_to_markdown(summary)
    assert "The 40 entities are each in one part of a fold. Rows left out precede" in page
    assert "Rows are weighted in training" in page
    plain = summarise([score(k, 0.7) for k in range(3)], Scheme("k_fold", 3), confidence=0.95)
    assert not {"entities", "weighted"} & set(plain)
    assert "entity" not in summary_to_markdown(plain)
