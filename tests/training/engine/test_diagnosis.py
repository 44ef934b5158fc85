"""Slopes and verdicts from norms whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plumbline.training.engine import diagnosis
from plumbline.training.engine.diagnosis import DEAD, EXPLODING, HEALTHY, VANISHING, diagnose, slope

QUIET = {"update_ratio": 0.001, "dead_share": 0.1}


@pytest.mark.parametrize("factor", [0.5, 2.0, 0.25])
def test_a_constant_factor_per_layer_is_the_slope(factor):
    norms = [3 * factor**steps for steps in reversed(range(11))]  # from the input to the output
    assert slope(norms) == pytest.approx(math.log10(factor), rel=1e-12)


def test_the_slope_is_the_line_of_least_squares():
    norms = np.random.default_rng(1).lognormal(size=7)
    line = np.polyfit(-np.arange(7), np.log10(norms), 1)
    assert slope(list(norms)) == pytest.approx(line[0], rel=1e-9)


def test_layers_without_gradient_keep_their_place_but_are_no_points():
    assert slope([0.0, 0.125, 0.0, 0.5, 1.0]) == pytest.approx(math.log10(0.5))


@pytest.mark.parametrize(
    "norms", [[], [1.0], [1.0, 2.0], [0.0, 1.0, 2.0], [1.0, math.inf, 1.0], [1.0, math.nan, 1.0]]
)
def test_a_slope_needs_three_finite_gradients(norms):
    assert math.isnan(slope(norms))


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.45, VANISHING), (0.55, HEALTHY), (1.9, HEALTHY), (2.1, EXPLODING)]
)
def test_ten_steps_of_about_the_textbook_s_factors_are_the_limits(factor, verdict):
    norms = [factor**steps for steps in reversed(range(11))]
    assert diagnose(norms, **QUIET).verdict == verdict


@pytest.mark.parametrize(
    ("norms", "changes", "verdict", "reason"),
    [
        ([1.0, math.inf], {}, EXPLODING, "a gradient is not finite"),
        ([math.nan, 1.0], {"dead_share": 1.0}, EXPLODING, "a gradient is not finite"),
        ([1.0, 1.0], {"update_ratio": math.inf}, EXPLODING, "a gradient is not finite"),
        ([0.0, 0.0], {}, DEAD, "no layer has a gradient"),
        ([1.0, 1.0], {"dead_share": 0.5}, DEAD, "50% of the units of a layer are always 0"),
        ([1.0, 1.0], {"update_ratio": 1.5}, EXPLODING,
         "an update is 1.5 times as large as the weights"),
        ([0.0, 1.0], {}, VANISHING, "1 of 2 layers have no gradient"),
        ([1e-4, 1e-2, 1.0], {}, VANISHING,
         "the gradient falls by a factor of 0.01 per layer towards the input, over 3 layers"),
        ([1e4, 1e2, 1.0], {}, EXPLODING,
         "the gradient grows by a factor of 100 per layer towards the input, over 3 layers"),
        ([1.0] * 4, {"variances": [1.0, 1e4, 1e8, 1e12]}, EXPLODING,
         "the signal grows by a factor of 100 per layer towards the output, over 4 layers"),
        ([1.0] * 4, {"variances": [1e9, 1e6, 0.0, 1.0]}, VANISHING,
         "the signal falls by a factor of 0.0316 per layer towards the output, over 4 layers"),
        ([1e-9, 1.0], {"update_ratio": math.nan, "dead_share": math.nan}, HEALTHY,
         "gradients of all layers are of similar size"),
    ],
)  # fmt: skip
def test_each_verdict_says_why_and_what_to_try(norms, changes, verdict, reason):
    found = diagnose(norms, **{**QUIET, **changes})
    assert (found.verdict, found.reason) == (verdict, reason)
    assert found.fix == diagnosis.FIXES[verdict]


def test_every_verdict_has_a_fix():
    assert set(diagnosis.FIXES) == set(diagnosis.VERDICTS)
