"""Values, derivatives and properties of activation functions, against closed forms and torch."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch

from plumbline.models.layers import ACTIVATIONS
from plumbline.studies.feedforward.activation_functions import FUNCTIONS, properties

Z = np.array([-30.0, -5.3, -1.2, -0.5, 0.3, 1.0, 2.7, 12.0])
ROOT = math.sqrt(2 / math.pi)
EXACT = {
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": lambda z: (mpmath.exp(z) - mpmath.exp(-z)) / (mpmath.exp(z) + mpmath.exp(-z)),
    "elu": lambda z: z if z > 0 else mpmath.expm1(z),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "gelu_tanh": lambda z: z / 2 * (
        1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (z + mpmath.mpf("0.044715") * z**3))
    ),
    "softmax": lambda z: mpmath.exp(z) / (mpmath.exp(z) + 2),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_values_and_derivatives_are_those_of_the_formula(name):
    value, derivative = FUNCTIONS[name](Z)
    with mpmath.workdps(50):
        exact = [(EXACT[name](mpmath.mpf(z)), mpmath.diff(EXACT[name], mpmath.mpf(z))) for z in Z]
    assert value == pytest.approx([float(of) for of, _ in exact], rel=1e-12, abs=1e-14)
    assert derivative == pytest.approx([float(of) for _, of in exact], rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("name", "slope"), [("relu", 0), ("leaky_relu", 0.01), ("prelu", 0.25),
                                             ("rrelu", 11 / 48), ("identity", 1)])  # fmt: skip
def test_rectifiers_have_two_slopes(name, slope):
    value, derivative = FUNCTIONS[name](np.array([-2.0, 3.0]))
    assert value == pytest.approx([-2 * slope, 3])
    assert derivative == pytest.approx([slope, 1])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_they_are_the_functions_that_are_trained(name):
    z = torch.tensor(Z, requires_grad=True)
    layer = ACTIVATIONS[name]().double().eval()
    layer(z).sum().backward()
    value, derivative = FUNCTIONS[name](Z)
    assert layer(z).tolist() == pytest.approx(value, rel=1e-12, abs=1e-14)
    assert z.grad.tolist() == pytest.approx(derivative, rel=1e-12, abs=1e-14)
    assert {*ACTIVATIONS, "softmax"} == set(FUNCTIONS)


def test_softmax_is_one_of_three_outputs():
    z = np.array([-1.0, 0.0, 2.0])
    inputs = torch.tensor(np.stack([z, np.zeros(3), np.zeros(3)], axis=1))
    assert FUNCTIONS["softmax"](z)[0] == pytest.approx(inputs.softmax(1)[:, 0])


def value_of_normal_inputs(function):
    with mpmath.workdps(20):
        return float(mpmath.quad(lambda z: function(z) * mpmath.npdf(z), [-12, -4, 0, 4, 12]))


@pytest.mark.parametrize(
    ("name", "lowest", "highest", "largest"),
    [
        ("sigmoid", 0, 1, 0.25),
        ("tanh", -1, 1, 1),
        ("relu", 0, math.inf, 1),
        ("leaky_relu", -math.inf, math.inf, 1),
        ("elu", -1, math.inf, 1),
        ("silu", -0.2784645, math.inf, 1.0998393),  # -W(1/e); "Swish", Ramachandran et al. 2017
        ("gelu", -0.1699712, math.inf, 0.5 + 0.5 * math.erf(1) + math.exp(-1) / math.sqrt(math.pi)),
        ("softmax", 0, 1, 0.25),
    ],
)
def test_bounds_and_the_largest_derivative(name, lowest, highest, largest):
    found = properties(name)
    assert found["lowest"] == pytest.approx(lowest, abs=1e-6)
    assert found["highest"] == pytest.approx(highest, abs=1e-6)
    assert found["largest_derivative"] == pytest.approx(largest, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("sigmoid", 0.5), ("tanh", 0), ("identity", 0), ("relu", 1 / math.sqrt(2 * math.pi)),
        ("leaky_relu", 0.99 / math.sqrt(2 * math.pi)),
        ("gelu", 1 / (2 * math.sqrt(math.pi))),  # E z Φ(z) = E φ(z), Stein's lemma
        ("elu", value_of_normal_inputs(EXACT["elu"])),
        ("silu", value_of_normal_inputs(EXACT["silu"])),
    ],
)  # fmt: skip
def test_the_mean_output_of_standard_normal_inputs(name, mean):
    assert properties(name)["mean_output"] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("relu", 0.5), ("leaky_relu", 0), ("identity", 0),
        # sigmoid' < c beyond ±log((1 + r) / (1 - r)) with r = sqrt(1 - 4 c)
        ("sigmoid", math.erfc(2 * math.atanh(math.sqrt(1 - 0.02)) / math.sqrt(2))),
        ("tanh", math.erfc(math.atanh(math.sqrt(1 - 0.005)) / math.sqrt(2))),
        ("elu", math.erfc(-math.log(0.005) / math.sqrt(2)) / 2),
    ],
)  # fmt: skip
def test_the_share_of_flat_inputs(name, share):
    assert properties(name)["flat_share"] == pytest.approx(share, abs=3e-4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_saturates_has_a_bound_on_that_side(name):
    found = properties(name)
    assert (found["derivative_far_left"] > 0) == (found["lowest"] == -math.inf)
    assert (found["derivative_far_right"] > 0) == (found["highest"] == math.inf)
