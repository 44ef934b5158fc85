"""The mixture of two language models with one weight.

The probability of each character is ``weight`` times that of the first model plus ``1 - weight``
times that of the second (F. Jelinek, R. L. Mercer, "Interpolated estimation of Markov source
parameters from sparse data", 1980, with a single weight).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HALVINGS = 60
LARGEST = 700.0  # nats; the exponential of more overflows


def fit_weight(first: Floats, second: Floats) -> float:
    """Return the weight of the first model with which a text is likeliest.

    The log likelihood is concave in the weight, so its slope falls and one halving after the other
    finds where it is 0.

    Parameters
    ----------
    first, second : array, (T,)
        Nats of each character under the two models.

    Returns
    -------
    float
        In [0, 1].
    """
    odds = np.expm1(np.clip(second - first, -LARGEST, LARGEST))  # p_first / p_second - 1
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        weight = (low + high) / 2
        rises = (odds / (1 + weight * odds)).sum() > 0
        low, high = (weight, high) if rises else (low, weight)
    # Within rounding of an end, one model alone is best.
    return round((low + high) / 2, 12)


def mixture(first: Floats, second: Floats, *, weight: float) -> Floats:
    """Return the nats of each character under the mixture, ``(T,)``; see `fit_weight`."""
    with np.errstate(divide="ignore"):
        shares = np.log([weight, 1 - weight])
    nats: Floats = -np.logaddexp(shares[0] - first, shares[1] - second)
    return nats
