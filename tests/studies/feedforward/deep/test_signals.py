"""Factors of the gradient against closed forms and numerical integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from plumbline.studies.feedforward.activation_functions import FUNCTIONS
from plumbline.studies.feedforward.deep import signals


@pytest.mark.parametrize("name", signals.ACTIVATIONS)
@pytest.mark.parametrize("variance", [0.01, 1.0, 25.0])
def test_mean_squares_are_integrals_over_the_normal_density(name, variance):
    scale = math.sqrt(variance)
    expected = [
        integrate.quad(
            lambda z, at=at: FUNCTIONS[name](np.array([scale * z]))[at][0] ** 2 * norm.pdf(z),
            -8, 8, points=[0.0], limit=200,
        )[0]
        for at in (0, 1)
    ]  # fmt: skip
    assert signals.mean_squares(name, variance) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("gain", "factor"), [(2.0, 1.0), (0.5, 0.5), (8.0, 2.0)])
def test_relu_keeps_halves_and_doubles_with_he_s_weights_times_one_half_and_two(gain, factor):
    found = signals.gradient_factors("relu", gain=gain, bias=0.0, start=3.0, layers=11)
    assert found == pytest.approx(np.full(10, factor), rel=1e-5)


def test_a_sigmoid_near_0_has_a_quarter_of_the_weights_gain():
    found = signals.gradient_factors("sigmoid", gain=1e-6, bias=0.0, start=1e-9, layers=4)
    assert found == pytest.approx(np.full(3, math.sqrt(1e-6) / 4), rel=1e-4)


def test_tanh_near_0_is_the_identity():
    found = signals.gradient_factors("tanh", gain=1.0, bias=0.0, start=1e-6, layers=5)
    assert found == pytest.approx(np.ones(4), rel=1e-4)


def test_a_bias_adds_to_the_variance_of_the_next_layer():
    one = signals.gradient_factors("tanh", gain=1.0, bias=0.0, start=0.1, layers=3)
    other = signals.gradient_factors("tanh", gain=1.0, bias=1.0, start=0.1, layers=3)
    assert one[0] == other[0]
    assert other[1] < one[1]
