"""Quantities of half-samples: their values, their variances, and the extrapolated distance."""

import itertools

import numpy as np
import pytest
import scipy.stats

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.generative import frechet, halves, manifold


def test_a_round_compares_parts_that_share_no_sample():
    """With as few as 2n generated samples there is one block beside each half."""
    rng = np.random.default_rng(0)
    fake, real = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    found = halves.half_sample_rounds(fake, real, neighbours=2, splits=1, seed=5)
    draw, one = np.random.default_rng(5), np.zeros(20, np.int64)
    order, drawn = (halves.partition(draw, one, parts=2, size=10) for _ in range(2))
    assert found.size == 10
    for half in range(2):
        sets = fake[drawn[half]], real[order[half]]
        expected = [frechet.features_to_fid(*sets), *manifold.overlap(*sets, neighbours=2)]
        assert found.generated[0, half] == pytest.approx(expected)
    floor = frechet.features_to_fid(real[order[1]], real[order[0]])
    assert found.real[0, 0] == pytest.approx(floor)


@pytest.mark.parametrize(("total", "parts", "size"), [(90, 2, 45), (97, 3, 32), (90, 4, 20)])
def test_parts_are_disjoint_and_have_equal_shares_of_the_strata(total, parts, size):
    strata = np.arange(total) % 3
    found = halves.partition(np.random.default_rng(1), strata, parts=parts, size=size)
    assert found.shape == (parts, size)
    assert len(np.unique(found)) == parts * size
    counts = np.array([np.bincount(strata[part], minlength=3) for part in found])
    assert np.ptp(counts) <= 2
    other = halves.partition(np.random.default_rng(2), strata, parts=parts, size=size)
    assert not np.array_equal(np.sort(found[0]), np.sort(other[0]))


def test_the_variance_of_a_mean_is_that_of_the_textbook():
    """Over all partitions of six numbers it is s² / 6 exactly."""
    x = np.array([1.0, 2.0, 4.0, 8.0, 9.0, 15.0])
    pairs = []
    for chosen in itertools.combinations(range(6), 3):
        other = [i for i in range(6) if i not in chosen]
        pairs.append([[x[list(chosen)].mean()], [x[other].mean()]])
    rounds = len(pairs)
    found = halves.Halves(3, np.array(pairs), np.zeros((rounds, 1)))
    mean, half = found.estimates(confidence=0.95)
    assert mean[0] == pytest.approx(x.mean())
    # Both halves vary as much as they covary: rounds - 1 degrees of freedom.
    error = half[0] / scipy.stats.t.ppf(0.975, rounds - 1)
    assert error**2 == pytest.approx(x.var(ddof=1) / 6 * rounds / (rounds - 1))


@pytest.mark.no_cover
def test_errors_are_the_deviation_over_draws():
    rng = np.random.default_rng(1)
    means, errors = [], []
    for seed in range(50):
        fake, real = rng.normal(size=(120, 2)) + 1, rng.normal(size=(60, 2))
        rounds = halves.half_sample_rounds(fake, real, neighbours=2, splits=12, seed=seed)
        mean, half = rounds.estimates(confidence=0.95)
        means.append(mean)
        errors.append(half / 1.96)
    stated = np.sqrt(np.mean(np.square(errors), axis=0))
    # A deviation from 50 draws is known to 10 %; errors may be too wide, not too narrow.
    ratio = stated / np.std(means, axis=0, ddof=1)
    assert (ratio > 0.75).all()
    assert ratio[halves.QUANTITIES.index(names.FID)] < 1.45


def test_the_extrapolated_distance_is_that_of_the_laws():
    """Four features, each off by one and twice as wide: the distance is 4 · (1 + 1)."""
    rng = np.random.default_rng(2)
    found = []
    for seed in range(30):
        fake, real = 1 + 2 * rng.normal(size=(400, 4)), rng.normal(size=(100, 4))
        rounds = halves.half_sample_rounds(fake, real, neighbours=1, splits=5, seed=seed)
        half = rounds.estimates(confidence=0.95)[0][0]
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
