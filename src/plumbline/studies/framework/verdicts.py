"""Verdicts on claims: supported, refuted or undecided.

A claim says that an effect, measured once per seed, lies in a region: above its smallest relevant
size r (*more*), below -r (*less*), or within ±r (*equal*). From the effects of the seeds comes an
interval of their mean, and from the interval a verdict:

supported
    the interval lies inside the claimed region;
refuted
    the interval lies outside of it, so that an effect as large as claimed is excluded;
undecided
    it does neither, or there are too few seeds.

The level of an interval is the claim's step in Holm's procedure over all claims that are judged
together (Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 6 (1979) 65-70): with the chosen confidence no verdict *supported* or *refuted* is wrong.
Undecided claims share the level of the first of them, so that intervals alone show all verdicts.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plumbline.metrics.intervals import proportions
from plumbline.metrics.intervals.shares import holm
from plumbline.studies.framework.claims import NOT_MEASURED, Claim

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"
VERDICTS = (SUPPORTED, REFUTED, UNDECIDED)
MIN_SEEDS, REPLICATES = 3, 9999  # replicates of the bootstrap


def judge(
    measured: Sequence[tuple[Claim, pd.DataFrame]], *, confidence: float
) -> list[dict[str, Any]]:
    """Judge claims together, each on the rows of its study; see the module.

    Parameters
    ----------
    measured : sequence of (Claim, DataFrame)
        A contrast with an unknown column, or several rows of one seed, raises a ValueError.
    confidence : float
        Of all verdicts together, in (0, 1).

    Returns
    -------
    list of dict
        ``verdict``, ``reason``; ``seeds`` with a value and ``missing`` ones; ``estimate`` (the mean
        effect), ``low``, ``high``; ``level`` (one minus the confidence of this interval); ``p``
        (smallest level that decides the claim), ``p_holm``. Undefined numbers are NaN.
    """
    effects = [claim.contrast.effects(rows).to_numpy(dtype=np.float64) for claim, rows in measured]
    tests = [_test(claim, found) for (claim, _), found in zip(measured, effects, strict=True)]
    p = np.array([min(pair) for pair in tests], dtype=np.float64)
    levels, adjusted = holm_levels(p, 1 - confidence), holm(p)
    return [
        _judged(claim, effects[i], tests[i], float(levels[i]))
        | {"level": levels[i], "p": p[i], "p_holm": adjusted[i]}
        for i, (claim, _) in enumerate(measured)
    ]


def holm_levels(p: npt.ArrayLike, alpha: float) -> Floats:
    """Return the level of each claim's step; NaN (not tested) counts for nothing."""
    raw = np.asarray(p, dtype=np.float64)
    levels = np.full(raw.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    rejected = int((holm(raw[tested]) <= alpha).sum())
    steps = np.minimum(np.arange(len(order)), rejected)
    levels[order] = alpha / (len(order) - steps).clip(min=1)
    return levels


def _test(claim: Claim, effects: Floats) -> tuple[float, float]:
    """Return the levels at which the interval lies inside and outside of the region."""
    if claim.every_seed or _too_few(effects):
        return math.nan, math.nan
    below = _distribution(claim, effects[np.isfinite(effects)])
    # Confidence in a mean < -r and in one <= r: the ends of the region belong to "equal".
    under, upto = below(-claim.relevant, False), below(claim.relevant, True)
    inside, outside = {
        "more": (upto, 1 - upto), "less": (1 - under, under),
        "equal": (max(under, 1 - upto), min(upto, 1 - under)),
    }[claim.direction]  # fmt: skip
    return min(2 * inside, 1.0), min(2 * outside, 1.0)


def _judged(
    claim: Claim, effects: Floats, test: tuple[float, float], level: float
) -> dict[str, Any]:
    values = effects[np.isfinite(effects)]
    missing, verdict, ends = len(effects) - len(values), UNDECIDED, (math.nan, math.nan)
    if claim.every_seed and len(values):
        region = {"more": values > claim.relevant, "less": values < -claim.relevant,
                  "equal": np.abs(values) <= claim.relevant}[claim.direction]  # fmt: skip
        verdict = REFUTED if not region.all() else UNDECIDED if missing else SUPPORTED
        ends = (values.min(), values.max())
    elif not _too_few(effects):
        ends = _interval(claim, values, 1 - level)
        if min(test) <= level:
            verdict = SUPPORTED if test[0] < test[1] else REFUTED
    return {
        "verdict": verdict, "reason": _reason(claim, effects), "seeds": len(values),
        "missing": missing, "low": ends[0], "high": ends[1],
        "estimate": values.mean() if len(values) else math.nan,
    }  # fmt: skip


def _too_few(effects: Floats) -> bool:
    found = int(np.isfinite(effects).sum())
    return found < MIN_SEEDS or 2 * found < len(effects)


def _reason(claim: Claim, effects: Floats) -> str:
    found, seeds = int(np.isfinite(effects).sum()), len(effects)
    if not seeds:
        return NOT_MEASURED
    if not found or (_too_few(effects) and not claim.every_seed):
        return f"{found} of {seeds} seeds have a value: too few"
    missing = f"{seeds - found} of {seeds} seeds have no value" if found < seeds else ""
    same = found > 1 and not np.ptp(effects[np.isfinite(effects)])
    return "; ".join(filter(None, (missing, "the same in every seed" if same else "")))


def _interval(claim: Claim, values: Floats, confidence: float) -> tuple[float, float]:
    if claim.method == "t" or not np.ptp(values):
        return proportions.student(values, confidence=confidence)
    wide = proportions.expanded(confidence, len(values))
    return proportions.percentile(values @ _draws(len(values)), confidence=wide)


@functools.cache
def _draws(n: int) -> Floats:
    return proportions.resample_weights(n, replicates=REPLICATES, seed=17) / n


def _distribution(claim: Claim, values: Floats) -> Callable[[float, bool], float]:
    """Return the confidence that the mean is below x, or at most x; `_interval` inverts it."""
    from scipy.special import ndtri, stdtr

    n, mean = len(values), float(values.mean())
    if not np.ptp(values):
        return lambda x, at_most: float(values[0] <= x if at_most else values[0] < x)
    if claim.method == "t":
        error = float(values.std(ddof=1)) / math.sqrt(n)
        return lambda x, _: float(stdtr(n - 1, (x - mean) / error))
    means, wider = values @ _draws(n), math.sqrt(n / (n - 1))
    shares = (np.arange(len(means) + 1) + 0.5) / (len(means) + 1)  # of the means, by rank
    confidence = stdtr(n - 1, ndtri(shares) / wider)
    return lambda x, _: float(confidence[(means <= x).sum()])
