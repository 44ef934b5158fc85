"""Continuous piecewise-linear functions with free knots, fitted to points by least squares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STARTS = 12
LEAST_GAP = 1e-6  # between knots, as a share of the width: two in one place have no slope


def fit_knots(x: Floats, y: Floats, *, interior: int) -> tuple[Floats, Floats]:
    """Return knots and values of a continuous piecewise-linear function with few squared errors.

    Knots descend from where dynamic programming puts them among the points, as if the function
    passed through the points at its knots, and from ``STARTS`` random places; the best result
    counts. Nothing proves it to be global; for one and two knots no exhaustive search beats it.

    Parameters
    ----------
    x, y : ndarray of float64, (n,)
        Points, x ascending.
    interior : int
        Knots between the first and the last x, at least 1.

    Returns
    -------
    knots, values : ndarray of float64, (interior + 2,)

    Raises
    ------
    ValueError
        If there are not more points than parameters.
    """
    from scipy.optimize import minimize

    if not 1 <= interior < (len(x) - 2) / 2:
        raise ValueError(
            f"basics.piecewise: knots must be 1 to {(len(x) - 3) // 2} for {len(x)} points, got "
            f"{interior}"
        )
    low, width = x[0], x[-1] - x[0]

    whole = 1 + LEAST_GAP * (interior + 1)

    def knots_of(logits: Floats) -> tuple[Floats, Floats]:
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        ends = np.cumsum((shares + LEAST_GAP) / whole)[:-1]
        return shares, low + width * np.concatenate([[0.0], ends, [1.0]])

    def objective(logits: Floats) -> tuple[float, Floats]:
        shares, knots = knots_of(logits)
        error, slopes = _error_and_slopes(x, y, knots)
        by_gap = width / whole * np.append(np.cumsum(slopes[::-1])[::-1], 0.0)
        return error, shares * (by_gap - shares @ by_gap)

    draws = np.random.default_rng(0).dirichlet(np.full(interior + 1, 2.0), size=STARTS)
    starts = [np.diff(_interpolating_knots(x, y, interior)) / width, *draws]
    fits = [minimize(objective, np.log(gaps), jac=True, method="L-BFGS-B") for gaps in starts]
    _, knots = knots_of(min(fits, key=lambda fit: fit.fun).x)
    return knots, best_values(x, y, knots)


def best_values(x: Floats, y: Floats, knots: Floats) -> Floats:
    """Return the values at given knots that minimise the squared error."""
    return np.asarray(np.linalg.lstsq(_hats(x, knots), y, rcond=None)[0], dtype=np.float64)


def _error_and_slopes(x: Floats, y: Floats, knots: Floats) -> tuple[float, Floats]:
    """Return half the mean squared error of the best values and its slope by each interior knot.

    The values are optimal, so that their own changes do not count ("The differentiation of
    pseudo-inverses and nonlinear least squares problems", Golub and Pereyra 1973). A knot moves the
    function by minus its slope there times the hat function of the knot.
    """
    hats = _hats(x, knots)
    values = np.linalg.lstsq(hats, y, rcond=None)[0]
    residual = y - hats @ values
    piece = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    steepness = (np.diff(values) / np.diff(knots))[piece]
    slopes: Floats = (hats[:, 1:-1] * (residual * steepness)[:, None]).mean(axis=0)
    return float(0.5 * np.mean(residual**2)), slopes


def _hats(x: Floats, knots: Floats) -> Floats:
    """Return the value of each knot's hat function at each point, ``(n, knots)``."""
    piece = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    share = (x - knots[piece]) / (knots[piece + 1] - knots[piece])
    hats = np.zeros((len(x), len(knots)))
    rows = np.arange(len(x))
    hats[rows, piece], hats[rows, piece + 1] = 1 - share, share
    return hats


def _interpolating_knots(x: Floats, y: Floats, interior: int) -> Floats:
    """Return the points between which chords have the least squared error."""
    places = np.unique(np.linspace(0, len(x) - 1, max(129, 2 * interior + 3)).astype(int))
    costs = _chord_errors(x, y, places)
    best, came_from = costs[0].copy(), []
    for _ in range(interior):
        through = best[:, None] + costs
        came_from.append(through.argmin(axis=0))
        best = through.min(axis=0)
    chosen = [len(places) - 1]
    for before in reversed(came_from):
        chosen.append(int(before[chosen[-1]]))
    knots: Floats = x[places[[0, *reversed(chosen)]]]
    return knots


def _chord_errors(x: Floats, y: Floats, places: npt.NDArray[np.int_]) -> Floats:
    """Return the squared error of the chord between every two places; infinite backwards."""
    costs = np.full((len(places), len(places)), np.inf)
    for number, first in enumerate(places[:-1]):
        for other, last in enumerate(places[number + 1 :], start=number + 1):
            inner = slice(first, last)
            slope = (y[last] - y[first]) / (x[last] - x[first])
            costs[number, other] = np.sum(
                (y[inner] - y[first] - slope * (x[inner] - x[first])) ** 2
            )
    return costs
