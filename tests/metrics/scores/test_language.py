"""Bits per character by hand, and its interval against a bootstrap over documents."""

import math

import numpy as np
import pytest

from plumbline import names
from plumbline.errors import MetricError
from plumbline.metrics.intervals import proportions
from plumbline.metrics.scores import language


def test_bits_and_perplexity_are_the_sums_by_hand():
    """Two documents, 30 bits over 10 characters and 10 bits over 10: two bits, perplexity 4."""
    nll = np.array([30, 10]) * math.log(2)
    metrics = language.weighted_metrics(nll, [10, 10])
    assert metrics[names.BITS_PER_CHARACTER] == pytest.approx([2.0])
    assert metrics[names.PERPLEXITY] == pytest.approx([4.0])


def test_blocks_are_summed_by_document_whatever_their_order():
    documents = language.blocks_to_documents(["b", "a", "b"], [1.0, 2.0, 3.0], [10, 20, 30])
    assert documents.to_dict("list") == {
        "document_id": ["a", "b"],
        "nll": [2.0, 4.0],
        "characters": [20, 40],
    }


def test_the_interval_agrees_with_the_bootstrap_over_documents():
    rng = np.random.default_rng(0)
    characters = rng.integers(200, 4000, size=300)
    nll = characters * rng.gamma(30, 1.2 / 30, size=300)
    value, low, high = language.ratio_interval(nll, characters, confidence=0.95)
    weights = proportions.resample_weights(300, replicates=4000, seed=1)
    replicates = language.weighted_metrics(nll, characters, weights=weights)
    ends = proportions.percentile(replicates[names.BITS_PER_CHARACTER], confidence=0.95)
    width = high - low
    assert value == pytest.approx(
        language.weighted_metrics(nll, characters)[names.BITS_PER_CHARACTER][0]
    )
    # End points of 4000 replicates vary by 3 % of the width; the methods differ by a little more.
    np.testing.assert_allclose([low, high], ends, atol=0.1 * width)


@pytest.mark.parametrize("documents", [5, 20])
def test_few_documents_of_very_different_length_hold_the_rate(documents):
    """Lengths lognormal(1), bits per character gamma with mean 1: Student's t holds 86 and 90 %."""
    rng, hits = np.random.default_rng(3), 0
    for _ in range(800):
        characters = np.ceil(rng.lognormal(6.5, 1, documents))
        nll = characters * rng.gamma(11, 1 / 11, documents) * math.log(2)
        _, low, high = language.ratio_interval(nll, characters, confidence=0.95)
        hits += low <= 1 <= high
    assert hits / 800 > 0.92


def test_one_document_has_a_value_and_no_interval():
    value, low, high = language.ratio_interval([7.0], [10], confidence=0.95)
    assert value == pytest.approx(0.7 / math.log(2))
    assert np.isnan([low, high]).all()
    assert np.isnan(language.ratio_interval([], [], confidence=0.95)).all()


def test_a_block_without_characters_is_refused():
    with pytest.raises(MetricError) as error:
        language.blocks_to_documents(["a"], [1.0], [0])
    expected = "language: every block must have a character, got one with none"
    assert str(error.value) == expected


def test_an_empty_document_changes_no_interval():
    nats, length = np.array([330.0, 310.0, 500.0, 90.0]), np.array([200, 190, 330, 70])
    plain = language.ratio_interval(nats, length, confidence=0.95)
    with_empty = language.ratio_interval([*nats, 0.0], [*length, 0], confidence=0.95)
    assert with_empty == pytest.approx(plain, rel=1e-12)
