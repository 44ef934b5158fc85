"""Gaps between groups, beside those of drawn groups."""

from types import SimpleNamespace

import numpy as np
import pytest

from plumbline.studies.transfer import robustness


def test_a_gap_is_that_of_the_best_and_worst_group_and_chance_that_of_drawn_ones():
    right = np.array([True, True, True, False, False, False, True, False])
    groups = np.array(["a", "a", "a", "b", "b", "b", "c", "c"])
    data = SimpleNamespace(groups={"slant": groups})
    whole, own = robustness._rows(right, data, np.arange(8), np.random.default_rng(0), 4000)
    assert whole == {"attribute": "all rows", "accuracy": 0.5}
    assert own["gap"] == 1.0
    assert own["excess"] == own["gap"] - own["chance"]
    # Every way to choose which four of the eight are right, as often as any other.
    every = [np.isin(np.arange(8), chosen) for chosen in _fours()]
    means = [[row[groups == g].mean() for g in "abc"] for row in every]
    assert own["chance"] == pytest.approx(np.ptp(means, axis=1).mean(), abs=0.02)


def _fours():
    from itertools import combinations

    return list(combinations(range(8), 4))
