"""Reweighing and resampling make label and group independent, by hand and by count."""

import numpy as np
import pytest

from plumbline.mitigation.inprocessing.linear import cells
from plumbline.mitigation.preprocessing.weights import independence_weights, independent_draw
from plumbline.mitigation.problem import Rows


def rows(counts):
    """Rows of (group, label) as often as ``counts`` says; x is the row's number."""
    pairs = [pair for pair, n in counts.items() for _ in range(n)]
    group, y = np.array(pairs).T
    return Rows(np.arange(len(pairs), dtype=float)[:, None], y, group)


def test_weights_are_the_expected_over_the_observed_share():
    """Ten rows, the example of Kamiran and Calders: 5 men, 4 of them hired; 5 women, 2 hired.

    A hired woman weighs 0.5 · 0.6 / 0.2 = 1.5, one who was not 0.5 · 0.4 / 0.3 = 2/3.
    """
    found = rows({(0, 1): 4, (0, 0): 1, (1, 1): 2, (1, 0): 3})
    weight = dict(zip(cells(found).tolist(), independence_weights(found), strict=True))
    assert weight == pytest.approx({1: 0.75, 0: 2.0, 3: 1.5, 2: 2 / 3})
    assert independence_weights(found).sum() == pytest.approx(10)


def test_a_drawn_sample_has_independent_label_and_group_and_only_rows_that_exist():
    made = rows({(0, 1): 40, (0, 0): 10, (1, 1): 20, (1, 0): 30})
    drawn = made.take(independent_draw(made, seed=3))
    assert np.bincount(cells(drawn)).tolist() == [20, 30, 20, 30]
    place = drawn.x[:, 0].astype(int)
    np.testing.assert_array_equal(made.y[place], drawn.y)
    # A cell that doubles repeats every row of it: none of ten is left to chance.
    assert np.bincount(place[cells(drawn) == 0])[40:50].tolist() == [2] * 10


def test_independent_rows_stay_as_they_are():
    made = rows({(0, 1): 6, (0, 0): 4, (1, 1): 3, (1, 0): 2})
    np.testing.assert_allclose(independence_weights(made), 1)
    np.testing.assert_array_equal(independent_draw(made, seed=1), np.arange(15))
