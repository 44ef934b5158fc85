"""Training rows that are drawn, and scores."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.studies.feedforward.comparison.fitted import Split, r_squared, score


def split(targets, classes):
    part = (np.zeros((len(targets), 1)), targets)
    return Split(part, part, part, ("x",), classes, standardise=True, mean=0.0, scale=1.0)


def test_classes_have_their_shares_in_every_number_of_training_rows():
    targets = np.repeat([0, 1, 2], [60, 30, 10])
    data = split(targets, 3)
    for examples in (10, 20, 50, 100):
        counts = np.bincount(targets[data.draw(examples, 4)], minlength=3)
        assert counts == pytest.approx(np.array([0.6, 0.3, 0.1]) * examples, abs=1)


@pytest.mark.parametrize("classes", [0, 2])
def test_few_rows_of_a_seed_are_among_its_further_ones_and_none_is_drawn_twice(classes):
    data = split(np.arange(40) % 2, classes)
    few, many = data.draw(10, 7), data.draw(25, 7)
    assert few.tolist() == many[:10].tolist()
    assert len(set(many.tolist())) == 25
    assert set(few.tolist()) != set(data.draw(10, 8).tolist())


def test_scores_are_the_share_of_right_classes_and_r_squared():
    assert score(np.array([0, 1, 2, 1]), np.array([0, 1, 1, 1]), classes=3) == 0.75
    targets = np.array([1.0, 2.0, 3.0])  # variance 2/3
    assert score(targets, np.array([1.0, 2.0, 2.0]), classes=0) == pytest.approx(0.5)
    assert r_squared(targets, np.array([targets, [2, 2, 2]])).tolist() == [1, 0]
