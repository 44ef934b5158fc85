"""The mixture of two language models: closed forms."""

import numpy as np
import pytest

from plumbline.inference.mixing import fit_weight, mixture


def nats(*probabilities):
    return -np.log(np.array(probabilities))


def test_the_weight_of_two_characters_has_a_closed_form():
    # log(.2 + .6 w) + log(.7 - .4 w) is greatest where .6 / (.2 + .6 w) = .4 / (.7 - .4 w).
    weight = fit_weight(nats(0.8, 0.3), nats(0.2, 0.7))
    assert weight == pytest.approx((0.6 * 0.7 - 0.4 * 0.2) / (2 * 0.6 * 0.4))


@pytest.mark.parametrize(("first", "second", "weight"), [(0.5, 0.2, 1.0), (0.2, 0.5, 0.0)])
def test_a_model_that_is_better_everywhere_has_all_the_weight(first, second, weight):
    a, b = nats(first, first), nats(second, second)
    assert fit_weight(a, b) == pytest.approx(weight, abs=1e-11)
    best = a if weight else b
    np.testing.assert_allclose(mixture(a, b, weight=fit_weight(a, b)), best)


def test_the_mixture_is_the_sum_of_weighted_probabilities():
    found = mixture(nats(0.8, 0.1), nats(0.2, 0.3), weight=0.25)
    np.testing.assert_allclose(np.exp(-found), [0.25 * 0.8 + 0.75 * 0.2, 0.25 * 0.1 + 0.75 * 0.3])
    for weight, wanted in ((0.0, nats(0.2)), (1.0, nats(0.8))):
        np.testing.assert_allclose(mixture(nats(0.8), nats(0.2), weight=weight), wanted)


def test_probabilities_beyond_the_range_of_numbers_are_no_fault():
    first, second = np.array([2000.0, 1.0]), np.array([1.0, 2000.0])
    weight = fit_weight(first, second)
    assert weight == pytest.approx(0.5)
    np.testing.assert_allclose(mixture(first, second, weight=weight), 1 + np.log(2))
