"""The change against doing nothing: by hand, paired, and with an interval that covers."""

import numpy as np
import pytest

from plumbline.metrics.intervals.resampling import Resampling
from plumbline.mitigation.change import decision_change
from plumbline.mitigation.problem import Rows


def change(y, group, before, after, replicates=1000, seed=0):
    y, group, before, after = map(np.asarray, (y, group, before, after))
    rows = Rows(np.zeros((len(y), 1)), y, group)
    return decision_change(
        rows, before, after, Resampling(0.95, replicates, seed)
    )  # fmt: skip


def test_changes_by_hand():
    """Ten rows: before 7 are right, after 8. Group 0 goes from 1 of 2 positives found to both."""
    y = [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]
    group = [0] * 5 + [1] * 5
    before = [1, 0, 0, 0, 1, 1, 1, 0, 0, 1]
    after = [1, 1, 0, 0, 1, 1, 1, 0, 0, 1]
    found = change(y, group, before, after)
    assert found["accuracy"]["value"] == pytest.approx(0.1)
    # True positive rates 1/2 and 1 become 1 and 1; false positive rates are 1/3 all along.
    assert found["gap"]["value"] == pytest.approx(-0.5)


def test_equal_decisions_change_nothing_in_any_draw():
    rng = np.random.default_rng(0)
    y, group, decided = rng.integers(0, 2, (3, 200))
    found = change(y, group, decided, decided)
    assert found == {name: {"value": 0.0, "low": 0.0, "high": 0.0} for name in ("accuracy", "gap")}


def test_without_positives_in_a_group_the_gap_has_no_change():
    found = change([0, 0, 1, 0], [0, 0, 1, 1], [0, 1, 1, 0], [0, 0, 1, 0])
    assert np.isnan(found["gap"]["value"])
    assert found["accuracy"]["value"] == 0.25


def test_the_interval_of_a_change_in_accuracy_covers_the_truth():
    """Before right for 70 %, after for 75 %, dependent; in 200 draws 95 % ± 4 points are right."""
    rng, held = np.random.default_rng(5), 0
    for seed in range(200):
        y, group = rng.integers(0, 2, (2, 400))
        luck = rng.random(400)
        before = np.where(luck < 0.7, y, 1 - y)
        after = np.where(luck < 0.65, y, np.where(luck > 0.9, y, 1 - y))
        cell = change(y, group, before, after, replicates=300, seed=seed)["accuracy"]
        held += cell["low"] <= 0.05 <= cell["high"]
    assert 182 <= held <= 198
