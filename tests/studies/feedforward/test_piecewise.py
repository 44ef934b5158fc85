"""Piecewise-linear fits: exact cases, an exhaustive search, and a known optimum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from plumbline.studies.feedforward.piecewise import best_values, fit_knots

X = np.linspace(-1, 1, 401)


def mean_square(x: np.ndarray, y: np.ndarray, knots: np.ndarray, values: np.ndarray) -> float:
    return float(np.mean((np.interp(x, knots, values) - y) ** 2))


def test_a_piecewise_linear_function_is_found_exactly() -> None:
    kinks, heights = np.array([-1.0, -0.37, 0.52, 1.0]), np.array([0.0, 2.0, -1.0, 0.5])
    knots, values = fit_knots(X, np.interp(X, kinks, heights), interior=2)
    np.testing.assert_allclose(knots, kinks, atol=1e-4)
    np.testing.assert_allclose(values, heights, atol=1e-3)


@pytest.mark.parametrize("interior", [1, 2])
@pytest.mark.parametrize("name", ["wave", "steep", "sine"])
def test_no_grid_of_knots_does_better(name: str, interior: int) -> None:
    y = {
        "wave": np.sin(4 * X) + X,
        "steep": np.sqrt(np.abs(X - 0.2)),
        "sine": np.sin(2 * np.pi * X),
    }[name]
    grid = np.linspace(-0.98, 0.98, 50)
    searched = []
    for inner in itertools.combinations(grid, interior):
        knots = np.array([-1.0, *inner, 1.0])
        searched.append(mean_square(X, y, knots, best_values(X, y, knots)))
    knots, values = fit_knots(X, y, interior=interior)
    assert mean_square(X, y, knots, values) <= min(searched)


def test_the_error_of_a_parabola_is_that_of_even_knots() -> None:
    # Its second derivative is constant: K equal pieces of width h have, far from the ends, the
    # mean square h^4 f''^2 / 720 (the best line on each piece, which is continuous there).
    interior = 15
    knots, values = fit_knots(X, X**2, interior=interior)
    np.testing.assert_allclose(np.diff(knots), 2 / (interior + 1), rtol=0.05)
    piece = 2 / (interior + 1)
    assert mean_square(X, X**2, knots, values) == pytest.approx(piece**4 * 4 / 720, rel=0.05)


def test_more_knots_than_points_bear_are_refused() -> None:
    message = r"^basics\.piecewise: knots must be 1 to 199 for 401 points, got 200$"
    with pytest.raises(ValueError, match=message):
        fit_knots(X, X, interior=200)
