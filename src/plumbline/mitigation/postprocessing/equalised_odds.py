"""Equalised odds by randomized thresholds, solved exactly on the convex hulls of ROC curves.

Within a group every point under the hull of its ROC curve is reached by a random choice between two
thresholds, and between these and a coin. The groups share the points under all hulls; the most
accurate of them is a vertex of the lowest hull: a vertex of some hull, or where two of them cross.

Source: M. Hardt, E. Price and N. Srebro, "Equality of opportunity in supervised learning", NeurIPS
2016, section 3. That the hull is the pooling of adjacent violators: T. Fawcett and A.
Niculescu-Mizil, "PAV and the ROC convex hull", Machine Learning 68 (2007) 97-106.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.errors import MetricError
from plumbline.mitigation.problem import Codes, Floats


@dataclass(frozen=True)
class Hull:
    """Vertices of the upper hull of a ROC curve, from the fewest selected to all; ``(V,)`` each.

    ``threshold``: a vertex is reached by selecting the scores of at least so much. False positive
    rates rise strictly, from 0 to 1.
    """

    fpr: Floats
    tpr: Floats
    threshold: Floats


@dataclass(frozen=True)
class RandomizedThresholds:
    """Probabilities of selection that give every group the same error rates; ``(G,)`` each.

    With the chance ``coin`` scores do not count, and ``fpr`` of those concerned are selected; else
    scores of at least ``strict`` are, and with the chance ``lenient_share`` those of at least
    ``lenient``.
    """

    fpr: float
    tpr: float
    coin: Floats
    strict: Floats
    lenient: Floats
    lenient_share: Floats

    def __call__(self, score: Floats, group: Codes) -> Floats:
        """Return the probability of each row to be selected, ``(N,)``."""
        strict, lenient = score >= self.strict[group], score >= self.lenient[group]
        by_score = np.where(strict, 1.0, self.lenient_share[group] * lenient)
        coin = self.coin[group]
        return np.asarray(coin * self.fpr + (1 - coin) * by_score, dtype=np.float64)


def fit_randomized_thresholds(
    score: Floats, y: Codes, group: Codes, weight: Floats | None = None
) -> RandomizedThresholds:
    """Return the thresholds of the highest accuracy with the same error rates in all groups.

    Parameters
    ----------
    score : ndarray, (N,)
    y : ndarray, (N,)
        0 or 1.
    group : ndarray, (N,)
        Codes from 0, each of which some row has.
    weight : ndarray, (N,), optional
        How many rows each stands for; >= 0.

    Raises
    ------
    MetricError
        If a group lacks one of the labels: its rates are undefined.
    """
    own = np.ones(len(y)) if weight is None else weight
    of = [group == code for code in range(int(group.max()) + 1)]
    hulls = [roc_hull(score[rows], y[rows], own[rows]) for rows in of]
    positives = float((own * y).sum())
    fpr, tpr = _most_accurate(hulls, positives, float(own.sum()) - positives)
    coin, strict, lenient, share = np.array([_mixture(hull, fpr, tpr) for hull in hulls]).T
    return RandomizedThresholds(fpr, tpr, coin, strict, lenient, share)


def roc_hull(score: Floats, y: Codes, weight: Floats | None = None) -> Hull:
    """Return the upper hull of the ROC curve of one group, of rows by their weights if any."""
    from scipy.optimize import isotonic_regression

    if weight is None:
        weight = np.ones(len(y))
    score, y, weight = score[weight > 0], y[weight > 0], weight[weight > 0]
    values, place = np.unique(score, return_inverse=True)
    rows = np.bincount(place, weights=weight)
    hits = np.bincount(place, weights=weight * y)
    if not 0 < hits.sum() < rows.sum():
        raise MetricError(
            "equalised odds: each group must have rows of both labels, got one without; leave it "
            "out, or join it with another"
        )
    starts = isotonic_regression(hits / rows, weights=rows).blocks[:-1]
    tp = np.append(0, np.cumsum(np.add.reduceat(hits, starts)[::-1]))
    fp = np.append(0, np.cumsum(np.add.reduceat(rows - hits, starts)[::-1]))
    # Midway to the next lower score, as nothing is known in between.
    below = np.append(values[0], values)[starts]
    middle = below + (values[starts] - below) / 2
    threshold = np.append(np.inf, np.where(middle > below, middle, values[starts])[::-1])
    threshold[-1] = -np.inf
    highest = np.append(np.diff(fp) > 0, True)  # of the vertices without a false positive
    return Hull(fp[highest] / fp[-1], tp[highest] / tp[-1], threshold[highest])


def _most_accurate(
    hulls: Sequence[Hull], positives: float, negatives: float
) -> tuple[float, float]:
    fpr = np.unique(np.concatenate([hull.fpr for hull in hulls]))
    fpr = np.union1d(fpr, _crossings(fpr, _heights(hulls, fpr)))
    tpr = _heights(hulls, fpr).min(axis=0)
    best = int(np.argmax(tpr * positives - fpr * negatives))
    return float(fpr[best]), float(tpr[best])


def _heights(hulls: Sequence[Hull], fpr: Floats) -> Floats:
    return np.stack([np.interp(fpr, hull.fpr, hull.tpr) for hull in hulls])


def _crossings(fpr: Floats, heights: Floats) -> Floats:
    """Return where two hulls cross between neighbouring points; between them hulls are straight."""
    found = []
    for one, other in itertools.combinations(heights, 2):
        gap = one - other
        at = np.flatnonzero(gap[:-1] * gap[1:] < 0)
        found.append(fpr[at] + (fpr[at + 1] - fpr[at]) * gap[at] / (gap[at] - gap[at + 1]))
    return np.concatenate(found) if found else np.empty(0)


def _mixture(hull: Hull, fpr: float, tpr: float) -> tuple[float, float, float, float]:
    """Return the coin, two thresholds and the share of the lower one that reach a point."""
    right = int(np.clip(np.searchsorted(hull.fpr, fpr), 1, len(hull.fpr) - 1))
    left = right - 1
    share = (fpr - hull.fpr[left]) / (hull.fpr[right] - hull.fpr[left])
    height = hull.tpr[left] + share * (hull.tpr[right] - hull.tpr[left])
    coin = (height - tpr) / (height - fpr) if height > fpr else 0.0
    return max(coin, 0.0), hull.threshold[left], hull.threshold[right], share
