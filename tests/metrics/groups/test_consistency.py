"""Consistency over nearest neighbours: by hand, against AIF360's formula, and its coverage."""

import numpy as np
import pytest

from plumbline.errors import MetricError
from plumbline.metrics.groups.consistency import by_noise, consistency, nearest, standardised
from plumbline.metrics.intervals.resampling import Resampling

DRAWS = Resampling(confidence=0.95, replicates=400, seed=0)


def test_neighbours_and_consistency_by_hand():
    """Five points on a line: 0, 1, 2.5, 10, 11; decisions 1, 1, 0, 0, 1."""
    x = np.array([[0.0], [1.0], [2.5], [10.0], [11.0]])
    near = nearest(x, neighbours=2)
    assert near.tolist() == [[1, 2], [0, 2], [1, 0], [4, 2], [3, 2]]
    decision = np.array([1, 1, 0, 0, 1])
    # Of each: one of two differs, one, both, one (10 and 2.5 agree), both.
    found = consistency(decision, near, DRAWS)
    assert found["value"] == pytest.approx(1 - (1 + 1 + 2 + 1 + 2) / 10)
    among = np.array([True, False, True, False, False])
    own = consistency(decision, near, DRAWS, among=among)
    assert (own["value"], own["n"]) == (pytest.approx(1 - 3 / 4), 2)


def test_of_equal_samples_the_first_are_near_and_an_entity_is_no_neighbour_of_itself():
    x = np.zeros((4, 2))
    assert nearest(x, neighbours=2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    near = nearest(x, neighbours=2, entity=["a", "a", "b", "c"])
    assert near.tolist() == [[2, 3], [2, 3], [0, 1], [0, 1]]


def test_it_is_aif360s_with_the_sample_itself_left_out():
    """AIF360: 1 - mean |y - mean(y of kneighbors)|, where a sample is its own first neighbour."""
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 4)), rng.integers(2, size=300)
    for k in (3, 6):
        _, places = NearestNeighbors(n_neighbors=k, algorithm="ball_tree").fit(x).kneighbors(x)
        theirs = 1 - np.abs(y - y[places].mean(axis=1)).mean()
        ours = consistency(y, nearest(x, neighbours=k - 1), DRAWS)["value"]
        assert theirs == pytest.approx(1 - (k - 1) / k * (1 - ours), abs=1e-12)


def test_columns_that_do_not_vary_count_for_nothing():
    like = np.array([[0.0, 5.0], [2.0, 5.0]])
    found = standardised(np.array([[3.0, 9.0]]), like)
    assert found.tolist() == [[2.0, 0.0]]


def test_too_few_others_are_refused():
    with pytest.raises(MetricError) as caught:
        nearest(np.zeros((3, 1)), neighbours=2, entity=["a", "a", "b"])
    assert str(caught.value) == (
        "consistency: neighbours must be at most the other samples (1), got 2"
    )


def test_noise_alone_has_the_mean_of_its_draws_and_certain_scores_that_of_decisions():
    rng = np.random.default_rng(1)
    near = nearest(rng.normal(size=(200, 2)), neighbours=5)
    p = rng.uniform(0.1, 0.9, size=200)
    found = by_noise(np.stack([1 - p, p], axis=1), near, DRAWS)
    labels = rng.random((2000, 200)) < p
    draws = (labels[:, :, None] == labels[:, near]).mean(axis=(1, 2))
    assert found["value"] == pytest.approx(draws.mean(), abs=0.003)
    assert [found["low"], found["high"]] == pytest.approx(
        np.quantile(draws, [0.025, 0.975]), abs=0.01
    )
    decision = rng.integers(3, size=200)
    sure = by_noise(np.eye(3)[decision], near, DRAWS)
    seen = consistency(decision, near, DRAWS)["value"]
    assert [sure["value"], sure["low"], sure["high"]] == pytest.approx([seen] * 3)


def test_copies_of_a_row_that_are_one_entity_leave_the_interval_as_wide():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(80, 2)), rng.integers(2, size=80)
    alone = consistency(y, nearest(x, neighbours=3), DRAWS)
    unit = np.repeat(np.arange(80), 3)
    near = nearest(np.repeat(x, 3, axis=0), neighbours=9, entity=unit)
    three = consistency(np.repeat(y, 3), near, DRAWS, unit=unit)
    assert three["value"] == pytest.approx(alone["value"])
    assert three["high"] - three["low"] == pytest.approx(alone["high"] - alone["low"], rel=0.1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Decisions by the sign of x plus noise; neighbours stand nearly at one place."""
    from scipy.special import ndtr

    rng = np.random.default_rng(3)

    def sample(n):
        x = rng.uniform(-1, 1, size=n)
        return x, (x + rng.normal(0, 0.5, size=n) > 0).astype(int)

    # At one place two decisions differ with 2 p (1 - p); its mean over x by quadrature.
    p = ndtr(np.linspace(-1, 1, 20001) / 0.5)
    truth, held = 1 - np.mean(2 * p * (1 - p)), 0
    for seed in range(200):
        x, y = sample(150)
        found = consistency(y, nearest(x[:, None], neighbours=5), Resampling(0.95, 300, seed))
        held += found["low"] <= truth <= found["high"]
    assert 0.90 <= held / 200 <= 0.995
