"""The smallest gap that can be detected in a group of a given size.

A group is compared with everyone else by the interval that the audit uses; the power is a sum over
binomial tails, exact in the group's own count and by 41 quantiles in the others'.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import binomial, proportions, shares
from plumbline.metrics.intervals.proportions import Floats

_NODES = 41
_STEPS = 40


def detectable_gap(
    n: npt.ArrayLike,
    other_successes: npt.ArrayLike,
    other_n: npt.ArrayLike,
    *,
    confidence: float,
    power: float,
) -> tuple[Floats, Floats]:
    """Return how far below and above the others' share a group's share is found out.

    Parameters
    ----------
    n : array_like, (R,)
        Size of the group, at least 1.
    other_successes, other_n : array_like, (R,)
        Counts of everyone else; their share is taken as the truth.
    confidence : float
        Of the interval that must exclude equality.
    power : float
        With which probability it must, in (0, 1).

    Returns
    -------
    below, above : ndarray, (R,)
        Positive gaps; NaN where no gap of that direction can be found, even the widest.
    """
    from scipy.special import bdtrik

    size, hits, others = (
        np.asarray(part, dtype=np.float64) for part in (n, other_successes, other_n)
    )
    share = proportions.proportion(hits, others)
    levels = (np.arange(_NODES) + 0.5) / _NODES
    inside = np.clip(share, 1e-12, 1 - 1e-12)[:, None]
    nodes = np.ceil(bdtrik(levels[None], others[:, None], inside) - 1e-9)
    nodes = np.where((share[:, None] > 0) & (share[:, None] < 1), nodes, hits[:, None])
    nodes = np.clip(np.nan_to_num(nodes), 0, others[:, None])
    above = _gap(size, nodes, others, share, confidence, power)
    # Below is above with successes and failures exchanged.
    below = _gap(size, others[:, None] - nodes, others, 1 - share, confidence, power)
    return below, above


def _gap(
    n: Floats, nodes: Floats, others: Floats, share: Floats, confidence: float, power: float
) -> Floats:
    least = _rejecting(n, nodes, others, confidence)
    low, high = share.copy(), np.ones(len(n))
    reached = _power(n, least, high) >= power
    for _ in range(_STEPS):
        middle = (low + high) / 2
        enough = _power(n, least, middle) >= power
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reached & (n > 0), high - share, np.nan)


def _rejecting(n: Floats, nodes: Floats, others: Floats, confidence: float) -> Floats:
    """Return the least count of the group that differs upwards from each node; n + 1 if none."""
    size, trials = (np.broadcast_to(part[:, None], nodes.shape) for part in (n, others))
    other = proportions.proportion(nodes, trials)
    _, other_high = shares.share_interval(nodes, trials, confidence=confidence)
    z = proportions.critical_value(confidence)
    no, yes = np.floor(other * size) - 1, size + 1
    for _ in range(int(np.log2(max(float(n.max(initial=1)), 1))) + 3):
        middle = np.clip(np.floor((no + yes) / 2), 0, size)
        gap = proportions.proportion(middle, size) - other
        # The difference's lower end is above 0 where the group's own is above this rate.
        rate = other + gap - np.sqrt(np.maximum(gap**2 - (other_high - other) ** 2, 0))
        differs = (gap > other_high - other) & (binomial.score(middle, size, rate)[0] > z)
        open_ = yes - no > 1
        no = np.where(open_ & ~differs, middle, no)
        yes = np.where(open_ & differs, middle, yes)
    return yes


def _power(n: Floats, least: Floats, share: Floats) -> Floats:
    from scipy.special import betainc

    tail = betainc(
        np.maximum(least, 1),
        np.maximum(n[:, None] - least + 1, 1e-9),
        np.clip(share, 0, 1)[:, None],
    )
    tail = np.where(least > n[:, None], 0.0, np.where(least <= 0, 1.0, tail))
    mean: Floats = tail.mean(axis=1)
    return mean
