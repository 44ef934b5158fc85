"""Cases per group at which an audit's verdict is reached with a given probability.

Groups have equally many cases. A difference of shares is as large as the margin, around the common
rate; equivalence is sought where all groups have one rate. Intervals are the audit's own, over
draws of binomial counts that are the same for every number of cases: uniform numbers in a Latin
square, turned into counts. Values that are no shares are taken for normal, with the spread of a
case that the audit found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from plumbline.audit.pairs import far_level
from plumbline.metrics.intervals import proportions, shares

Floats = npt.NDArray[np.float64]
_Estimates = tuple[Floats, Floats, Floats]  # value, low, high

POWER = 0.8
_DRAWS = 1024
_GRID = 64  # counts whose interval is computed; between them it is interpolated
_SMOOTH = 25.0  # variance of a count from which its quantiles follow from mean, variance, skewness
_MOST = 10**9
_FINE = 1.005
_PAIRS = ([0, 0], [1, 2])  # first with second, first with third


@dataclass(frozen=True)
class Comparison:
    """What groups are compared in, and how surely.

    Attributes
    ----------
    value : float
        Common value of all groups; of a share its rate.
    spread : float or None
        Standard deviation of one case; None of a share, whose spread follows from the rate.
    comparison : {'difference', 'ratio'}
    margin : float
        Largest difference, or smallest ratio, that counts as practically none.
    groups : int
    each : float
        Simultaneous confidence of all pairs of groups.
    reference : bool
        Whether the first group is compared with each other one, instead of all pairs.
    """

    value: float
    spread: float | None
    comparison: str
    margin: float
    groups: int
    each: float
    reference: bool = False

    @property
    def pairs(self) -> int:
        """Number of pairs that are compared."""
        return self.groups - 1 if self.reference else self.groups * (self.groups - 1) // 2

    @property
    def near(self) -> float:
        """Confidence of each pair's interval, which a difference must exclude equality at."""
        return proportions.bonferroni(self.each, self.pairs)

    @property
    def far(self) -> float:
        """Confidence of the ends that must be within the margin."""
        return far_level(self.each, self.pairs)

    @property
    def apart(self) -> tuple[float, float]:
        """Values of a lower and of a higher group that are as far apart as the margin."""
        if self.comparison == "difference":
            low = self.value - self.margin / 2
            if self.spread is None:
                low = float(np.clip(low, 0, 1 - self.margin))
            return low, low + self.margin
        high = 2 * self.value / (1 + self.margin)
        high = min(high, 1.0) if self.spread is None else high
        return self.margin * high, high


def for_difference(asked: Comparison, power: float = POWER) -> int | None:
    """Return cases per group at which two groups as far apart as the margin are shown to differ.

    Parameters
    ----------
    asked : Comparison
    power : float
        With which probability at least, in (0, 1).

    Returns
    -------
    int or None
        None where no number of cases is enough: two rates of 0 have a ratio, but no difference.
    """
    asked = _complement(asked)
    size = _normal_size(asked, _z(asked.near) * 2**0.5 + _z(2 * power - 1) * 2**0.5)
    if asked.spread is not None or size is None:
        return size
    low, high = asked.apart
    uniform = _latin(2)

    def reached(n: int) -> bool:
        one, other = (_counts(n, p, u) for p, u in zip((low, high), uniform.T, strict=True))
        (v1, _, h1), (v2, l2, _) = (_estimates(k, n, asked.near) for k in (one, other))
        return bool((v2 - v1 > np.hypot(v2 - l2, h1 - v1)).mean() >= power)

    return _smallest(reached, size)


def for_equivalence(asked: Comparison, power: float = POWER) -> int | None:
    """Return cases per group at which equal groups are shown to be equivalent within the margin.

    Parameters, result as `for_difference`.
    """
    asked = _complement(asked)
    size = _normal_size(asked, _range(asked, power) + _z(asked.far) * 2**0.5)
    if asked.spread is not None or size is None:
        return size
    uniform = _extremes(_latin(asked.groups), asked)

    def reached(n: int) -> bool:
        hits = _counts(n, asked.value, uniform)
        low, high = proportions.mover_difference(*_sides(_estimates(hits, n, asked.near)))
        shown = ((low > 0) | (high < 0)).any(axis=1)
        inside = _inside(asked, *_sides(_estimates(hits, n, asked.far)))
        return bool((inside & ~shown).mean() >= power)

    return _smallest(reached, size)


def _complement(asked: Comparison) -> Comparison:
    """Return the same question about the complement of a share that is above one half."""
    if asked.spread is not None or asked.comparison != "difference" or asked.value <= 0.5:
        return asked
    return replace(asked, value=1 - asked.value)


def _sides(estimates: _Estimates) -> tuple[_Estimates, _Estimates]:
    """Return the estimates of the first and of the second groups of `_PAIRS`."""
    value, low, high = estimates
    one, other = ((value[:, i], low[:, i], high[:, i]) for i in _PAIRS)
    return one, other


def _inside(asked: Comparison, first: _Estimates, second: _Estimates) -> npt.NDArray[np.bool_]:
    if asked.comparison == "difference":
        low, high = proportions.mover_difference(first, second)
        return np.asarray((np.maximum(-low, high) <= asked.margin).all(axis=1))
    low, high = proportions.mover_ratio(first, second)
    return np.asarray(((low >= asked.margin) & (high <= 1 / asked.margin)).all(axis=1))


def _extremes(uniform: Floats, asked: Comparison) -> Floats:
    """Return of each draw the numbers whose pairs decide, ``(_DRAWS, 3)``: see `_PAIRS`.

    Groups have equally many cases, and the ends of a share's interval do not fall as its count
    rises. So no end of a pair's difference, or ratio, falls as the higher count rises or the lower
    one falls (a root of squares changes by no more than its parts): of all pairs, that of the
    smallest and the largest count is the first to differ and the last to be within the margin; of
    those with a reference group, its pair with one of these two among the others.
    """
    rest = uniform[:, 1:] if asked.reference else uniform
    least, most = rest.min(axis=1), rest.max(axis=1)
    return np.column_stack([uniform[:, 0] if asked.reference else least, least, most])


def _normal_size(asked: Comparison, quantiles: float) -> int | None:
    """Return the cases at which so many standard errors of one group make the margin."""
    if asked.comparison == "difference":
        spread, margin = asked.spread, asked.margin
        if spread is None:
            spread = float(np.mean([p * (1 - p) for p in asked.apart])) ** 0.5
    elif not asked.value > 0:
        return None
    else:
        spread = asked.spread
        if spread is None:
            spread = (asked.value * (1 - asked.value)) ** 0.5
        spread, margin = spread / asked.value, -float(np.log(asked.margin))
    size = max(np.ceil((spread * quantiles / margin) ** 2), 2.0)
    return int(size) if size <= _MOST else None


def _z(confidence: float) -> float:
    return proportions.critical_value(confidence)


def _range(asked: Comparison, power: float) -> float:
    """Return the quantile of the largest difference of the compared standard normal values."""
    from scipy.special import ndtr

    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    weights = weights / weights.sum()
    others = asked.groups - 1

    def within(r: float) -> float:
        if asked.reference:
            return float(weights @ (ndtr(nodes + r) - ndtr(nodes - r)) ** others)
        return float(asked.groups * weights @ (ndtr(nodes + r) - ndtr(nodes)) ** others)

    low, high = 0.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle) >= power else (middle, high)
    return high


def _smallest(reached: Callable[[int], bool], start: int) -> int | None:
    """Return the smallest number that is enough, to half a percent, searched from a start."""
    low, high = 1, max(start, 2)
    while not reached(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high > max(low * _FINE, low + 1):
        middle = round((low * high) ** 0.5) if high > 2 * low else (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _latin(columns: int) -> Floats:
    """Return uniform numbers ``(_DRAWS, columns)``: each column has one in every part."""
    rng = np.random.default_rng(0)
    order = rng.permuted(np.tile(np.arange(_DRAWS), (columns, 1)), axis=1).T
    return (order + 0.5) / _DRAWS


def _counts(n: int, p: float, uniform: Floats) -> Floats:
    """Return binomial counts at these uniform numbers; of large ones by Cornish and Fisher."""
    from scipy.special import bdtrik, ndtri

    if p <= 0 or p >= 1:
        return np.full(uniform.shape, n * p)
    variance = n * p * (1 - p)
    if variance < _SMOOTH:
        found = np.ceil(np.nan_to_num(bdtrik(uniform, n, p)) - 1e-9)
    else:
        z = ndtri(uniform)
        found = np.round(n * p + z * variance**0.5 + (1 - 2 * p) * (z**2 - 1) / 6)
    return np.asarray(np.clip(found, 0, n), dtype=np.float64)


def _estimates(hits: Floats, n: int, confidence: float) -> _Estimates:
    grid = np.unique(np.round(np.linspace(hits.min(), hits.max(), _GRID)))
    low, high = shares.share_interval(grid, np.full(len(grid), n), confidence=confidence)
    return hits / n, np.interp(hits, grid, low), np.interp(hits, grid, high)
