"""Quantities of half-samples: their values, their variances, and the extrapolated distance."""

import itertools

import numpy as np
import pytest

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.generative import frechet, halves, manifold


def test_a_round_is_the_mean_over_blocks_that_share_no_sample():
    """With as few as 2n generated samples there is one block beside each half."""
    rng = np.random.default_rng(0)
    fake, real = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    found = halves.half_sample_rounds(fake, real, neighbours=2, splits=1, seed=5)
    draw = np.random.default_rng(5)
    order, drawn = draw.permutation(20), draw.permutation(20)
    assert found.size == 10
    for half in range(2):
        own = slice(10 * half, 10 * half + 10)
        sets = fake[drawn[own]], real[order[own]]
        expected = [frechet.features_to_fid(*sets), *manifold.overlap(*sets, neighbours=2)]
        assert found.generated[0, half] == pytest.approx(expected)
    floor = frechet.features_to_fid(real[order[10:]], real[order[:10]])
    assert found.real[0, 0] == pytest.approx(floor)


def test_the_variance_of_a_mean_is_that_of_the_textbook():
    """Over all partitions of six numbers it is s² / 6 exactly."""
    x = np.array([1.0, 2.0, 4.0, 8.0, 9.0, 15.0])
    pairs = []
    for chosen in itertools.combinations(range(6), 3):
        other = [i for i in range(6) if i not in chosen]
        pairs.append([[x[list(chosen)].mean()], [x[other].mean()]])
    rounds = len(pairs)
    mean, error = halves.Halves(3, np.array(pairs), np.zeros((rounds, 1))).estimates()
    assert mean[0] == pytest.approx(x.mean())
    assert error[0] ** 2 == pytest.approx(x.var(ddof=1) / 6 * rounds / (rounds - 1))


def test_errors_are_the_deviation_over_draws():
    rng = np.random.default_rng(1)
    means, errors = [], []
    for seed in range(50):
        fake, real = rng.normal(size=(120, 2)) + 1, rng.normal(size=(60, 2))
        rounds = halves.half_sample_rounds(fake, real, neighbours=2, splits=12, seed=seed)
        mean, error = rounds.estimates()
        means.append(mean)
        errors.append(error)
    stated = np.sqrt(np.mean(np.square(errors), axis=0))
    # A deviation from 50 draws is known to 10 %; errors may be too wide, not too narrow.
    ratio = stated / np.std(means, axis=0, ddof=1)
    assert (ratio > 0.75).all()
    assert ratio[halves.QUANTITIES.index(names.FID)] < 1.35


def test_the_extrapolated_distance_is_that_of_the_laws():
    """Four features, each off by one and twice as wide: the distance is 4 · (1 + 1)."""
    rng = np.random.default_rng(2)
    found = []
    for seed in range(30):
        fake, real = 1 + 2 * rng.normal(size=(400, 4)), rng.normal(size=(100, 4))
        rounds = halves.half_sample_rounds(fake, real, neighbours=1, splits=5, seed=seed)
        half = rounds.estimates()[0][0]
        found.append([half, *halves.fid_infinity(fake, real, half, size=rounds.size)])
    half, value, error = np.transpose(found)
    assert half.mean() > 8.3  # at 50 samples of either kind
    assert value.mean() == pytest.approx(8, abs=4 * value.std() / np.sqrt(30))
    assert np.mean(np.abs(value - 8) <= 1.96 * error) >= 0.83


def test_half_a_set_needs_more_samples_than_neighbours():
    with pytest.raises(MetricError) as error:
        halves.half_sample_rounds(np.eye(7), np.eye(7), neighbours=3, splits=2, seed=0)
    assert str(error.value) == (
        "generator: half of the generated and of the real images must be > 3 "
        "(nearest_neighbours), got 3"
    )
