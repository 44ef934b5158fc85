"""Shares of classes corrected for the classifier's errors, against sums by hand."""

import numpy as np
import pytest

from plumbline.metrics.generative.class_shares import class_shares

OPTIONS = {"confidence": 0.95, "replicates": 1000, "seed": 0}


def test_the_classifiers_errors_are_taken_off():
    """0.6 · 0.9 + 0.4 · 0.2 = 0.62 are recognised as the first class."""
    found = class_shares([62, 38], [[90, 10], [20, 80]], **OPTIONS)
    assert found.recognised.tolist() == [0.62, 0.38]
    assert found.real.tolist() == [0.5, 0.5]
    assert found.value == pytest.approx([0.6, 0.4])
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()


def test_a_class_that_only_errors_fill_is_missing():
    """None of 1,800 samples shows the first two of ten classes; 3 % of them are read as these."""
    wrong = np.full((10, 10), 1) + 80 * np.eye(10)
    shares = np.r_[0, 0, np.full(8, 1 / 8)]
    recognised = 1800 * shares @ (wrong / 89)
    assert recognised[0] == pytest.approx(1800 / 89)
    found = class_shares(recognised, 10 * wrong, **OPTIONS)
    assert found.value == pytest.approx(shares, abs=1e-9)
    assert found.missing() == {"value": 2, "low": 2, "high": 2}


def test_a_class_that_few_samples_lack_is_not_shown_to_be_missing():
    confusion = 50 * np.eye(10)
    few = class_shares([0, *[3] * 9], confusion, **OPTIONS).missing()
    assert (few["value"], few["low"]) == (1, 0)
    assert class_shares([180] * 10, confusion, **OPTIONS).missing()["high"] == 0


def test_a_class_that_is_rare_among_real_samples_may_be_as_rare():
    confusion = np.diag([900, 100])
    assert class_shares([970, 30], confusion, **OPTIONS).missing()["high"] == 0
    assert class_shares([1000, 0], confusion, **OPTIONS).missing()["low"] == 1


def test_classes_that_the_classifier_cannot_tell_apart_have_wide_intervals():
    found = class_shares([300, 300, 300], [[50, 50, 0], [50, 50, 0], [0, 0, 100]], **OPTIONS)
    assert np.isfinite(found.value).all()
    assert found.value.sum() == pytest.approx(1)
    assert (found.high - found.low)[:2].min() > 0.5
    assert found.high[2] - found.low[2] < 0.3


def test_intervals_hold_all_shares_together():
    rng = np.random.default_rng(1)
    confusion = np.full((4, 4), 0.05) + 0.8 * np.eye(4)
    shares, held = np.array([0.0, 0.1, 0.3, 0.6]), []
    for seed in range(100):
        real = np.stack([rng.multinomial(40, row) for row in confusion])
        found = class_shares(
            rng.multinomial(300, shares @ confusion), real,
            confidence=0.95, replicates=500, seed=seed,
        )  # fmt: skip
        held.append(((found.low <= shares) & (shares <= found.high)).all())
    assert np.mean(held) >= 0.9


def test_rows_name_every_class():
    rows = class_shares([1, 3], np.diag([2, 2]), **OPTIONS).rows(("no", "yes"))
    assert [row["class"] for row in rows] == ["no", "yes"]
    assert {key: rows[1][key] for key in ("real", "recognised", "value")} == {
        "real": 0.5, "recognised": 0.75, "value": 0.75,
    }  # fmt: skip
